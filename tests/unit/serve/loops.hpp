// Every demultiplexer, for cases that run over each.
#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <vector>

#include "serve/epoll_demultiplexer.hpp"
#include "serve/io_uring_demultiplexer.hpp"
#include "serve/select_demultiplexer.hpp"

namespace berth::testing {

using MakeDemultiplexer = std::unique_ptr<Demultiplexer> (*)();

template <class Kind>
std::unique_ptr<Demultiplexer> make_demultiplexer() {
  return std::make_unique<Kind>();
}

inline bool can_have_io_uring() {
  static const auto objection = objection_to_io_uring();
  if (objection) MESSAGE(*objection);
  return !objection;
}

inline std::vector<MakeDemultiplexer> each_loop() {
  std::vector<MakeDemultiplexer> all = {make_demultiplexer<SelectDemultiplexer>,
                                        make_demultiplexer<EpollDemultiplexer>};
  if (can_have_io_uring()) all.push_back(make_demultiplexer<IoUringDemultiplexer>);
  return all;
}

// Runs a case with each, as subcases.
inline void in_each_loop(const std::function<void(MakeDemultiplexer)>& check) {
  SUBCASE("select") { check(make_demultiplexer<SelectDemultiplexer>); }
  SUBCASE("epoll") { check(make_demultiplexer<EpollDemultiplexer>); }
  SUBCASE("io_uring") {
    if (can_have_io_uring()) check(make_demultiplexer<IoUringDemultiplexer>);
  }
}

}  // namespace berth::testing
