#include "base/quantities.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <optional>

#include "base/ascii.hpp"
#include "base/source.hpp"

namespace berth {
namespace {

struct DurationUnit {
  std::string_view name;
  std::int64_t nanoseconds;
};

constexpr std::array<DurationUnit, 6> kDurationUnits = {{{"h", 3'600'000'000'000},
                                                         {"m", 60'000'000'000},
                                                         {"s", 1'000'000'000},
                                                         {"ms", 1'000'000},
                                                         {"us", 1'000},
                                                         {"ns", 1}}};

// Other names that people give to units, by how they begin; the longer beginning first.
struct OtherName {
  std::string_view beginning;
  std::string_view unit;
};
constexpr std::array<OtherName, 10> kOtherNames = {{{"msec", "ms"},
                                                    {"milli", "ms"},
                                                    {"usec", "us"},
                                                    {"micro", "us"},
                                                    {"µs", "us"},
                                                    {"nano", "ns"},
                                                    {"sec", "s"},
                                                    {"min", "m"},
                                                    {"hour", "h"},
                                                    {"hr", "h"}}};

struct SizeUnit {
  std::string_view name;
  int shift;
};
constexpr std::array<SizeUnit, 4> kSizeUnits = {
    {{"TiB", 40}, {"GiB", 30}, {"MiB", 20}, {"KiB", 10}}};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Takes what satisfies `wanted` off the front of `text`.
template <class Predicate>
std::string_view take_while(std::string_view& text, Predicate wanted) {
  const auto end = std::find_if_not(text.begin(), text.end(), wanted);
  const std::string_view taken = text.substr(0, static_cast<std::size_t>(end - text.begin()));
  text.remove_prefix(taken.size());
  return taken;
}

std::optional<std::uint64_t> whole_number(std::string_view digits) {
  std::uint64_t number = 0;
  for (const char c : digits) {
    if (__builtin_mul_overflow(number, 10U, &number) ||
        __builtin_add_overflow(number, c - '0', &number)) {
      return std::nullopt;
    }
  }
  return number;
}

// "5 s" and "1_000ms" are understood, but not taken: there is one way to write a quantity.
std::optional<Error> complain_of_separators(std::string_view text) {
  std::string without;
  for (const char c : text) {
    if (c != ' ' && c != '_') without += c;
  }
  if (without.size() == text.size() || without.empty()) return std::nullopt;
  return Error{in_quotes(text) + " has a space or '_' in it: write " + without};
}

Error bad_duration_unit(std::string_view text, std::string_view number, std::string_view unit) {
  const std::string known = lower(unit);
  for (const OtherName& other : kOtherNames) {
    if (known.starts_with(other.beginning)) {
      return Error{in_quotes(text) + " has the unknown unit " + in_quotes(unit) + ": write " +
                   std::string(number) + std::string(other.unit)};
    }
  }
  for (const DurationUnit& right : kDurationUnits) {
    if (known == right.name) {
      return Error{in_quotes(text) + " has the unknown unit " + in_quotes(unit) + ": write " +
                   std::string(number) + known};
    }
  }
  return Error{in_quotes(text) + " has the unknown unit " + in_quotes(unit) +
               "; the units are h, m, s, ms, us and ns"};
}

Error too_long(std::string_view text) {
  return Error{in_quotes(text) + " is too long; the longest duration is about 292 years"};
}

// One NUMBER UNIT of a duration.
struct DurationPart {
  std::string_view whole;
  std::string_view fraction;
  const DurationUnit* unit = nullptr;
};

Result<DurationPart> take_part(std::string_view text, std::string_view& rest,
                               const DurationUnit* former) {
  DurationPart part;
  const std::string_view start = rest;
  part.whole = take_while(rest, is_digit);
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    part.fraction = take_while(rest, is_digit);
    if (part.fraction.empty()) part.whole = {};
  }
  if (part.whole.empty()) {
    return Error{in_quotes(text) +
                 " is not a duration; write numbers with units, like 250ms, 5s or 1h30m"};
  }
  const std::string_view number = start.substr(0, start.size() - rest.size());
  const std::string_view unit = take_while(rest, [](char c) { return !is_digit(c) && c != '.'; });
  if (unit.empty()) {
    const bool minutes = former != nullptr && former->name == "h";
    return Error{in_quotes(text) + " needs a unit: " + std::string(text) + (minutes ? "m?" : "s?")};
  }
  part.unit = std::find_if(kDurationUnits.begin(), kDurationUnits.end(),
                           [&](const DurationUnit& known) { return known.name == unit; });
  if (part.unit == kDurationUnits.end()) return bad_duration_unit(text, number, unit);
  return part;
}

Result<std::int64_t> nanoseconds_of(std::string_view text, const DurationPart& part) {
  const std::optional<std::uint64_t> whole = whole_number(part.whole);
  std::int64_t sum = 0;
  if (!whole || __builtin_mul_overflow(*whole, part.unit->nanoseconds, &sum)) return too_long(text);
  std::int64_t scale = part.unit->nanoseconds;
  for (const char digit : part.fraction) {
    if (digit != '0' && (scale == 0 || scale % 10 != 0)) {
      return Error{in_quotes(text) + " is finer than a nanosecond; leave the last digits out"};
    }
    scale /= 10;
    if (__builtin_add_overflow(sum, (digit - '0') * scale, &sum)) return too_long(text);
  }
  return sum;
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
  if (text == "0") return Duration::zero();
  if (text.starts_with('-')) return Error{in_quotes(text) + ": a duration cannot be negative"};
  if (auto error = complain_of_separators(text)) return *error;
  std::int64_t sum = 0;
  const DurationUnit* former = nullptr;
  std::string_view rest = text;
  do {
    Result<DurationPart> part = take_part(text, rest, former);
    if (!part) return part.error();
    if (!part->fraction.empty() && !rest.empty()) {
      return Error{in_quotes(text) +
                   " has a fraction before its last unit; only the last may have one"};
    }
    if (former != nullptr && part->unit <= former) {
      return Error{in_quotes(text) +
                   " must have its units from large to small, each once, like 1h30m"};
    }
    former = part->unit;
    Result<std::int64_t> nanoseconds = nanoseconds_of(text, *part);
    if (!nanoseconds) return nanoseconds.error();
    if (__builtin_add_overflow(sum, *nanoseconds, &sum)) return too_long(text);
  } while (!rest.empty());
  if (Duration(sum) == kUnlimited) return too_long(text);
  return Duration(sum);
}

Result<std::uint64_t> parse_size(std::string_view text) {
  if (text.starts_with('-')) return Error{in_quotes(text) + ": a size cannot be negative"};
  if (auto error = complain_of_separators(text)) return *error;
  std::string_view unit = text;
  const std::string_view digits = take_while(unit, is_digit);
  if (digits.empty() || unit.starts_with('.')) {
    return Error{in_quotes(text) +
                 " is not a size; write a whole number, with a unit if need be, like 512 or 64KiB"};
  }
  const std::optional<std::uint64_t> number = whole_number(digits);
  int shift = unit.empty() || unit == "B" ? 0 : -1;
  for (const SizeUnit& known : kSizeUnits) {
    if (unit == known.name) shift = known.shift;
    // K, k, KB, kb, kib …
    const std::string given = lower(unit), right = lower(known.name);
    if (unit != known.name && !given.empty() && given[0] == right[0] &&
        (given.size() == 1 || given == right || given == right.substr(0, 1) + "b")) {
      return Error{in_quotes(text) + " has the unknown unit " + in_quotes(unit) + ": write " +
                   std::string(digits) + std::string(known.name)};
    }
  }
  if (shift < 0) {
    return Error{in_quotes(text) + " has the unknown unit " + in_quotes(unit) +
                 "; the units are KiB, MiB, GiB and TiB"};
  }
  const std::uint64_t bytes = number.value_or(0);
  if (!number || bytes > std::numeric_limits<std::uint64_t>::max() >> shift) {
    return Error{in_quotes(text) + " is too large for a size"};
  }
  return bytes << shift;
}

std::string format_duration(Duration duration) {
  if (duration == kUnlimited) return "off";
  if (duration == Duration::zero()) return "0s";
  if (duration < Duration::zero()) {
    return '-' + format_duration(-std::max(duration, Duration(1) - kUnlimited));
  }
  std::int64_t rest = duration.count();
  std::string text;
  for (const DurationUnit& unit : kDurationUnits) {
    if (rest < unit.nanoseconds) continue;
    text += std::to_string(rest / unit.nanoseconds);
    rest %= unit.nanoseconds;
    // Hours and minutes go on in the next unit, the smaller ones in decimals.
    if (rest > 0 && unit.nanoseconds <= 1'000'000'000) {
      std::string decimals = std::to_string(unit.nanoseconds + rest).substr(1);
      while (decimals.ends_with('0')) decimals.pop_back();
      text += '.' + decimals;
      rest = 0;
    }
    text += unit.name;
  }
  return text;
}

std::string format_size(std::uint64_t bytes) {
  for (const SizeUnit& unit : kSizeUnits) {
    if (bytes > 0 && bytes % (std::uint64_t{1} << unit.shift) == 0) {
      return std::to_string(bytes >> unit.shift) + std::string(unit.name);
    }
  }
  return std::to_string(bytes);
}

// Not from_chars: for floating point that needs the mathematical library, which a process that
// forks sessions had better not map.
std::optional<double> parse_real(const std::string& text) {
  constexpr std::string_view kDecimal = "+-.0123456789eE";
  if (text.empty() || text.find_first_not_of(kDecimal) != text.npos) return std::nullopt;
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  if (end != text.c_str() + text.size() || std::abs(number) > std::numeric_limits<double>::max()) {
    return std::nullopt;
  }
  return number;
}

}  // namespace berth
