#include <doctest/doctest.h>

#include <cstdlib>
#include <ctime>

#include "sdk/fake_host.hpp"

namespace berth {
namespace {

std::string text_of(std::time_t time) { return std::string(std::string_view(Timestamp(time))); }

TEST_CASE("a timestamp is what ctime prints, without its line's end") {
  for (const std::time_t time : {std::time_t{0}, std::time_t{961'357'074}, std::time_t{1}}) {
    std::string expected = std::ctime(&time);
    expected.pop_back();
    CHECK(text_of(time) == expected);
    CHECK(text_of(time).size() == 24);
  }
}

TEST_CASE("a day of one figure is padded with a blank") {
  std::tm parts{};
  parts.tm_year = 100;
  parts.tm_mon = 5;
  parts.tm_mday = 8;
  parts.tm_hour = 9;
  parts.tm_isdst = -1;
  CHECK(text_of(std::mktime(&parts)) == "Thu Jun  8 09:00:00 2000");
}

TEST_CASE("a year past what ctime can tell neither crashes nor overruns") {
  CHECK(text_of(std::time_t{1} << 40).size() <= 32);
  CHECK(text_of(std::time_t{1} << 60).size() <= 32);
}

TEST_CASE("now is the text of a second between before and after") {
  for (int round = 0; round < 1000; ++round) {
    const std::time_t before = std::time(nullptr);
    const std::string now{std::string_view(timestamp())};
    const std::time_t after = std::time(nullptr);
    bool found = false;
    for (std::time_t second = before; second <= after; ++second) found |= now == text_of(second);
    REQUIRE(found);
  }
}

TEST_CASE("a timestamp is kept by whoever took it") {
  const Timestamp first = timestamp();
  const std::string text{std::string_view(first)};
  const Timestamp old(1);
  CHECK(std::string_view(first) == text);
  CHECK(std::string_view(old) != std::string_view(first));
}

}  // namespace
}  // namespace berth
