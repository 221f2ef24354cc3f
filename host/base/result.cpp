#include "base/result.hpp"

#include <system_error>

namespace berth {

Error system_error(const std::string& what, int errno_value) {
  return Error{what + ": " + std::generic_category().message(errno_value)};
}

}  // namespace berth
