#include "cli/status.hpp"

#include <nlohmann/json.hpp>
#include <vector>

#include "base/format.hpp"

namespace berth {

namespace {

using Json = nlohmann::json;
using Line = std::vector<std::string>;

std::string joined(const Json& texts) {
  std::string all;
  for (const Json& text : texts) all += (all.empty() ? "" : " ") + text.get<std::string>();
  return all;
}

void add_listener(const Json& listener, std::vector<Line>& lines) {
  std::uint64_t accepted = 0;
  std::uint64_t open = 0;
  std::uint64_t denied = 0;
  unsigned restarts = 0;
  std::string workers;
  for (const Json& worker : listener.at("workers")) {
    accepted += worker.at("accepted").get<std::uint64_t>();
    open += worker.at("open").get<std::uint64_t>();
    for (const char* why : {"denied_by_address", "denied_per_source"}) {
      denied += worker.at(why).get<std::uint64_t>();
    }
    restarts += worker.at("restarts").get<unsigned>();
    const int pid = worker.at("pid").get<int>();
    const auto state = worker.at("state").get<std::string>();
    workers += (workers.empty() ? "" : " ") + (pid > 0 ? std::to_string(pid) : state);
  }
  lines.push_back({listener.at("name").get<std::string>(),
                   std::to_string(listener.at("generation").get<unsigned>()),
                   listener.at("state").get<std::string>(), listener.at("model").get<std::string>(),
                   listener.at("handler").get<std::string>(), std::to_string(open),
                   std::to_string(accepted), std::to_string(denied), std::to_string(restarts),
                   workers, joined(listener.at("addresses"))});
}

std::string table(const std::vector<Line>& lines) {
  std::vector<std::size_t> widths(lines[0].size(), 0);
  for (const Line& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  std::string text;
  for (const Line& line : lines) {
    std::string row;
    for (std::size_t i = 0; i < line.size(); ++i) {
      row += formatted("{:<{}}  ", line[i], widths[i]);
    }
    row.erase(row.find_last_not_of(' ') + 1);
    text += row + "\n";
  }
  return text;
}

}  // namespace

std::string status_text(const Json& status) {
  std::vector<Line> lines = {{"listener", "generation", "state", "model", "handler", "open",
                              "accepted", "denied", "restarts", "workers", "addresses"}};
  for (const Json& listener : status.at("listeners")) add_listener(listener, lines);
  return formatted("berth {} (pid {}), {}: generation {} of {}\n\n{}",
                   status.at("version").get<std::string>(), status.at("pid").get<int>(),
                   status.at("state").get<std::string>(), status.at("generation").get<unsigned>(),
                   status.at("config").get<std::string>(), table(lines));
}

}  // namespace berth
