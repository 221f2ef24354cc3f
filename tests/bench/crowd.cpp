#include "crowd.hpp"

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <exception>
#include <string_view>

#include "child.hpp"
#include "failure.hpp"

namespace berth::bench {
namespace {

constexpr char kRoundTrip = 'r', kFinish = 'f';
constexpr std::string_view kDone = "done";

void tell(const Fd& orders, std::string_view text) {
  (void)send(orders.get(), text.data(), text.size(), MSG_NOSIGNAL);
}

// To its last order.
void obey(const Fd& orders, const Workload& part, const Destination& destination) {
  const std::unique_ptr<Load> load = make_load(part, destination);
  tell(orders, kDone);
  char order = 0;
  while (recv(orders.get(), &order, 1, 0) == 1) {
    if (order == kFinish) {
      load->finish();
      return tell(orders, kDone);
    }
    load->run(
        {.timed = std::chrono::minutes(1), .limit = static_cast<std::uint64_t>(part.connections)});
    tell(orders, kDone);
  }
}

void await_done(const Fd& orders) {
  std::array<char, 1024> text;
  const ssize_t size = recv(orders.get(), text.data(), text.size(), 0);
  if (size <= 0) throw Failure("a process of the load has ended");
  const std::string_view answer(text.data(), static_cast<std::size_t>(size));
  if (answer != kDone) throw Failure(std::string(answer));
}

}  // namespace

// One after the other, or they would fill the server's backlog.
Crowd::Crowd(const Workload& workload, const Destination& destination, int most_in_a_process) {
  Workload part = workload;
  for (int left = workload.connections; left > 0; left -= part.connections) {
    part.connections = std::min(left, most_in_a_process);
    start(part, destination);
    await_done(parts_.back().orders);
  }
}

Crowd::~Crowd() {
  for (const Part& part : parts_) {
    kill(part.process, SIGKILL);
    waitpid(part.process, nullptr, 0);
  }
}

void Crowd::start(const Workload& part, const Destination& destination) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    throw system_failure("socketpair");
  }
  Fd ours(ends[0]), its(ends[1]);
  const pid_t process = fork_child();
  if (process > 0) {
    parts_.push_back({std::move(ours), process});
    return;
  }
  ours.reset();
  for (Part& other : parts_) other.orders.reset();
  try {
    obey(its, part, destination);
  } catch (const std::exception& failure) {
    tell(its, failure.what());
  }
  _exit(0);
}

void Crowd::give_all(char order) const {
  for (const Part& part : parts_) tell(part.orders, {&order, 1});
  for (const Part& part : parts_) await_done(part.orders);
}

void Crowd::round_trip_on_each() { give_all(kRoundTrip); }
void Crowd::finish() { give_all(kFinish); }

}  // namespace berth::bench
