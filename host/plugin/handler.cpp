#include "plugin/handler.hpp"

#include <array>
#include <string>

namespace berth {

Result<Handler> Handler::create(const berth_plugin& plugin, const BoundOptions& options) {
  std::array<char, 512> why{};
  const auto& settings = options.settings();
  void* const object = plugin.create(settings.data(), settings.size(), sizeof(berth_setting),
                                     why.data(), why.size());
  if (object != nullptr) return Handler(plugin, object);
  why.back() = '\0';
  return Error{why.front() != '\0' ? why.data() : "it gives no reason"};
}

}  // namespace berth
