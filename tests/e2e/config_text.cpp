#include "config_text.hpp"

#include <atomic>

#include "temp_folder.hpp"

namespace e2e {

std::string fresh_socket_path() {
  static const TempFolder folder;
  static std::atomic<int> count = 0;
  return folder / ("s" + std::to_string(++count));
}

}  // namespace e2e
