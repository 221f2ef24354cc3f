#include "plugin/handler.hpp"

#include <array>
#include <string>

namespace berth {

Result<Handler> Handler::create(const berth_plugin& plugin, const BoundOptions& options) {
  std::array<char, 512> why{};
  const auto& settings = options.settings();
  const berth_creation creation = {.size = sizeof(berth_creation),
                                   .abi_minor = BERTH_ABI_MINOR,
                                   .settings = settings.data(),
                                   .count = settings.size(),
                                   .setting_size = sizeof(berth_setting),
                                   .error = why.data(),
                                   .error_size = why.size()};
  void* const object = plugin.create(&creation);
  if (object != nullptr) return Handler(plugin, object);
  why.back() = '\0';
  return Error{why.front() != '\0' ? why.data() : "it gives no reason"};
}

}  // namespace berth
