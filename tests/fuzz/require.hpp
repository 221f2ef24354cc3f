// What a fuzz target demands of the code that it runs. A demand that is not met ends the process by
// SIGABRT: libFuzzer then keeps the input as a finding, and the replay of a seed fails.
#pragma once

#include <cstdlib>
#include <iostream>
#include <string_view>

#include "base/escape.hpp"

namespace berth::fuzz {

// `promise` says in words what should hold; `about` is what it was broken by.
inline void require(bool holds, std::string_view promise, std::string_view about = {}) {
  if (holds) return;
  std::cerr << "broken: " << promise << "\nby: " << escaped(about) << std::endl;
  std::abort();
}

}  // namespace berth::fuzz
