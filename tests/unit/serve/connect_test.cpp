// How connections to other servers are made, under both ways of serving.
#include <doctest/doctest.h>

#include <chrono>
#include <list>
#include <string>
#include <thread>
#include <vector>

#include "net/unix_socket.hpp"
#include "serve/client_rig.hpp"
#include "serve/fake_resolver.hpp"

namespace berth {
namespace {

using namespace std::chrono_literals;
using namespace berth::testing;
using Under = Session::Under;

// That port, of whatever a name stands for.
std::string at_port_of(const Fd& listening, const std::string& name) {
  return "tcp://" + name + ":" + std::to_string(local_address(listening.get()).port());
}

std::string url_that_refuses() { return url_of(listen_somewhere()); }

// A listening socket whose backlog is full.
class FullServer {
 public:
  explicit FullServer(Fd listening) : listening_(std::move(listening)) {
    const SocketAddress address = local_address(listening_.get());
    for (int clients = 0; clients < 3; ++clients) {
      Fd& client = clients_.emplace_back(
          ::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      (void)::connect(client.get(), address.get(), address.size());
    }
  }
  [[nodiscard]] std::string url() const { return url_of(listening_); }
  [[nodiscard]] const Fd& listening() const { return listening_; }

 private:
  Fd listening_;
  std::vector<Fd> clients_;
};

Fd listen_on_abstract(int backlog) {
  static int number = 0;
  const std::string name =
      "@berth-unit-" + std::to_string(::getpid()) + "-" + std::to_string(++number);
  auto listener = listen_on_unix(SocketAddress::of_unix(name), {}, backlog);
  REQUIRE(listener);
  return std::move(listener->socket);
}

FullServer full_tcp_server() { return FullServer(listen_somewhere(0)); }
FullServer full_unix_server() { return FullServer(listen_on_abstract(0)); }

// What became of connecting.
struct Outcome {
  int error = -1;
  bool connected = false;
  bool waited = false;
};

Script connect_and_close(berth_connection* c, std::string url, Outcome& outcome,
                         std::chrono::nanoseconds within) {
  ConnectOp connect(c, url, within);
  co_await connect;
  outcome = {connect.error, connect.connected() != nullptr, connect.waited};
  if (connect.error == 0) c->host->close(connect.connected());
  finish(c);
}

Outcome outcome_of(Under under, const std::string& url, std::chrono::nanoseconds within = 10s) {
  Outcome outcome;
  Session session(under, [&](berth_connection* c) -> Script {
    return connect_and_close(c, url, outcome, within);
  });
  session.run([](const Fd&) {});
  CHECK(session.report.end == SessionEnd::handler);
  return outcome;
}

TEST_CASE("where nobody listens connecting is refused") {
  under_each([](Under under) {
    const Outcome outcome = outcome_of(under, url_that_refuses());
    CHECK(outcome.error == ECONNREFUSED);
    CHECK_FALSE(outcome.connected);
  });
}

TEST_CASE("the addresses of a name are tried one after the other") {
  under_each([](Under under) {
    const Fd server = listen_somewhere();
    CHECK(outcome_of(under, at_port_of(server, "both.test")).error == 0);
    CHECK(accept_from(server));
  });
}

TEST_CASE("an address that does not answer leaves the others of its name their share of the time") {
  under_each([](Under under) {
    const Fd server = listen_somewhere();
    const FullServer mute(listen_at("127.0.0.2", local_address(server.get()).port(), 0));
    CHECK(outcome_of(under, at_port_of(server, "both.test"), 4s).error == 0);
    CHECK(accept_from(server));
  });
}

TEST_CASE("where none of a name's addresses takes connections the last one's error is told") {
  under_each([](Under under) {
    std::string url = at_port_of(listen_somewhere(), "both.test");
    CHECK(outcome_of(under, url).error == ECONNREFUSED);
  });
}

TEST_CASE("a name that does not exist is told from a name server that does not answer") {
  under_each([](Under under) {
    CHECK(outcome_of(under, "tcp://none.test:80").error == EADDRNOTAVAIL);
    CHECK(outcome_of(under, "tcp://mute.test:80").error == EAGAIN);
  });
}

TEST_CASE("what is no address of a stream to connect to is refused at once") {
  under_each([](Under under) {
    for (const char* url :
         {"", "127.0.0.1:80", "tcp://127.0.0.1", "tcp://127.0.0.1:0", "udp://127.0.0.1:80",
          "tls://127.0.0.1:80", "unixgram:///run/x", "unix:///run/x?mode=0600", "unix://x"}) {
      CAPTURE(url);
      const Outcome outcome = outcome_of(under, url);
      CHECK(outcome.error == EINVAL);
      CHECK_FALSE(outcome.waited);
    }
  });
}

TEST_CASE("a server that does not answer is given up in time") {
  under_each([](Under under) {
    const FullServer server = full_tcp_server();
    const TimePoint start = Clock::now();
    CHECK(outcome_of(under, server.url(), 50ms).error == ETIMEDOUT);
    CHECK(Clock::now() - start >= 50ms);
  });
}

TEST_CASE("a Unix socket takes connections by path and by abstract name") {
  under_each([](Under under) {
    const Fd abstract = listen_on_abstract(8);
    CHECK(outcome_of(under, url_of(abstract)).error == 0);
    CHECK(outcome_of(under, "unix:///tmp/berth-unit-no-such-socket").error == ENOENT);
    const std::string path = "/tmp/berth-unit-" + std::to_string(::getpid()) + ".sock";
    auto listener = listen_on_unix(SocketAddress::of_unix(path), {}, 8);
    REQUIRE(listener);
    CHECK(outcome_of(under, "unix://" + path).error == 0);
  });
}

TEST_CASE("a Unix socket whose backlog is full is waited for") {
  under_each([](Under under) {
    const FullServer server = full_unix_server();
    Outcome outcome;
    Session session(under, [&](berth_connection* c) -> Script {
      connect_and_close(c, server.url(), outcome, 0s);
      WriteOp write(c, "x");
      co_await write;
    });
    session.run([&](const Fd& client) {
      receive(client, 1);
      for (int i = 0; i < 2; ++i) CHECK(accept_from(server.listening()));
    });
    CHECK(outcome.error == 0);
    CHECK(outcome.waited);
    CHECK(outcome_of(under, full_unix_server().url(), 20ms).error == ETIMEDOUT);
  });
}

// Connects while the client is told that it does, and is cancelled then.
void cancel_while_connecting(
    Under under, const std::string& url, const std::function<void()>& before = [] {},
    const std::function<void()>& then = [] {}) {
  Outcome outcome;
  Session session(under, [&](berth_connection* c) -> Script {
    WriteOp write(c, "x");
    co_await write;
    connect_and_close(c, url, outcome, 0s);
  });
  session.run([&](const Fd& client) {
    receive(client, 1);
    before();
    session.cancel();
    then();
    receive_until_end(client);
  });
  CHECK(outcome.error == ECANCELED);
  CHECK_FALSE(outcome.connected);
  CHECK(session.report.error == ECANCELED);
}

TEST_CASE("the drain's deadline ends an attempt to connect") {
  under_each([](Under under) {
    cancel_while_connecting(under, full_tcp_server().url());
    cancel_while_connecting(under, full_unix_server().url());
    SlowName name;
    cancel_while_connecting(
        under, "tcp://slow.test:80", [&] { name.wait_until_asked(); }, [&] { name.release(); });
  });
}

TEST_CASE("a session may end while a name of its is still being resolved") {
  in_each_loop([](Under under) {
    SlowName name;
    Outcome outcome;
    Session session(under, [&](berth_connection* c) -> Script {
      return connect_and_close(c, "tcp://slow.test:80", outcome, 20ms);
    });
    session.run([&](const Fd& client) {
      name.wait_until_asked();
      receive_until_end(client);
      name.release();
    });
    CHECK(outcome.error == ETIMEDOUT);
    CHECK(outcome.waited);
  });
}

TEST_CASE("where the session itself resolves a name the time for connecting counts all the same") {
  SlowName name;
  Outcome outcome;
  Session session(Session::kBlocking, [&](berth_connection* c) -> Script {
    return connect_and_close(c, "tcp://slow.test:80", outcome, 5ms);
  });
  session.run([&](const Fd&) {
    name.wait_until_asked();
    std::this_thread::sleep_for(10ms);
    name.release();
  });
  CHECK(outcome.error == ETIMEDOUT);
}

TEST_CASE("an event loop goes on while a name is resolved") {
  in_each_loop([](Under under) {
    const Fd server = listen_somewhere();
    SlowName name;
    Outcome outcome;
    Session session(under, [&](berth_connection* c) -> Script {
      connect_and_close(c, at_port_of(server, "slow.test"), outcome, 0s);
      ReadOp read(c);
      co_await read;
      WriteOp write(c, read.data());
      co_await write;
    });
    session.run([&](const Fd& client) {
      name.wait_until_asked();
      CHECK(send_all(client, "hello"));
      CHECK(receive(client, 5) == "hello");
      name.release();
      receive_until_end(client);
    });
    CHECK(outcome.error == 0);
  });
}

TEST_CASE("a session that connects without end holds up no one else in its loop") {
  in_each_loop([](Under under) {
    constexpr int kMost = 3000;
    const Fd server = listen_on_abstract(kMost);  // which is connected to at once
    bool stopped = false;
    int connected = 0;
    Session session(under, [&](berth_connection* c) -> Script {
      const std::string url = url_of(server);
      while (!stopped && connected < kMost) {
        ConnectOp connect(c, url);
        co_await connect;
        if (connect.error != 0) break;
        c->host->close(connect.connected());
        ++connected;
      }
      finish(c);
    });
    SetInLoop stop(session, stopped);
    CHECK(session.run([](const Fd&) {}).end == SessionEnd::handler);
    CHECK(connected > 0);
    CHECK(connected < kMost);
  });
}

// One of several that the session makes; the last one that is through ends it.
Script make_one(berth_connection* c, std::string url, int& left, int& failed) {
  ConnectOp connect(c, url, 20s);
  co_await connect;
  if (connect.error != 0) ++failed;
  if (--left == 0) finish(c);
}

TEST_CASE("any number of attempts may be pending, and what they made ends with the session") {
  under_each([](Under under) {
    constexpr int kMany = 40;
    const Fd server = listen_somewhere();
    int left = kMany, failed = 0;
    Session session(under, [&](berth_connection* c) -> Script {
      for (int i = 0; i < kMany; ++i) {
        make_one(c, i % 2 == 0 ? url_of(server) : at_port_of(server, "both.test"), left, failed);
      }
      co_return;
    });
    session.run([&](const Fd&) {
      std::vector<Fd> all;
      for (int i = 0; i < kMany; ++i) all.push_back(accept_from(server));
      for (const Fd& one : all) CHECK(receive_until_end(one) == "");
    });
    CHECK(failed == 0);
    CHECK(session.report.end == SessionEnd::handler);
  });
}

}  // namespace
}  // namespace berth
