// Where handlers are found: NAME is NAME.so in the first of the plugin folders that has it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace berth {

// The file of a handler. The error lists the folders searched and the nearest name there is.
[[nodiscard]] Result<std::filesystem::path> find_handler(
    const std::string& name, const std::vector<std::filesystem::path>& folders);

// Every NAME.so in the folders, by folder and name; one that an earlier folder hides is left out.
[[nodiscard]] std::vector<std::filesystem::path> all_handlers(
    const std::vector<std::filesystem::path>& folders);

}  // namespace berth
