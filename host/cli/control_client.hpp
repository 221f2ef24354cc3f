// The client's side of the control socket.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.hpp"
#include "supervise/control_protocol.hpp"

namespace berth {

// Sends the request and waits for the answer, for as long as it takes: the line without its
// newline. The error says that no host runs there, or that it ended.
[[nodiscard]] Result<std::string> ask_host(const std::filesystem::path& socket,
                                           const ControlRequest& request);

}  // namespace berth
