#include "config/names.hpp"

#include <algorithm>

#include "base/source.hpp"

namespace berth {
namespace {

constexpr std::size_t kLongestName = 64;

bool is_name(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  });
}

// Why `text` is no name of a listener or handler; empty if it is one.
std::string objection_to_name(std::string_view key, std::string_view text) {
  const std::string named = "'" + std::string(key) + "'";
  if (!is_name(text)) {
    return named + " takes letters, digits, '_', '-' and '.', not " + in_quotes(text);
  }
  if (text.size() > kLongestName) {
    return named + " takes no more than " + std::to_string(kLongestName) + " characters, not " +
           std::to_string(text.size());
  }
  return "";
}

}  // namespace

std::string objection_to_listener_name(std::string_view text) {
  return objection_to_name("name", text);
}

std::string objection_to_handler_name(std::string_view text) {
  const auto slash = text.rfind('/');
  const bool is_path = slash != std::string_view::npos;
  std::string_view name = is_path ? text.substr(slash + 1) : text;
  const bool is_file = name.ends_with(".so");
  if (is_file) name.remove_suffix(3);
  if (!is_path && !is_file) {
    if (text.starts_with('.')) return "'handler' cannot begin with '.': " + in_quotes(text);
    return objection_to_name("handler", text);
  }
  std::string message = "'handler' is a name, not a file: " + in_quotes(text);
  if (name.empty() || !is_name(name) || name.starts_with('.')) return message;
  message += "; write " + std::string(name);
  return is_path ? message + ", and its folder under 'plugins:'" : message;
}

}  // namespace berth
