// Fuzz target: config/. The input is a config file. Nothing of what it names is opened or loaded,
// but the file system is asked whether its folders are there.
#include "config/config.hpp"

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "input.hpp"
#include "mistakes.hpp"
#include "model/model.hpp"
#include "require.hpp"

namespace berth::fuzz {
namespace {

struct Read {
  HostSettings settings;
  std::vector<Diagnostic> mistakes;
};

// Whether the kernel has io_uring is tried in a child process for each listener that asks for it: a
// thousand times slower than all the rest, and not what is tested here.
std::string without_io_uring(std::string text) {
  constexpr std::string_view kName = "io_uring";
  for (auto at = text.find(kName); at != text.npos; at = text.find(kName, at)) text[at] = 'x';
  return text;
}

Read read(const std::string& text) {
  Diagnostics problems("berth.yaml");
  Read result;
  result.settings = config_from_text(text, "/nonexistent-berth/conf/berth.yaml", problems);
  result.mistakes = problems.sorted();
  return result;
}

void check_listener(const ListenerSettings& listener, std::string_view text) {
  const std::string& name = listener.name;
  require(!name.empty() && !listener.listen.empty() && !listener.handler.empty(),
          "a listener without mistakes is whole", name);
  const ModelRow* const model = find_model(listener.model);
  require(model != nullptr, "its model is there", name);
  require(model->objection == nullptr || !model->objection(listener), "its model can serve it",
          name);
  require(listener.workers >= 1 && listener.workers <= listener.max_connections,
          "each worker may serve somebody", name);
  require(listener.backlog >= 1 && listener.idle_timeout > Duration::zero() &&
              listener.drain_timeout >= Duration::zero() &&
              listener.heartbeat_timeout >= std::chrono::seconds(1),
          "its numbers are of use", name);
  require(listener.where.listen.size() == listener.listen.size(), "each address has its place",
          name);
  std::vector<Position> places = listener.where.listen;
  const auto& where = listener.where;
  places.insert(places.end(), {where.name, where.model, where.handler, where.options});
  for (const OptionSetting& option : listener.options) {
    places.insert(places.end(), {option.where, option.value.where});
  }
  for (const Position& place : places) {
    require(is_within(text, place), "what a listener has stands in the file", name);
  }
}

void check_usable(const HostSettings& settings, std::string_view text) {
  require(!settings.listeners.empty(), "a config without mistakes serves something", text);
  require(!settings.plugin_folders.empty(), "a config without mistakes has plugin folders", text);
  for (const auto& folder : settings.plugin_folders) {
    require(folder.is_absolute(), "a plugin folder can be found from anywhere", folder.string());
  }
  for (const ListenerSettings& listener : settings.listeners) check_listener(listener, text);
}

// A comment above all else changes nothing but the lines.
void check_moves_down(const Read& first, const std::string& text) {
  // What begins a file may say how it is encoded.
  if (text.starts_with("\xef\xbb\xbf")) return;
  const Read moved = read("# a comment\n" + text);
  const auto places = [](const std::vector<Diagnostic>& mistakes, int down) {
    std::vector<Position> all;
    for (const auto& [where, message] : mistakes) {
      all.push_back(where.line > 0 ? Position{where.line + down, where.column} : where);
    }
    std::sort(all.begin(), all.end());
    return all;
  };
  require(places(moved.mistakes, 0) == places(first.mistakes, 1),
          "a comment above moves all mistakes down by a line", text);
  require(moved.settings.listeners.size() == first.settings.listeners.size(),
          "a comment above changes no listener", text);
}

}  // namespace
}  // namespace berth::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace berth;
  const std::string text = fuzz::without_io_uring(std::string(fuzz::text_of(data, size)));
  const fuzz::Read result = fuzz::read(text);
  fuzz::require_well_told(result.mistakes, text);
  if (result.mistakes.empty()) fuzz::check_usable(result.settings, text);
  fuzz::check_moves_down(result, text);
  return 0;
}
