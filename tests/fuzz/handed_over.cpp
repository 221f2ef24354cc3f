// Fuzz target: supervise/hand_over. The input is the state that a binary is given by the one whose
// place it takes.
#include <set>
#include <string>

#include "input.hpp"
#include "require.hpp"
#include "supervise/hand_over.hpp"

namespace berth::fuzz {
namespace {

void check_consistent(const HandedOver& state, std::string_view text) {
  std::set<int> seen = {0, 1, 2};
  for (const int descriptor : descriptors_of(state)) {
    require(descriptor > 2 && seen.insert(descriptor).second, "each descriptor is named once",
            text);
  }
  for (const auto& listener : state.listeners) {
    bool has_config = false;
    for (const auto& config : state.configs) {
      has_config = has_config || config.generation == listener.generation;
    }
    require(has_config, "each listener has its config", text);
    for (const auto& worker : listener.workers) {
      require(worker.pid == 0 || worker.pid > 1, "nobody else's process is taken for a worker",
              text);
    }
    for (const pid_t group : listener.groups) {
      require(group > 1, "no signal to a group goes to all the world", text);
    }
  }
}

}  // namespace
}  // namespace berth::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using berth::fuzz::require;
  const auto text = berth::fuzz::text_of(data, size);
  const auto state = berth::parse_handed_over(text);
  if (!state) {
    require(state.error().message.starts_with("cannot take over"), "a refusal says why", text);
    return 0;
  }
  berth::fuzz::check_consistent(state.value(), text);
  const std::string told = berth::to_text(state.value());
  const auto again = berth::parse_handed_over(told);
  require(bool(again) && again.value() == state.value(), "the state is understood as it was told",
          told);
  return 0;
}
