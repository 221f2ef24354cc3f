// What passes over the control socket: one line of JSON each way. A request is
// {"command": "drain", "listener": "web"}; an answer {"ok": true, "message": "…"} or
// {"ok": false, "error": "…"}, for `status` with {"status": {…}} besides.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace berth {

enum class ControlCommand { status, reload, upgrade, drain, resume, stop };

struct ControlRequest {
  ControlCommand command = ControlCommand::status;
  std::string listener;  // of drain and resume
  bool at_once = false;  // of stop: without a drain

  bool operator==(const ControlRequest&) const = default;
};

// A request of more bytes is refused.
constexpr std::size_t kLongestRequest = 4096;

// Without the newline. The error is for whoever sent it.
[[nodiscard]] Result<ControlRequest> parse_request(std::string_view line);
[[nodiscard]] std::string to_line(const ControlRequest& request);

// Lines with their newlines. Text may hold anything; what is not UTF-8 is replaced.
[[nodiscard]] std::string answer_ok(std::string_view message);
[[nodiscard]] std::string answer_error(std::string_view error);

}  // namespace berth
