#include "server.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <thread>

#include "base/clock.hpp"
#include "failure.hpp"
#include "process_tree.hpp"

namespace berth::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::optional<std::uint16_t> find_port(const std::string& output, const std::string& before) {
  const std::size_t at = output.find(before);
  if (at == std::string::npos) return std::nullopt;
  const char* const from = output.data() + at + before.size();
  const char* const end = output.data() + output.size();
  std::uint16_t port = 0;
  const auto [stop, error] = std::from_chars(from, end, port);
  // A number at the very end may be the first half of one.
  if (error != std::errc{} || stop == end) return std::nullopt;
  return port;
}

}  // namespace

Server::Server(std::string name, const Command& command, int core)
    : name_(std::move(name)), pid_(spawn(command.arguments, output_, core)) {
  try {
    await_port(command);
  } catch (...) {
    stop();
    throw;
  }
}

Server::~Server() { stop(); }

void Server::await_port(const Command& command) {
  const TimePoint give_up = Clock::now() + seconds(10);
  for (;;) {
    const bool ended = has_ended(pid_);  // asked first, so that its last words are seen
    if (const auto port = find_port(output(), command.before_port)) {
      port_ = *port;
      return;
    }
    if (ended || Clock::now() >= give_up) {
      std::string line;
      for (const std::string& argument : command.arguments) line += " " + argument;
      throw Failure(name_ + (ended ? " ended" : " named no port within ten seconds") +
                    ", started as" + line + "\nIt wrote:\n" + output());
    }
    std::this_thread::sleep_for(milliseconds(1));
  }
}

// Asked first, then forced: the root with all its descendants, of which those that lost their
// parent have come to the benchmark, their subreaper.
void Server::stop() noexcept {
  const std::vector<pid_t> tree = process_tree(pid_);
  kill(pid_, SIGTERM);
  const TimePoint force = Clock::now() + seconds(3);
  while (!has_ended(pid_) && Clock::now() < force) std::this_thread::sleep_for(milliseconds(1));
  // Asked anew which of them are left: a number may stand for another process by now.
  for (const pid_t pid : process_tree(getpid())) {
    if (std::find(tree.begin(), tree.end(), pid) != tree.end()) kill(pid, SIGKILL);
  }
  const TimePoint give_up = Clock::now() + seconds(3);
  for (const pid_t pid : tree) {
    while (waitpid(pid, nullptr, WNOHANG) == 0 && Clock::now() < give_up) {
      std::this_thread::sleep_for(milliseconds(1));
    }
  }
}

}  // namespace berth::bench
