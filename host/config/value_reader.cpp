#include "config/value_reader.hpp"

#include <algorithm>
#include <charconv>

#include "base/ascii.hpp"
#include "base/quantities.hpp"

namespace berth {
namespace {

std::string named(std::string_view key) { return "'" + std::string(key) + "'"; }

// The text of a scalar, which all single values are.
std::optional<std::string_view> scalar_of(const YamlNode& node, std::string_view key,
                                          std::string_view what, Diagnostics& problems) {
  if (node.kind == YamlNode::Kind::scalar) return node.scalar;
  problems.add(node.where, named(key) + " must be " + std::string(what) + ", not " +
                               std::string(kind_name(node)));
  return std::nullopt;
}

// How a number that is written in one of YAML's or C's other ways is written here.
std::string digits_meant(std::string_view text) {
  std::string digits;
  for (const char c : text) {
    if (c != '_' && c != ',' && c != ' ' && c != '\'') digits += c;
  }
  if (digits.starts_with('+')) digits.erase(0, 1);
  if (is_digits(digits)) {
    digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size() - 1));
    return digits;
  }
  const double number = parse_real(digits).value_or(-1);
  const bool whole =
      number >= 0 && number < 1e9 && number == static_cast<double>(static_cast<long>(number));
  return whole ? std::to_string(static_cast<long>(number)) : "";
}

std::string not_a_number(std::string_view key, std::string_view text) {
  std::string message = named(key) + " must be a whole number, not " + in_quotes(text);
  const std::string meant = digits_meant(text);
  return meant.empty() ? message : message + "; write " + meant;
}

}  // namespace

std::optional<std::string> read_text(const YamlNode& node, std::string_view key,
                                     std::string_view what, Diagnostics& problems) {
  const auto text = scalar_of(node, key, what, problems);
  if (!text) return std::nullopt;
  if (text->empty()) {
    problems.add(node.where, named(key) + " is empty; it must be " + std::string(what));
    return std::nullopt;
  }
  return std::string(*text);
}

std::optional<std::uint32_t> read_number(const YamlNode& node, std::string_view key,
                                         std::uint32_t least, std::uint32_t most,
                                         Diagnostics& problems) {
  const auto text = scalar_of(node, key, "a whole number", problems);
  if (!text) return std::nullopt;
  const bool negative = text->starts_with('-') && is_digits(text->substr(1));
  // A leading 0 once meant octal, so that readers of the file may differ about it.
  if (!negative && (!is_digits(*text) || (text->size() > 1 && text->starts_with('0')))) {
    problems.add(node.where, not_a_number(key, *text));
    return std::nullopt;
  }
  std::uint32_t number = 0;
  const auto error = std::from_chars(text->data(), text->data() + text->size(), number).ec;
  if (negative || error != std::errc{} || number < least || number > most) {
    problems.add(node.where, named(key) + " must be from " + std::to_string(least) + " to " +
                                 std::to_string(most) + ", not " + in_quotes(*text));
    return std::nullopt;
  }
  return number;
}

std::optional<bool> read_switch(const YamlNode& node, std::string_view key, Diagnostics& problems) {
  const auto text = scalar_of(node, key, "true or false", problems);
  if (!text) return std::nullopt;
  if (*text == "true" || *text == "false") return *text == "true";
  constexpr std::string_view kYes[] = {"yes", "Yes", "YES",  "on",   "On", "ON",
                                       "y",   "Y",   "True", "TRUE", "1"};
  constexpr std::string_view kNo[] = {"no", "No", "NO",    "off",   "Off", "OFF",
                                      "n",  "N",  "False", "FALSE", "0"};
  std::string message = named(key) + " must be true or false, not " + in_quotes(*text);
  if (std::find(std::begin(kYes), std::end(kYes), *text) != std::end(kYes)) {
    message += "; write true";
  } else if (std::find(std::begin(kNo), std::end(kNo), *text) != std::end(kNo)) {
    message += "; write false";
  }
  problems.add(node.where, message);
  return std::nullopt;
}

std::optional<Duration> read_duration(const YamlNode& node, std::string_view key, DurationRule rule,
                                      Diagnostics& problems) {
  const auto text = scalar_of(node, key, "a duration like 250ms, 5s or 1h30m", problems);
  if (!text) return std::nullopt;
  if (*text == "off" && rule.may_be_off) return kUnlimited;
  const Result<Duration> duration = parse_duration(*text);
  if (*text == "off") {
    problems.add(node.where, named(key) + " cannot be off; it must be a duration like 30s");
  } else if (!duration) {
    problems.add(node.where, named(key) + ": " + duration.error().message);
  } else if (duration.value() < rule.least) {
    // The least of what must be more than nothing would be a nanosecond, which nobody means.
    const bool above_zero = rule.least <= Duration(1);
    problems.add(node.where,
                 named(key) + " must be " +
                     (above_zero ? "more than 0" : "at least " + format_duration(rule.least)) +
                     (rule.may_be_off ? ", or off" : "") + ", not " + in_quotes(*text));
  } else {
    return duration.value();
  }
  return std::nullopt;
}

std::optional<std::uint64_t> read_size(const YamlNode& node, std::string_view key,
                                       std::uint64_t least, Diagnostics& problems) {
  const auto text = scalar_of(node, key, "a size like 256MiB", problems);
  if (!text) return std::nullopt;
  const Result<std::uint64_t> size = parse_size(*text);
  if (!size) {
    problems.add(node.where, named(key) + ": " + size.error().message);
  } else if (size.value() < least) {
    problems.add(node.where, named(key) + " must be at least " + format_size(least) + ", not " +
                                 in_quotes(*text));
  } else {
    return size.value();
  }
  return std::nullopt;
}

std::optional<std::size_t> read_choice(const YamlNode& node, std::string_view key,
                                       const std::vector<std::string>& words,
                                       Diagnostics& problems) {
  const auto text = scalar_of(node, key, one_of(words), problems);
  if (!text) return std::nullopt;
  const auto found = std::find(words.begin(), words.end(), *text);
  if (found == words.end()) {
    problems.add(node.where, named(key) + " must be " + one_of(words) + ", not " +
                                 in_quotes(*text) + did_you_mean(*text, words));
    return std::nullopt;
  }
  return static_cast<std::size_t>(found - words.begin());
}

std::vector<const YamlNode*> read_one_or_more(const YamlNode& node, std::string_view key,
                                              std::string_view what, Diagnostics& problems) {
  if (node.kind != YamlNode::Kind::list) return {&node};
  if (node.items.empty()) {
    problems.add(node.where, named(key) + " is an empty list; it must have " + std::string(what));
  }
  std::vector<const YamlNode*> items;
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    if (node.items[i].kind == YamlNode::Kind::null) {
      problems.add(node.items[i].where,
                   "entry " + std::to_string(i + 1) + " of " + named(key) + " is empty");
    } else {
      items.push_back(&node.items[i]);
    }
  }
  return items;
}

}  // namespace berth
