// What may be the name of a listener or of a handler. Plain functions.
#pragma once

#include <string>
#include <string_view>

namespace berth {

// Why `text` cannot name a listener, as a message; empty if it can.
[[nodiscard]] std::string objection_to_listener_name(std::string_view text);

// Why `text` cannot name a handler, as a message; empty if it can. A file (`./echo.so`) is told how
// the handler in it is named.
[[nodiscard]] std::string objection_to_handler_name(std::string_view text);

}  // namespace berth
