// Writing to a file or a pipe until all is written.
#pragma once

#include <string_view>

namespace berth {

// Goes on after interruptions and short writes, and waits for room where the descriptor, which
// others may share, is non-blocking. 0, or the errno of what could not be written.
[[nodiscard]] int write_all(int descriptor, std::string_view bytes);

}  // namespace berth
