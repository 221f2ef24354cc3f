#include <cstdio>
#include <string>

#include "cli/commands.hpp"
#include "model/model.hpp"

namespace berth {

namespace {

void show(const ModelRow& row) {
  const auto line = [](const char* what, std::string_view text) {
    std::printf("  %-9s %s\n", what, std::string(text).c_str());
  };
  std::printf("%s: %s\n", std::string(row.name).c_str(), std::string(row.summary).c_str());
  line("isolates", row.isolates);
  line("shares", row.shares);
  line("costs", row.costs);
  line("choose", row.choose);
}

}  // namespace

int models_command() {
  for (const ModelRow* row : model_table()) show(*row);
  return kExitFine;
}

}  // namespace berth
