// The models that the table of cases is run for. A further model is one more row here.
#pragma once

#include <doctest/doctest.h>

#include <cstddef>
#include <string>
#include <vector>

namespace e2e {

// `own_process`: each session is a process, so that a crash costs one connection only.
// `in_loop`: all sessions share the worker's one thread, which a handler can hold up.
// `descriptors_per_session`: what the worker keeps open for each.
struct Fork {
  static constexpr const char* name = "fork";
  static constexpr bool own_process = true;
  static constexpr bool in_loop = false;
  static constexpr std::size_t descriptors_per_session = 0;
};
struct SignalFork {
  static constexpr const char* name = "signal-fork";
  static constexpr bool own_process = true;
  static constexpr bool in_loop = false;
  static constexpr std::size_t descriptors_per_session = 1;
};
struct Prefork {
  static constexpr const char* name = "prefork";
  static constexpr bool own_process = true;
  static constexpr bool in_loop = false;
  static constexpr std::size_t descriptors_per_session = 1;
};
struct Thread {
  static constexpr const char* name = "thread";
  static constexpr bool own_process = false;
  static constexpr bool in_loop = false;
  static constexpr std::size_t descriptors_per_session = 1;
};
struct ThreadPool {
  static constexpr const char* name = "thread-pool";
  static constexpr bool own_process = false;
  static constexpr bool in_loop = false;
  static constexpr std::size_t descriptors_per_session = 1;
};
struct Select {
  static constexpr const char* name = "select";
  static constexpr bool own_process = false;
  static constexpr bool in_loop = true;
  static constexpr std::size_t descriptors_per_session = 1;
};

struct Epoll {
  static constexpr const char* name = "epoll";
  static constexpr bool own_process = false;
  static constexpr bool in_loop = true;
  static constexpr std::size_t descriptors_per_session = 1;
};
struct IoUring {
  static constexpr const char* name = "io_uring";
  static constexpr bool own_process = false;
  static constexpr bool in_loop = true;
  static constexpr std::size_t descriptors_per_session = 1;
};

// One connection after another, so that most cases are not for it.
struct Sync {
  static constexpr const char* name = "sync";
  static constexpr bool own_process = false;
  static constexpr bool in_loop = false;
  static constexpr std::size_t descriptors_per_session = 1;
};

// The model, its clients coming over a Unix socket in place of TCP.
template <class Model>
struct OnUnix : Model {};
template <class Model>
constexpr bool kOnUnix = false;
template <class Model>
constexpr bool kOnUnix<OnUnix<Model>> = true;

// The model, its clients coming with TLS.
template <class Model>
struct OnTls : Model {};
template <class Model>
constexpr bool kOnTls = false;
template <class Model>
constexpr bool kOnTls<OnTls<Model>> = true;

// Some systems and most containers forbid io_uring: its cases are then left out.
bool can_have_io_uring();

// Of the models that can be had here.
inline const std::vector<std::string> kModelNames = [] {
  std::vector<std::string> names = {"fork",        "signal-fork", "prefork", "thread",
                                    "thread-pool", "select",      "epoll"};
  if (can_have_io_uring()) names.push_back("io_uring");
  return names;
}();

}  // namespace e2e

TYPE_TO_STRING_AS("fork", e2e::Fork);
TYPE_TO_STRING_AS("signal-fork", e2e::SignalFork);
TYPE_TO_STRING_AS("prefork", e2e::Prefork);
TYPE_TO_STRING_AS("thread", e2e::Thread);
TYPE_TO_STRING_AS("thread-pool", e2e::ThreadPool);
TYPE_TO_STRING_AS("select", e2e::Select);
TYPE_TO_STRING_AS("epoll", e2e::Epoll);
TYPE_TO_STRING_AS("io_uring", e2e::IoUring);
TYPE_TO_STRING_AS("sync", e2e::Sync);
TYPE_TO_STRING_AS("fork over a Unix socket", e2e::OnUnix<e2e::Fork>);
TYPE_TO_STRING_AS("signal-fork over a Unix socket", e2e::OnUnix<e2e::SignalFork>);
TYPE_TO_STRING_AS("prefork over a Unix socket", e2e::OnUnix<e2e::Prefork>);
TYPE_TO_STRING_AS("thread over a Unix socket", e2e::OnUnix<e2e::Thread>);
TYPE_TO_STRING_AS("thread-pool over a Unix socket", e2e::OnUnix<e2e::ThreadPool>);
TYPE_TO_STRING_AS("select over a Unix socket", e2e::OnUnix<e2e::Select>);
TYPE_TO_STRING_AS("epoll over a Unix socket", e2e::OnUnix<e2e::Epoll>);
TYPE_TO_STRING_AS("io_uring over a Unix socket", e2e::OnUnix<e2e::IoUring>);
TYPE_TO_STRING_AS("fork with TLS", e2e::OnTls<e2e::Fork>);
TYPE_TO_STRING_AS("signal-fork with TLS", e2e::OnTls<e2e::SignalFork>);
TYPE_TO_STRING_AS("prefork with TLS", e2e::OnTls<e2e::Prefork>);
TYPE_TO_STRING_AS("thread with TLS", e2e::OnTls<e2e::Thread>);
TYPE_TO_STRING_AS("thread-pool with TLS", e2e::OnTls<e2e::ThreadPool>);
TYPE_TO_STRING_AS("select with TLS", e2e::OnTls<e2e::Select>);
TYPE_TO_STRING_AS("epoll with TLS", e2e::OnTls<e2e::Epoll>);
TYPE_TO_STRING_AS("io_uring with TLS", e2e::OnTls<e2e::IoUring>);

// TEST_CASE_TEMPLATE("a sentence that can be false", Model, EACH_MODEL)
//
// Each that serves several at a time. What Sync can be tried with names it, and it has tests of its
// own in sync_test.cpp.
#define EACH_MODEL                                                                                 \
  e2e::Fork, e2e::SignalFork, e2e::Prefork, e2e::Thread, e2e::ThreadPool, e2e::Select, e2e::Epoll, \
      e2e::IoUring
#define EACH_MODEL_ON_UNIX                                                              \
  e2e::OnUnix<e2e::Fork>, e2e::OnUnix<e2e::SignalFork>, e2e::OnUnix<e2e::Prefork>,      \
      e2e::OnUnix<e2e::Thread>, e2e::OnUnix<e2e::ThreadPool>, e2e::OnUnix<e2e::Select>, \
      e2e::OnUnix<e2e::Epoll>, e2e::OnUnix<e2e::IoUring>
#define EACH_MODEL_ON_TLS                                                            \
  e2e::OnTls<e2e::Fork>, e2e::OnTls<e2e::SignalFork>, e2e::OnTls<e2e::Prefork>,      \
      e2e::OnTls<e2e::Thread>, e2e::OnTls<e2e::ThreadPool>, e2e::OnTls<e2e::Select>, \
      e2e::OnTls<e2e::Epoll>, e2e::OnTls<e2e::IoUring>
#define EACH_MODEL_AND_TRANSPORT EACH_MODEL, EACH_MODEL_ON_UNIX, EACH_MODEL_ON_TLS
