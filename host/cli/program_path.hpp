// Where the program that runs was found, so that the next version can be found there.
#pragma once

#include <filesystem>

namespace berth {

// As it was called: symbolic links are kept, since an upgrade may point them elsewhere. To be
// called before the working folder changes, if ever it does.
[[nodiscard]] std::filesystem::path program_path();

}  // namespace berth
