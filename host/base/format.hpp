// fmt::format, with its code in one place: it takes long to compile and would else be compiled
// anew in every file that formats.
#pragma once

#include <spdlog/fmt/fmt.h>

#include <string>

namespace berth {

[[nodiscard]] std::string vformat(fmt::string_view form, fmt::format_args args);

// Not named format, which would be ambiguous beside std::format. The form is checked against the
// arguments when it is compiled.
template <class... Args>
[[nodiscard]] std::string formatted(fmt::format_string<Args...> form, Args&&... args) {
  return berth::vformat(form, fmt::make_format_args(args...));
}

}  // namespace berth
