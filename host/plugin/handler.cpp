#include "plugin/handler.hpp"

#include <array>
#include <cstddef>
#include <string>

namespace berth {

namespace {

// What the plugin is given, and room for its reason.
class Creation {
 public:
  explicit Creation(const BoundOptions& options)
      : table_{.size = sizeof(berth_creation),
               .abi_minor = BERTH_ABI_MINOR,
               .settings = options.settings().data(),
               .count = options.settings().size(),
               .setting_size = sizeof(berth_setting),
               .error = why_.data(),
               .error_size = why_.size()} {}
  Creation(const Creation&) = delete;
  Creation& operator=(const Creation&) = delete;

  [[nodiscard]] const berth_creation* table() const { return &table_; }
  [[nodiscard]] Error refusal() {
    why_.back() = '\0';
    return Error{why_.front() != '\0' ? why_.data() : "it gives no reason"};
  }

 private:
  std::array<char, 512> why_{};
  berth_creation table_;
};

bool has_check(const berth_plugin& plugin) {
  return plugin.size >= offsetof(berth_plugin, check) + sizeof plugin.check &&
         plugin.check != nullptr;
}

}  // namespace

Result<void> check_settings(const berth_plugin& plugin, const BoundOptions& options) {
  if (!has_check(plugin)) return {};
  Creation creation(options);
  if (plugin.check(creation.table()) == 0) return {};
  return creation.refusal();
}

Result<Handler> Handler::create(const berth_plugin& plugin, const BoundOptions& options) {
  Creation creation(options);
  void* const object = plugin.create(creation.table());
  if (object != nullptr) return Handler(plugin, object);
  return creation.refusal();
}

}  // namespace berth
