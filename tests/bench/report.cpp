#include "report.hpp"

#include <algorithm>

#include "table.hpp"

namespace berth::bench {
namespace {

constexpr double kMicro = 1e6, kMilli = 1e3, kGiga = 1e9, kKibi = 1024;

std::string with_interval(const Estimate& ratio) {
  return format("%.3f (%.3f..%.3f)", ratio.median, ratio.low, ratio.high);
}

const char* verdict(const Estimate& value, double goal, bool at_least) {
  const double worst = at_least ? value.low : value.high;
  const double best = at_least ? value.high : value.low;
  const auto meets = [&](double number) { return at_least ? number >= goal : number <= goal; };
  return meets(worst) ? "met" : meets(best) ? "unclear" : "missed";
}

// Missed and met are said only where the interval leaves no doubt, and where the copy shows that
// the machine was quiet enough to tell.
std::string judged(const Estimate& ratio, const Estimate& noise, double goal, bool at_least) {
  if (goal == 0) return "";
  constexpr double kMostNoise = 0.03;
  const bool noisy = noise.low < 1 - kMostNoise || noise.high > 1 + kMostNoise;
  return format("%s %.2f: %s", at_least ? ">=" : "<=", goal,
                noisy ? "noisy" : verdict(ratio, goal, at_least));
}

std::string rate_text(const Comparison& comparison, const Measured& server) {
  const double rate = estimate_of(server, &Sample::rate).median;
  if (comparison.workload.kind->kind != Kind::bulk) return format("%.0f/s", rate);
  const auto bytes = static_cast<double>(comparison.workload.kind->message);
  return format("%.2f GB/s", rate * bytes / kGiga);
}

std::string cpu_text(const Comparison& comparison, const Measured& server) {
  if (!comparison.cpu_time_known()) return "n/a";
  return format("%.2f us", estimate_of(server, &Sample::cpu_time).median * kMicro);
}

std::string subject(const Comparison& comparison) {
  const std::string name = comparison.subject.name();
  if (comparison.workers == 1) return name;
  return name + format(", %d workers", comparison.workers);
}

// The host beside one of the bare servers, the reference or the rival. How noisy it was the copy
// shows beside the reference; beside the rival it shows how the two bare servers stand.
Row speed_row(const Comparison& comparison, const Measured& bare, const std::string& name,
              const Goals& goals) {
  const Measured& reference = comparison.servers.front();
  const Measured& copy = *comparison.find("copy");
  const Measured* host = comparison.find("host");
  const Kind kind = comparison.workload.kind->kind;
  const Estimate noise = ratio_of(copy, reference, &Sample::rate);
  Row row{name, comparison.workload.title(), rate_text(comparison, bare)};
  if (host != nullptr) {
    const Estimate ratio = ratio_of(*host, bare, &Sample::rate);
    row.push_back(with_interval(ratio));
    row.push_back(judged(ratio, noise, rate_goal(goals, kind), true));
  } else {
    row.insert(row.end(), 2, "");
  }
  row.push_back(with_interval(ratio_of(copy, bare, &Sample::rate)));
  row.push_back(cpu_text(comparison, bare));
  if (!comparison.cpu_time_known()) {
    row.insert(row.end(), {host != nullptr ? "n/a" : "", "", "n/a"});
    return row;
  }
  const Estimate cpu_noise = ratio_of(copy, reference, &Sample::cpu_time);
  if (host != nullptr) {
    const Estimate ratio = ratio_of(*host, bare, &Sample::cpu_time);
    row.push_back(with_interval(ratio));
    row.push_back(judged(ratio, cpu_noise, cpu_goal(goals, kind), false));
  } else {
    row.insert(row.end(), 2, "");
  }
  row.push_back(with_interval(ratio_of(copy, bare, &Sample::cpu_time)));
  return row;
}

Row memory_row(const Comparison& comparison) {
  const Goals& goals = comparison.subject.model->goals;
  const Measured* host = comparison.find("host");
  Row row{subject(comparison), comparison.workload.title()};
  for (const char* name : {"bare", "copy", "host"}) {
    const Measured* server = comparison.find(name);
    row.push_back(server ? format("%.2f KiB", server->idle_memory / kKibi) : "");
  }
  const double goal =
      std::max(goals.memory * comparison.servers.front().idle_memory, goals.memory_in_bytes);
  const bool judge = host != nullptr && goal != 0;
  row.push_back(
      judge ? format("<= %.2f KiB: %s", goal / kKibi, host->idle_memory <= goal ? "met" : "missed")
            : "");
  return row;
}

const Peer* member_called(const Field& field, const std::string& name) {
  for (const Peer& peer : field.members) {
    if (name == peer.name) return &peer;
  }
  return nullptr;
}

// One server in a field: how it stands to the reference, and how far the host's epoll is ahead of
// it.
Row field_row(const Comparison& comparison, const Measured& server) {
  const Measured& reference = comparison.servers.front();
  const Measured* host = comparison.find("host epoll");
  const Peer* peer = member_called(*comparison.subject.field, server.server);
  Row row{server.server, peer != nullptr ? peer->concurrency : ""};
  if (comparison.workload.kind->kind == Kind::idle) {
    row.push_back(format("%.2f KiB", server.idle_memory / kKibi));
    return row;
  }
  row.push_back(rate_text(comparison, server));
  row.push_back(with_interval(ratio_of(server, reference, &Sample::rate)));
  row.push_back(cpu_text(comparison, server));
  row.push_back(with_interval(ratio_of(server, reference, &Sample::cpu_time)));
  if (host == nullptr || peer == nullptr) {
    row.insert(row.end(), 3, "");
    return row;
  }
  const Estimate ahead = ratio_of(*host, server, &Sample::rate);
  const Estimate noise = ratio_of(*comparison.find("copy"), reference, &Sample::rate);
  row.push_back(with_interval(ahead));
  row.push_back(peer->to_be_beaten ? judged(ahead, noise, 1, true) : "");
  row.push_back(with_interval(ratio_of(*host, server, &Sample::cpu_time)));
  return row;
}

std::string io_uring_to_epoll(const Comparison& comparison) {
  const Measured* epoll = comparison.find("host epoll");
  const Measured* io_uring = comparison.find("host io_uring");
  if (epoll == nullptr || io_uring == nullptr) return "";
  const Estimate ahead = ratio_of(*io_uring, *epoll, &Sample::rate);
  const Estimate noise =
      ratio_of(*comparison.find("copy"), comparison.servers.front(), &Sample::rate);
  return "host io_uring/host epoll: rate " + with_interval(ahead) + ", " +
         judged(ahead, noise, 1, true) + "; CPU " +
         with_interval(ratio_of(*io_uring, *epoll, &Sample::cpu_time)) + "\n\n";
}

std::string field_table(const Comparison& comparison, bool markdown) {
  const bool idle = comparison.workload.kind->kind == Kind::idle;
  const std::string to_reference = "/" + comparison.servers.front().server;
  std::vector<Row> rows{idle ? Row{"server", "concurrency", "memory a connection"}
                             : Row{"server", "concurrency", "rate", to_reference, "CPU",
                                   "CPU" + to_reference, "host epoll/it", "goal",
                                   "host epoll/it CPU"}};
  for (const Measured& server : comparison.servers) rows.push_back(field_row(comparison, server));
  return comparison.workload.title() + "\n\n" + table(std::move(rows), markdown) +
         (idle ? "" : io_uring_to_epoll(comparison));
}

// " to bare_fork", where the reference is not the bare server of the same model.
std::string unless_its_own(const Model& model) {
  const std::string reference = model.reference;
  std::string own = model.name;
  std::replace(own.begin(), own.end(), '-', '_');
  const std::size_t start = reference.size() < own.size() ? 0 : reference.size() - own.size();
  return reference.substr(start) == own ? "" : " to " + reference;
}

std::string tables_of_models(const std::vector<Comparison>& comparisons, bool markdown) {
  std::vector<Row> speed{{"model", "work", "bare", "host/bare", "goal", "copy/bare", "bare CPU",
                          "host/bare CPU", "goal", "copy/bare CPU"}};
  std::vector<Row> memory{{"model", "memory a connection", "bare", "copy", "host", "goal"}};
  for (const Comparison& comparison : comparisons) {
    if (comparison.subject.model == nullptr) continue;
    const Model& model = *comparison.subject.model;
    if (comparison.workload.kind->kind == Kind::idle) {
      memory.push_back(memory_row(comparison));
      continue;
    }
    const std::string name = subject(comparison);
    speed.push_back(speed_row(comparison, comparison.servers.front(), name + unless_its_own(model),
                              model.goals));
    if (const Measured* rival = comparison.find("rival")) {
      speed.push_back(
          speed_row(comparison, *rival, name + " to " + model.rival, model.rival_goals));
    }
  }
  std::string text;
  for (const auto& rows : {speed, memory}) {
    if (rows.size() > 1) text += table(rows, markdown);
  }
  return text;
}

std::string table_of_syscalls(const std::vector<Comparison>& comparisons, bool markdown) {
  std::vector<Row> rows{{"model", "work", "server", "system calls a message"}};
  for (const Comparison& comparison : comparisons) {
    for (const Measured& server : comparison.servers) {
      if (server.syscalls.empty() || server.server == "copy") continue;
      rows.push_back(
          {subject(comparison), comparison.workload.title(), server.server, server.syscalls});
    }
  }
  return rows.size() > 1 ? table(rows, markdown) : "";
}

}  // namespace

std::string report(const Results& results, bool markdown) {
  std::string text = tables_of_models(results.comparisons, markdown);
  for (const Comparison& comparison : results.comparisons) {
    if (comparison.subject.field != nullptr) text += field_table(comparison, markdown);
    for (const std::string& line : comparison.left_out) text += "left out: " + line + "\n";
    if (!comparison.left_out.empty()) text += "\n";
  }
  text += table_of_syscalls(results.comparisons, markdown);
  if (results.start) {
    const Estimate& start = *results.start;
    text += format(
        "from start to a reply of each of four listeners: %.1f ms (%.1f..%.1f), goal <= "
        "%.0f ms: %s\n",
        start.median * kMilli, start.low * kMilli, start.high * kMilli, kStartGoal * kMilli,
        verdict(start, kStartGoal, false));
  }
  return text;
}

}  // namespace berth::bench
