// What `berth status` prints.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace berth {

// A table for people, of what the host says of itself (supervise/supervisor_control.cpp).
[[nodiscard]] std::string status_text(const nlohmann::json& status);

}  // namespace berth
