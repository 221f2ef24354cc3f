// A handler in a worker: the plugin's table and the one object that it made. Never unloaded: code
// that may still run somewhere must not go.
#pragma once

#include <berth/abi.h>

#include "base/result.hpp"
#include "plugin/options.hpp"

namespace berth {

// Asks the plugin whether it would take these; the error is what it says. One that is built for an
// earlier version, or that has nothing to say, takes all.
[[nodiscard]] Result<void> check_settings(const berth_plugin& plugin, const BoundOptions& options);

class Handler {
 public:
  // Calls the plugin's create(). The error is what the plugin says.
  [[nodiscard]] static Result<Handler> create(const berth_plugin& plugin,
                                              const BoundOptions& options);

  Handler(Handler&& other) noexcept
      : plugin_(other.plugin_), object_(std::exchange(other.object_, nullptr)) {}
  Handler& operator=(Handler&&) = delete;
  ~Handler() {
    if (object_ != nullptr) plugin_.destroy(object_);
  }

  // Hands over a connection. Any thread.
  void serve(berth_connection& connection) const { plugin_.serve(object_, &connection); }

 private:
  Handler(const berth_plugin& plugin, void* object) : plugin_(plugin), object_(object) {}

  const berth_plugin& plugin_;
  void* object_;
};

}  // namespace berth
