#include "base/format.hpp"

namespace berth {

std::string vformat(fmt::string_view form, fmt::format_args args) {
  return fmt::vformat(form, args);
}

}  // namespace berth
