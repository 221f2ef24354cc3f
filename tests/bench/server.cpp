#include "server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <thread>

#include "base/clock.hpp"
#include "base/fd.hpp"
#include "failure.hpp"
#include "process_tree.hpp"

namespace berth::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// 0 if there is none.
std::uint16_t find_port(const std::string& output, const std::string& before) {
  const std::size_t at = output.find(before);
  if (at == std::string::npos) return 0;
  const char* const from = output.data() + at + before.size();
  const char* const end = output.data() + output.size();
  std::uint16_t port = 0;
  const auto [stop, error] = std::from_chars(from, end, port);
  // A number at the very end may be the first half of one.
  return error != std::errc{} || stop == end ? std::uint16_t{0} : port;
}

bool accepts_connections(std::uint16_t port) {
  const Fd client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

}  // namespace

Server::Server(std::string name, const Command& command, const std::vector<int>& cores)
    : name_(std::move(name)), pid_(spawn(command.arguments, output_, cores)) {
  try {
    await_port(command);
  } catch (...) {
    stop();
    throw;
  }
}

Server::~Server() { stop(); }

std::uint16_t Server::look_for_port(const Command& command) const {
  if (command.port == 0) return find_port(output(), command.before_port);
  return accepts_connections(command.port) ? command.port : std::uint16_t{0};
}

void Server::await_port(const Command& command) {
  const TimePoint give_up = Clock::now() + seconds(10);
  for (;;) {
    const bool ended = has_ended(pid_);  // asked first, so that its last words are seen
    port_ = look_for_port(command);
    if (port_ != 0) return;
    if (ended || Clock::now() >= give_up) {
      std::string line;
      for (const std::string& argument : command.arguments) line += " " + argument;
      throw Failure(name_ + (ended ? " ended" : " could not be reached within ten seconds") +
                    ", started as" + line + "\nIt wrote:\n" + output());
    }
    std::this_thread::sleep_for(std::chrono::microseconds(100));
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
