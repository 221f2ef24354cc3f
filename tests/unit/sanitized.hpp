// What is tried many times over is tried a tenth as often under sanitizers, where it takes ten
// times as long.
#pragma once

namespace berth::testing {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr unsigned kLessOften = 10;
#else
constexpr unsigned kLessOften = 1;
#endif

}  // namespace berth::testing
