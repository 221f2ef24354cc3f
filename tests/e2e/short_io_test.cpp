// Reads and writes that come to less than they were asked for, and system calls that signals
// interrupt: what clients get is the same to the byte.
#include <doctest/doctest.h>
#include <sys/socket.h>

#include <algorithm>
#include <exception>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "client.hpp"
#include "host_process.hpp"
#include "models.hpp"
#include "shared_file.hpp"
#include "tested_build.hpp"

using namespace e2e;

namespace {

std::string noise(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

// What probe's `flood` and `bye` send.
std::string pattern(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>('a' + i % 23);
  return bytes;
}

// The same bytes back, sent and read in pieces of any size while others are on their way.
std::string echo_in_pieces(std::uint16_t port, const std::string& sent, unsigned seed) {
  Client client(port);
  std::thread sender([&] {
    std::mt19937 random(seed);
    for (std::size_t at = 0, size; at < sent.size(); at += size) {
      size = std::min<std::size_t>(1 + random() % 3000, sent.size() - at);
      client.send(std::string_view(sent).substr(at, size));
    }
    client.finish_sending();
  });
  std::mt19937 random(seed + 1);
  std::string received;
  for (;;) {
    const std::string next = client.read_some(1 + random() % 3000);
    if (next.empty()) break;
    received += next;
  }
  sender.join();
  return received;
}

// A client of each kind of reply: streamed, gathered, longer than any buffer, last of all.
void converse(const HostProcess& host, unsigned seed) {
  const std::string sent = noise(300'000, seed);
  CHECK((echo_in_pieces(host.port("echo"), sent, seed) == sent));
  Client client(host.port("probe"));
  for (int i = 0; i < 20; ++i) CHECK(client.ask("listener") == "probe");
  client.send("flood 300000\n");
  CHECK((client.read_exactly(300'000) == pattern(300'000)));
  client.send("exactly 5\nab\ncd");
  CHECK(client.read_exactly(8) == "<ab\ncd>\n");
  CHECK(client.ask("sleep 10") == "slept");
  client.send("bye 200000\nwhat nobody reads");
  CHECK((client.read_to_end() == pattern(200'000)));
}

Config listeners(const char* model) {
  Config config;
  config.listener("echo", model, "echo", {"options: {reply: verbatim}"});
  return config.listener("probe", model, "probe");
}

}  // namespace

// Not under io_uring: the kernel moves the bytes there, past every library, and short counts come
// of nothing but what the client does, as in the next case.
TEST_CASE_TEMPLATE("replies are exact where every system call may be short or interrupted", Model,
                   e2e::Fork, e2e::SignalFork, e2e::Thread, e2e::Select, e2e::Epoll) {
  if (tested_build().sanitized) {
    MESSAGE("left out: a sanitizer has to be the first library that is loaded");
    return;
  }
  const unsigned seed = std::random_device()();
  CAPTURE(seed);
  SharedFile counts;
  // As man 7 epoll allows it, epoll takes a read that fills less than its buffer for the last one.
  const bool whole_reads = std::string(Model::name) == "epoll";
  HostProcess host(
      listeners(Model::name),
      {.by = {},
       .environment = {"LD_PRELOAD=" BERTH_SHORT_IO, "SHORT_IO_SEED=" + std::to_string(seed),
                       "SHORT_IO_COUNTS=" + counts.path(),
                       std::string("SHORT_IO_READS=") + (whole_reads ? "whole" : "short")}});
  converse(host, seed);
  CHECK(counts[0] > 500);  // cut short
  CHECK(counts[1] > 200);  // interrupted
  CHECK(host.log().count("is ready (pid ") == 2);
}

TEST_CASE_TEMPLATE("replies are exact to clients that take and give a little at a time", Model,
                   EACH_MODEL) {
  const unsigned seed = std::random_device()();
  CAPTURE(seed);
  HostProcess host(listeners(Model::name));
  std::vector<std::thread> clients;
  for (unsigned i = 0; i < 4; ++i) {
    clients.emplace_back([&, i] {
      try {
        converse(host, seed + 7 * i);
      } catch (const std::exception& fault) {
        FAIL_CHECK(fault.what());
      }
    });
  }
  for (auto& client : clients) client.join();
}
