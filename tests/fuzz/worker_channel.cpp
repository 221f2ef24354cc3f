// Fuzz target: supervise/protocol. The input is a row of datagrams, each a text of input.hpp, which
// one side of a channel sends and the other must understand or drop.
#include <sys/socket.h>

#include <string>
#include <vector>

#include "input.hpp"
#include "require.hpp"
#include "supervise/protocol.hpp"

namespace berth::fuzz {
namespace {

// Both without `default`, so that who adds a kind is reminded by the compiler.
bool is_known(FromWorker kind) {
  switch (kind) {
    case FromWorker::ready:
    case FromWorker::alive:
    case FromWorker::cannot_start:
      return true;
  }
  return false;
}

bool is_known(ToWorker kind) {
  switch (kind) {
    case ToWorker::serve:
    case ToWorker::drain:
    case ToWorker::hand_over:
    case ToWorker::log:
      return true;
  }
  return false;
}

struct Channel {
  Fd supervisor, worker;
  Channel() {
    auto ends = make_channel();
    require(bool(ends), "a channel can be made");
    supervisor = std::move(ends->first);
    worker = std::move(ends->second);
  }
};

void send_raw(const Fd& from, std::string_view datagram) {
  (void)::send(from.get(), datagram.data(), datagram.size(), MSG_NOSIGNAL);
}

// None is empty: an empty one is read like the end of the file, and no side sends any.
std::vector<std::string> datagrams_of(Input& input) {
  constexpr std::size_t kMost = 16;  // far less than a socket holds
  std::vector<std::string> datagrams;
  while (!input.empty() && datagrams.size() < kMost) {
    if (const auto text = input.text(); !text.empty()) datagrams.emplace_back(text);
  }
  return datagrams;
}

// What is understood is told again by the host's own words, and is then heard the same.
void check_report(const WorkerReport& heard) {
  require(is_known(heard.kind), "a report is of a known kind", heard.text);
  const Channel channel;
  report(channel.worker.get(), heard.kind, heard.text);
  WorkerReport again{};
  require(next_report(channel.supervisor.get(), again) == Heard::message &&
              again.kind == heard.kind && again.text == heard.text,
          "a report is heard as it was told", heard.text);
}

// Descriptors are passed beside the bytes; none here.
Heard next_order_alone(int channel, Order& into) {
  Fd log;
  return next_order(channel, into, log);
}

void check_order(const Order& heard) {
  require(is_known(heard.kind), "an order is of a known kind",
          std::string(1, static_cast<char>(heard.kind)));
  const Channel channel;
  order(channel.supervisor.get(), heard);
  Order again{};
  require(next_order_alone(channel.worker.get(), again) == Heard::message &&
              again.kind == heard.kind && again.deadline == heard.deadline,
          "an order is heard as it was given");
}

// Reads all that was sent with `next` and gives how many messages there were.
template <class Message, class Next, class Check>
std::size_t hear_all(int channel, Message& last, Next next, Check check) {
  std::size_t count = 0;
  for (Message heard{}; next(channel, heard) == Heard::message; ++count) {
    check(heard);
    last = heard;
  }
  require(next(channel, last) == Heard::nothing, "garbage ends no channel");
  return count;
}

void check_supervisor(const std::vector<std::string>& datagrams) {
  Channel channel;
  for (const std::string& datagram : datagrams) send_raw(channel.worker, datagram);
  report(channel.worker.get(), FromWorker::alive);
  WorkerReport last{};
  const auto count = hear_all(channel.supervisor.get(), last, next_report, check_report);
  require(count >= 1 && count <= datagrams.size() + 1, "a datagram is one message at most");
  require(last.kind == FromWorker::alive && last.text.empty(), "what follows garbage is heard");
  channel.worker.reset();
  require(next_report(channel.supervisor.get(), last) == Heard::other_side_gone,
          "the end of a worker is heard");
}

void check_worker(const std::vector<std::string>& datagrams) {
  Channel channel;
  for (const std::string& datagram : datagrams) send_raw(channel.supervisor, datagram);
  order(channel.supervisor.get(), {ToWorker::drain, kUnlimited});
  Order last{};
  const auto count = hear_all(channel.worker.get(), last, next_order_alone, check_order);
  require(count >= 1 && count <= datagrams.size() + 1, "a datagram is one message at most");
  require(last.kind == ToWorker::drain && last.deadline == kUnlimited,
          "what follows garbage is heard");
  channel.supervisor.reset();
  require(next_order_alone(channel.worker.get(), last) == Heard::other_side_gone,
          "the end of the supervisor is heard");
}

}  // namespace
}  // namespace berth::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  berth::fuzz::Input input(data, size);
  const auto datagrams = berth::fuzz::datagrams_of(input);
  berth::fuzz::check_supervisor(datagrams);
  berth::fuzz::check_worker(datagrams);
  return 0;
}
