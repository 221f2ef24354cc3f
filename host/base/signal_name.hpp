#pragma once

#include <string>

namespace berth {

// "SIGSEGV", "SIGKILL", …; "signal 99" for one without a name.
[[nodiscard]] std::string signal_name(int signal);

}  // namespace berth
