// Fuzz target: base/quantities. The input is read as a duration, a size and a number; and its first
// eight bytes are a quantity to be printed.
#include "base/quantities.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <limits>
#include <string>

#include "advice.hpp"
#include "input.hpp"
#include "require.hpp"

namespace berth::fuzz {
namespace {

struct Unit {
  std::string_view name;
  long double factor;
};
constexpr Unit kUnits[] = {{"", 1},       {"B", 1},         {"h", 3600e9L},   {"m", 60e9L},
                           {"s", 1e9L},   {"ms", 1e6L},     {"us", 1e3L},     {"ns", 1},
                           {"KiB", 1024}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1LL << 40}};

// The sum of NUMBER UNIT NUMBER UNIT … of a text that was taken, in another arithmetic.
long double sum_of(const std::string& text) {
  long double sum = 0;
  for (const char* at = text.c_str(); *at != '\0';) {
    char* end = nullptr;
    const long double number = std::strtold(at, &end);
    const std::string_view name(end, std::strcspn(end, "0123456789"));
    const auto unit = std::find_if(std::begin(kUnits), std::end(kUnits),
                                   [&](const Unit& known) { return known.name == name; });
    require(end != at && unit != std::end(kUnits), "what is taken has known units", text);
    sum += number * unit->factor;
    at = end + name.size();
  }
  return sum;
}

bool is_about(long double sum, long double expected) {
  return std::abs(sum - expected) <= 1 + expected * 1e-12L;
}

template <class Parse>
std::string advice_for(const std::string& text, Parse parse) {
  const auto parsed = parse(text);
  return parsed ? "" : advice_of(parsed.error().message, {": write "}, "\n");
}

void check_duration(const std::string& text) {
  const Result<Duration> duration = parse_duration(text);
  if (duration) {
    const Duration length = duration.value();
    require(length >= Duration::zero() && length != kUnlimited, "a duration is of this world",
            text);
    require(is_about(sum_of(text), static_cast<long double>(length.count())),
            "a duration is the sum of its parts", text);
  } else {
    require(!duration.error().message.empty(), "an error has words", text);
  }
  require_advice_leads_on(text, [](const auto& t) { return advice_for(t, parse_duration); });
}

void check_size(const std::string& text) {
  const Result<std::uint64_t> size = parse_size(text);
  if (size) {
    require(is_about(sum_of(text), static_cast<long double>(size.value())),
            "a size is its number times its unit", text);
  } else {
    require(!size.error().message.empty(), "an error has words", text);
  }
  require_advice_leads_on(text, [](const auto& t) { return advice_for(t, parse_size); });
}

// Beside the reader of the standard library, which knows no '+' but "inf" and "nan".
void check_real(const std::string& text) {
  const auto real = parse_real(text);
  double expected = 0;
  const char* const start = text.c_str() + (text.starts_with('+') ? 1 : 0);
  const char* const end = text.c_str() + text.size();
  const auto [stop, error] = std::from_chars(start, end, expected);
  const bool is_number = stop == end && text.find_first_of("nN") == text.npos &&
                         !text.starts_with("+-") && !text.empty();
  if (real && error == std::errc::result_out_of_range) {
    require(std::abs(*real) < std::numeric_limits<double>::min(), "what is too large is told",
            text);
  } else if (error != std::errc::result_out_of_range) {
    require(real.has_value() == (is_number && error == std::errc()), "a number is known", text);
    if (real) require(*real == expected, "a number is read exactly", text);
  }
}

void check_printed(std::int64_t count) {
  const std::string duration = format_duration(Duration(count));
  if (Duration(count) == kUnlimited) {
    require(duration == "off", "no limit is printed as off", duration);
  } else if (count >= 0) {
    const auto parsed = parse_duration(duration);
    require(parsed && parsed.value() == Duration(count), "a duration reads back", duration);
  } else {
    require(duration.starts_with('-') && parse_duration(duration.substr(1)),
            "a negative duration is one with a '-' before it", duration);
  }
  const auto bytes = static_cast<std::uint64_t>(count);
  const std::string size = format_size(bytes);
  const auto parsed = parse_size(size);
  require(parsed && parsed.value() == bytes, "a size reads back", size);
}

}  // namespace
}  // namespace berth::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(berth::fuzz::text_of(data, size));
  berth::fuzz::check_duration(text);
  berth::fuzz::check_size(text);
  berth::fuzz::check_real(text);
  berth::fuzz::check_printed(berth::fuzz::Input(data, size).number<std::int64_t>());
  return 0;
}
