// The models that the table of cases is run for. A further model is one more row here.
#pragma once

#include <doctest/doctest.h>

#include <cstddef>

namespace e2e {

// `own_process`: each session is a process, so that a crash costs one connection only.
// `descriptors_per_session`: what the worker keeps open for each. `in_loop`: all share one thread.
struct Fork {
  static constexpr const char* name = "fork";
  static constexpr bool own_process = true;
  static constexpr std::size_t descriptors_per_session = 0;
  static constexpr bool in_loop = false;
};
struct SignalFork {
  static constexpr const char* name = "signal-fork";
  static constexpr bool own_process = true;
  static constexpr std::size_t descriptors_per_session = 1;
  static constexpr bool in_loop = false;
};
struct Thread {
  static constexpr const char* name = "thread";
  static constexpr bool own_process = false;
  static constexpr std::size_t descriptors_per_session = 1;
  static constexpr bool in_loop = false;
};
struct Select {
  static constexpr const char* name = "select";
  static constexpr bool own_process = false;
  static constexpr std::size_t descriptors_per_session = 1;
  static constexpr bool in_loop = true;
};

}  // namespace e2e

TYPE_TO_STRING_AS("fork", e2e::Fork);
TYPE_TO_STRING_AS("signal-fork", e2e::SignalFork);
TYPE_TO_STRING_AS("thread", e2e::Thread);
TYPE_TO_STRING_AS("select", e2e::Select);

// TEST_CASE_TEMPLATE("a sentence that can be false", Model, EACH_MODEL)
#define EACH_MODEL e2e::Fork, e2e::SignalFork, e2e::Thread, e2e::Select
