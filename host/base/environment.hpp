// What a service manager tells by environment variables is for this process alone.
#pragma once

#include <cstdlib>
#include <string>

namespace berth {

// The variable's value, "" where it is not set; programs that are started later do not inherit it.
// While no other thread runs (man 3 getenv).
[[nodiscard]] inline std::string take_variable(const char* name) {
  const char* const value = std::getenv(name);
  std::string text = value == nullptr ? "" : value;
  ::unsetenv(name);
  return text;
}

}  // namespace berth
