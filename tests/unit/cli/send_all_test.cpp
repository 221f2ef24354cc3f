#include "cli/send_all.hpp"

#include <doctest/doctest.h>
#include <sys/socket.h>

#include <map>
#include <string>
#include <thread>
#include <vector>

#include "net/socket.hpp"

namespace {

using berth::Fd;
using berth::SendPlan;

// Serves `connections` of them, each on a thread; the first `deaf` are closed without a word.
class EchoServer {
 public:
  EchoServer(std::size_t connections, std::size_t deaf) {
    auto socket =
        berth::listen_on(berth::resolve({berth::Scheme::tcp, "127.0.0.1", 0}).value()[0], 128);
    REQUIRE(socket);
    listening_ = std::move(socket.value());
    acceptor_ = std::thread([this, connections, deaf] { accept_all(connections, deaf); });
  }
  ~EchoServer() { acceptor_.join(); }

  [[nodiscard]] SendPlan plan(std::size_t clients, std::vector<std::string> words) const {
    SendPlan plan;
    plan.target = "tcp://test:1";
    plan.addresses = {berth::local_address(listening_.get())};
    plan.words = std::move(words);
    plan.clients = clients;
    return plan;
  }

 private:
  void accept_all(std::size_t connections, std::size_t deaf) {
    std::vector<std::thread> sessions;
    for (std::size_t i = 0; i < connections;) {
      pollfd interest{listening_.get(), POLLIN, 0};
      poll(&interest, 1, -1);
      Fd socket(accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!socket) continue;
      if (i++ < deaf) continue;
      sessions.emplace_back([session = std::move(socket)] { echo(session); });
    }
    for (std::thread& session : sessions) session.join();
  }

  static void echo(const Fd& socket) {
    std::string buffer(65536, '\0');
    ssize_t count = 0;
    while ((count = recv(socket.get(), buffer.data(), buffer.size(), 0)) > 0) {
      const std::string reply = "Echo=>" + buffer.substr(0, static_cast<std::size_t>(count));
      for (std::size_t sent = 0; sent < reply.size();) {
        sent += static_cast<std::size_t>(
            send(socket.get(), reply.data() + sent, reply.size() - sent, MSG_NOSIGNAL));
      }
    }
  }

  Fd listening_;
  std::thread acceptor_;
};

struct Recorder final : berth::SendObserver {
  std::map<std::size_t, std::vector<std::string>> replies;
  std::map<std::size_t, std::string> failures;
  berth::SendProgress last;

  void on_reply(std::size_t client, std::string_view reply) override {
    replies[client].emplace_back(reply);
  }
  void on_failure(std::size_t client, std::string_view why) override { failures[client] = why; }
  void on_progress(const berth::SendProgress& progress) override { last = progress; }
};

TEST_CASE("every client of many has all its replies, in order") {
  const EchoServer server(32, 0);
  Recorder recorder;
  CHECK(berth::send_all(server.plan(32, {"one", "two", "three"}), recorder));
  CHECK(recorder.failures.empty());
  REQUIRE(recorder.replies.size() == 32);
  for (const auto& [client, replies] : recorder.replies) {
    CAPTURE(client);
    CHECK(replies == std::vector<std::string>{"Echo=>one", "Echo=>two", "Echo=>three"});
  }
  CHECK(recorder.last.replies == 96);
  CHECK(recorder.last.expected == 96);
}

TEST_CASE("a word longer than any buffer comes back whole") {
  const EchoServer server(1, 0);
  Recorder recorder;
  CHECK(berth::send_all(server.plan(1, {std::string(3 << 20, 'x'), "y"}), recorder));
  std::size_t count = 0;
  for (const std::string& reply : recorder.replies[1]) {
    for (const char c : reply) count += c == 'x' ? 1U : 0U;
  }
  CHECK(count == 3U << 20);
  CHECK(recorder.replies[1].back() == "Echo=>y");
}

TEST_CASE("one failing client fails the whole, and no other client") {
  const EchoServer server(3, 1);
  Recorder recorder;
  CHECK_FALSE(berth::send_all(server.plan(3, {"a"}), recorder));
  CHECK(recorder.failures.size() == 1);
  CHECK(recorder.replies.size() == 2);
  CHECK(recorder.last.replies == 2);
}

TEST_CASE("a silent server fails its clients at the timeout") {
  // Nobody accepts here: the kernel takes the connections and the words all the same.
  const auto socket =
      berth::listen_on(berth::resolve({berth::Scheme::tcp, "127.0.0.1", 0}).value()[0], 8);
  REQUIRE(socket);
  SendPlan plan;
  plan.target = "tcp://test:1";
  plan.addresses = {berth::local_address(socket.value().get())};
  plan.words = {"a"};
  plan.clients = 2;
  plan.timeout = std::chrono::milliseconds(30);
  Recorder recorder;
  CHECK_FALSE(berth::send_all(plan, recorder));
  CHECK(recorder.failures[1] == "no reply from tcp://test:1 within 30ms");
  CHECK(recorder.failures[2] == "no reply from tcp://test:1 within 30ms");
}

}  // namespace
