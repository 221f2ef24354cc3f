#include "base/quantities.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <random>
#include <string>
#include <vector>

namespace berth {
namespace {

using namespace std::chrono_literals;

std::string duration_error(std::string_view text) {
  const Result<Duration> duration = parse_duration(text);
  return duration ? "read as " + format_duration(duration.value()) : duration.error().message;
}

std::string size_error(std::string_view text) {
  const Result<std::uint64_t> size = parse_size(text);
  return size ? "read as " + format_size(size.value()) : size.error().message;
}

TEST_CASE("a duration is the sum of its parts") {
  const std::vector<std::pair<std::string, Duration>> cases = {
      {"0", 0s},
      {"0s", 0s},
      {"250ms", 250ms},
      {"5s", 5s},
      {"10m", 10min},
      {"1h30m", 90min},
      {"1.5s", 1500ms},
      {"1h0.5s", 1h + 500ms},
      {"100us", 100us},
      {"7ns", 7ns},
      {"1h2m3s4ms5us6ns", 1h + 2min + 3s + 4ms + 5us + 6ns},
      {"0.25ms", 250us},
      {"1.500s", 1500ms},
      {"1.0000000000s", 1s},
      {"2562047h", 2562047h}};
  for (const auto& [text, expected] : cases) {
    CAPTURE(text);
    const Result<Duration> duration = parse_duration(text);
    REQUIRE(duration);
    CHECK(duration.value() == expected);
  }
}

TEST_CASE("a wrong duration is answered with the right way to write it") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "'' is not a duration; write numbers with units, like 250ms, 5s or 1h30m"},
      {"soon", "'soon' is not a duration; write numbers with units, like 250ms, 5s or 1h30m"},
      {".5s", "'.5s' is not a duration; write numbers with units, like 250ms, 5s or 1h30m"},
      {"5.s", "'5.s' is not a duration; write numbers with units, like 250ms, 5s or 1h30m"},
      {"5", "'5' needs a unit: 5s?"},
      {"1h30", "'1h30' needs a unit: 1h30m?"},
      {"1m30", "'1m30' needs a unit: 1m30s?"},
      {"-5s", "'-5s': a duration cannot be negative"},
      {"5 s", "'5 s' has a space or '_' in it: write 5s"},
      {"5_000ms", "'5_000ms' has a space or '_' in it: write 5000ms"},
      {"5sec", "'5sec' has the unknown unit 'sec': write 5s"},
      {"5S", "'5S' has the unknown unit 'S': write 5s"},
      {"5minutes", "'5minutes' has the unknown unit 'minutes': write 5m"},
      {"2hrs", "'2hrs' has the unknown unit 'hrs': write 2h"},
      {"9µs", "'9µs' has the unknown unit 'µs': write 9us"},
      {"1d", "'1d' has the unknown unit 'd'; the units are h, m, s, ms, us and ns"},
      {"1.5h30m", "'1.5h30m' has a fraction before its last unit; only the last may have one"},
      {"30m1h", "'30m1h' must have its units from large to small, each once, like 1h30m"},
      {"1s1s", "'1s1s' must have its units from large to small, each once, like 1h30m"},
      {"0.5ns", "'0.5ns' is finer than a nanosecond; leave the last digits out"},
      {"1.05ns", "'1.05ns' is finer than a nanosecond; leave the last digits out"},
      {"1.0000000001s", "'1.0000000001s' is finer than a nanosecond; leave the last digits out"},
      {"2562048h", "'2562048h' is too long; the longest duration is about 292 years"},
      {"99999999999999999999s",
       "'99999999999999999999s' is too long; the longest duration is about 292 years"},
      {"9223372036854775807ns",
       "'9223372036854775807ns' is too long; the longest duration is about 292 years"}};
  for (const auto& [text, expected] : cases) CHECK(duration_error(text) == expected);
}

TEST_CASE("a printed duration is short and reads back as the same") {
  CHECK(format_duration(0s) == "0s");
  CHECK(format_duration(250ms) == "250ms");
  CHECK(format_duration(90s) == "1m30s");
  CHECK(format_duration(1h + 500ms) == "1h500ms");
  CHECK(format_duration(61s + 250ms) == "1m1.25s");
  CHECK(format_duration(1500us) == "1.5ms");
  CHECK(format_duration(kUnlimited) == "off");
  CHECK(format_duration(-5s) == "-5s");
  std::mt19937_64 random(1);
  for (int i = 0; i < 10'000; ++i) {
    const auto count = static_cast<std::int64_t>(random() >> (1 + random() % 63));
    const std::string text = format_duration(Duration(count));
    CAPTURE(text);
    const Result<Duration> duration = parse_duration(text);
    REQUIRE(duration);
    REQUIRE(duration.value().count() == count);
  }
}

TEST_CASE("a size is a number of bytes or of binary units") {
  CHECK(parse_size("0").value() == 0);
  CHECK(parse_size("512").value() == 512);
  CHECK(parse_size("512B").value() == 512);
  CHECK(parse_size("64KiB").value() == 65536);
  CHECK(parse_size("1MiB").value() == 1U << 20);
  CHECK(parse_size("3GiB").value() == 3ULL << 30);
  CHECK(parse_size("16777215TiB").value() == 16777215ULL << 40);
}

TEST_CASE("a wrong size is answered with the right way to write it") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "'' is not a size; write a whole number, with a unit if need be, like 512 or 64KiB"},
      {"1.5MiB",
       "'1.5MiB' is not a size; write a whole number, with a unit if need be, like 512 or 64KiB"},
      {"-1", "'-1': a size cannot be negative"},
      {"64 KiB", "'64 KiB' has a space or '_' in it: write 64KiB"},
      {"64KB", "'64KB' has the unknown unit 'KB': write 64KiB"},
      {"64k", "'64k' has the unknown unit 'k': write 64KiB"},
      {"1mib", "'1mib' has the unknown unit 'mib': write 1MiB"},
      {"2G", "'2G' has the unknown unit 'G': write 2GiB"},
      {"2 apples", "'2 apples' has a space or '_' in it: write 2apples"},
      {"2apples", "'2apples' has the unknown unit 'apples'; the units are KiB, MiB, GiB and TiB"},
      {"16777216TiB", "'16777216TiB' is too large for a size"},
      {"18446744073709551616", "'18446744073709551616' is too large for a size"}};
  for (const auto& [text, expected] : cases) CHECK(size_error(text) == expected);
}

TEST_CASE("a printed size is short and reads back as the same") {
  CHECK(format_size(0) == "0");
  CHECK(format_size(1000) == "1000");
  CHECK(format_size(65536) == "64KiB");
  CHECK(format_size(3ULL << 40) == "3TiB");
  std::mt19937_64 random(1);
  for (int i = 0; i < 10'000; ++i) {
    const std::uint64_t bytes = (random() >> random() % 64) << random() % 64;
    const Result<std::uint64_t> size = parse_size(format_size(bytes));
    REQUIRE(size);
    REQUIRE(size.value() == bytes);
  }
  CHECK(parse_size(format_size(std::numeric_limits<std::uint64_t>::max())).value() ==
        std::numeric_limits<std::uint64_t>::max());
}

}  // namespace
}  // namespace berth
