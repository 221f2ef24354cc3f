// The client's side of the control socket.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.hpp"
#include "supervise/control_protocol.hpp"

namespace berth {

// Sends the request and waits for the answer: the line without its newline. What is only to be told
// is told at once, or the host hangs; anything else takes as long as it takes. The error says that
// no host runs there, that it ended, or that it does not answer.
[[nodiscard]] Result<std::string> ask_host(const std::filesystem::path& socket,
                                           const ControlRequest& request);

}  // namespace berth
