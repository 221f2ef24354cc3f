#include "report.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace berth::bench {
namespace {

using Row = std::vector<std::string>;

template <typename... Values>
std::string format(const char* pattern, Values... values) {
  std::array<char, 128> text;
  const int size = std::snprintf(text.data(), text.size(), pattern, values...);
  return {text.data(), static_cast<std::size_t>(size)};
}

std::string with_interval(const Estimate& ratio) {
  return format("%.3f (%.3f..%.3f)", ratio.median, ratio.low, ratio.high);
}

// Missed and met are said only where the interval leaves no doubt, and where the copy shows that
// the machine was quiet enough to tell.
std::string judged(const Estimate& ratio, const Estimate& noise, double goal, bool at_least) {
  if (goal == 0) return "";
  constexpr double kMostNoise = 0.03;
  const double worst = at_least ? ratio.low : ratio.high;
  const double best = at_least ? ratio.high : ratio.low;
  const auto meets = [&](double value) { return at_least ? value >= goal : value <= goal; };
  const bool noisy = noise.low < 1 - kMostNoise || noise.high > 1 + kMostNoise;
  const char* verdict = noisy ? "noisy" : meets(worst) ? "met" : meets(best) ? "unclear" : "missed";
  return format("%s %.2f: %s", at_least ? ">=" : "<=", goal, verdict);
}

const Measured* find_server(const Comparison& comparison, std::string_view name) {
  for (const Measured& server : comparison.servers) {
    if (server.server == name) return &server;
  }
  return nullptr;
}

std::string rate_text(const Comparison& comparison, const Measured& server) {
  if (comparison.workload.kind->kind != Kind::bulk) return format("%.0f/s", server.rate.median);
  constexpr double kGiga = 1e9;
  const auto bytes = static_cast<double>(comparison.workload.kind->message);
  return format("%.2f GB/s", server.rate.median * bytes / kGiga);
}

Row speed_row(const Comparison& comparison) {
  constexpr double kMicro = 1e6;
  const Measured& bare = comparison.servers.front();
  const Measured* copy = find_server(comparison, "copy");
  const Measured* host = find_server(comparison, "host");
  const Goals& goals = comparison.model->goals;
  const Kind kind = comparison.workload.kind->kind;
  const auto cpu_ratio = [](const Measured* server) {
    return server->cpu_ratio ? with_interval(*server->cpu_ratio) : std::string("n/a");
  };
  Row row{comparison.model->name, comparison.workload.title(), rate_text(comparison, bare)};
  row.push_back(host ? with_interval(host->rate_ratio) : "");
  row.push_back(host ? judged(host->rate_ratio, copy->rate_ratio, rate_goal(goals, kind), true)
                     : "");
  row.push_back(with_interval(copy->rate_ratio));
  row.push_back(bare.cpu_time ? format("%.2f us", bare.cpu_time->median * kMicro) : "n/a");
  row.push_back(host ? cpu_ratio(host) : "");
  row.push_back(host && host->cpu_ratio
                    ? judged(*host->cpu_ratio, *copy->cpu_ratio, cpu_goal(goals, kind), false)
                    : "");
  row.push_back(cpu_ratio(copy));
  return row;
}

Row memory_row(const Comparison& comparison) {
  const Goals& goals = comparison.model->goals;
  const Measured* host = find_server(comparison, "host");
  Row row{comparison.model->name, comparison.workload.title()};
  for (const char* name : {"bare", "copy", "host"}) {
    const Measured* server = find_server(comparison, name);
    row.push_back(server ? format("%.2f KiB", server->idle_memory / 1024) : "");
  }
  const double goal =
      std::max(goals.memory * comparison.servers.front().idle_memory, goals.memory_in_bytes);
  if (host == nullptr || goal == 0) {
    row.push_back("");
  } else {
    row.push_back(
        format("<= %.2f KiB: %s", goal / 1024, host->idle_memory <= goal ? "met" : "missed"));
  }
  return row;
}

// A column with nothing below its title is left out.
void drop_empty_columns(std::vector<Row>& rows) {
  for (std::size_t column = rows.front().size(); column-- > 0;) {
    const bool empty = std::all_of(rows.begin() + 1, rows.end(),
                                   [&](const Row& row) { return row[column].empty(); });
    if (!empty) continue;
    for (Row& row : rows) row.erase(row.begin() + static_cast<std::ptrdiff_t>(column));
  }
}

std::string table(std::vector<Row> rows, bool markdown) {
  drop_empty_columns(rows);
  std::vector<std::size_t> widths(rows.front().size());
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  const auto add_line = [&](const Row& row, char padding) {
    for (std::size_t i = 0; i < widths.size(); ++i) {
      if (markdown) text.append("|").append(1, padding);
      text.append(row[i]).append(widths[i] - row[i].size(), padding);
      text.append(markdown ? 1 : 2, padding);
    }
    text += markdown ? "|\n" : "\n";
  };
  add_line(rows.front(), ' ');
  if (markdown) add_line(Row(widths.size()), '-');
  for (std::size_t line = 1; line < rows.size(); ++line) add_line(rows[line], ' ');
  return text + "\n";
}

}  // namespace

std::string report(const std::vector<Comparison>& comparisons, bool markdown) {
  std::vector<Row> speed{{"model", "work", "bare", "host/bare", "goal", "copy/bare", "bare CPU",
                          "host/bare CPU", "goal", "copy/bare CPU"}};
  std::vector<Row> memory{{"model", "memory a connection", "bare", "copy", "host", "goal"}};
  std::vector<Row> syscalls{{"model", "work", "server", "system calls a message"}};
  for (const Comparison& comparison : comparisons) {
    if (comparison.workload.kind->kind == Kind::idle) {
      memory.push_back(memory_row(comparison));
      continue;
    }
    speed.push_back(speed_row(comparison));
    for (const Measured& server : comparison.servers) {
      if (server.syscalls.empty() || server.server == "copy") continue;
      syscalls.push_back(
          {comparison.model->name, comparison.workload.title(), server.server, server.syscalls});
    }
  }
  std::string text;
  for (const auto& rows : {speed, memory, syscalls}) {
    if (rows.size() > 1) text += table(rows, markdown);
  }
  return text;
}

}  // namespace berth::bench
