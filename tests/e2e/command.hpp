// `berth` run to its end, as from a shell: its exit status and what it wrote.
#pragma once

#include <string>
#include <vector>

namespace e2e {

struct Outcome {
  int status;  // the number of the signal that killed it, negated
  std::string out;
  std::string err;
};

[[nodiscard]] Outcome berth(const std::vector<std::string>& arguments,
                            const std::vector<std::string>& environment = {});

// The same for any program; the first word is its file.
[[nodiscard]] Outcome run_program(const std::vector<std::string>& command,
                                  const std::vector<std::string>& environment = {});

[[nodiscard]] inline bool has(const std::string& text, const std::string& words) {
  return text.find(words) != std::string::npos;
}

}  // namespace e2e
