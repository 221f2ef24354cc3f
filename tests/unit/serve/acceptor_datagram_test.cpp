// Datagrams by the accept path that connections come by.
#include <doctest/doctest.h>
#include <poll.h>

#include <string>
#include <vector>

#include "serve/acceptor.hpp"
#include "serve/datagrams.hpp"
#include "serve/epoll_demultiplexer.hpp"
#include "serve/session_rig.hpp"

namespace berth {
namespace {

using namespace std::chrono_literals;
using namespace berth::testing;

// Sessions only lie there until the test ends them.
struct Rig {
  explicit Rig(unsigned most, RateGate rate = {})
      : loop(std::make_unique<EpollDemultiplexer>()),
        admission(loop, context, denied),
        acceptor(
            loop, log.log,
            {.max_connections = most,
             .blocking_sockets = false,
             .rate = rate,
             .admission = &admission},
            [this] { return sessions.size(); },
            [this](AcceptedConnection datagram) {
              if (keep) sessions.push_back(std::move(datagram));
            }) {
    std::vector<Acceptor::Socket> sockets;
    sockets.push_back({Fd(::dup(served.get())), Scheme::udp});
    acceptor.listen(std::move(sockets), {});
  }
  void send(int count) {
    for (int i = 0; i < count; ++i) send_datagram(client, served.get(), std::to_string(++sent));
  }
  void turn() {
    for (int turns = 0; turns < 4; ++turns) {
      CallTimer end(loop.timers(), [this] { loop.stop(); });
      end.arm(Clock::now());
      loop.run();
    }
  }
  std::string text(std::size_t session) const {
    return std::string(sessions.at(session).datagram->bytes());
  }

  LogFile log;
  ListenerSettings settings;
  Serve serve = echo;
  Handler handler = script_handler(serve);
  SessionContext context{settings, handler, log.log, {}};
  EventLoop loop;
  DenialCounters denied;
  Admission admission;
  Fd served = udp_socket(), client = udp_socket();
  int sent = 0;
  bool keep = true;
  std::vector<AcceptedConnection> sessions;
  Acceptor acceptor;
};

TEST_CASE("each datagram becomes a session, numbered, with its sender") {
  Rig rig(100);
  rig.send(40);  // more than one call takes
  rig.turn();
  REQUIRE(rig.sessions.size() == 40);
  for (std::size_t i = 0; i < 40; ++i) {
    CHECK(rig.text(i) == std::to_string(i + 1));
    CHECK(rig.sessions[i].id == i + 1);
    CHECK(rig.sessions[i].peer == Peer(local_address(rig.client.get())));
    CHECK_FALSE(rig.sessions[i].socket);
  }
  CHECK(rig.acceptor.accepted() == 40);
}

TEST_CASE("no more datagrams are taken than may be served, and the rest waits in the queue") {
  Rig rig(3);
  rig.send(5);
  rig.turn();
  CHECK(rig.sessions.size() == 3);
  CHECK(rig.log.text().find("3 connections, as many as there may be: further clients wait in the "
                            "socket's queue") != std::string::npos);
  rig.sessions.pop_back();
  rig.acceptor.on_session_end();
  rig.turn();
  REQUIRE(rig.sessions.size() == 3);
  CHECK(rig.text(2) == "4");
  CHECK(has_datagram(rig.served));
}

TEST_CASE("what the kernel drops is told also where fewer may be served than are taken at once") {
  Rig rig(20);
  rig.keep = false;
  const int size = 64 << 10;
  REQUIRE(::setsockopt(rig.served.get(), SOL_SOCKET, SO_RCVBUF, &size, sizeof size) == 0);
  rig.send(1'000);
  while (rig.log.text().find("dropped by the kernel") == std::string::npos) rig.turn();
  CHECK(rig.log.text().find("connections, as many as there may be") == std::string::npos);
}

TEST_CASE("datagrams keep to a rate") {
  Rig rig(100, RateGate(1h, 2));
  rig.send(5);
  rig.turn();
  CHECK(rig.sessions.size() == 2);
}

TEST_CASE("a datagram that is denied is taken, and no session") {
  Rig rig(100);
  rig.settings.deny = {parse_network("127.0.0.0/8").value()};
  rig.send(3);
  rig.turn();
  CHECK(rig.sessions.empty());
  CHECK_FALSE(has_datagram(rig.served));
  CHECK(rig.denied.of(Denial::address) == 3);
}

TEST_CASE("who closes for good takes what waits, and who does not leaves it") {
  Rig rig(100);
  rig.send(70);
  SUBCASE("for good") {
    rig.acceptor.close(Acceptor::Queues::emptied);
    CHECK(rig.sessions.size() == 70);
    // They can still answer.
    CHECK(rig.sessions[0].datagram->socket().number() >= 0);
  }
  SUBCASE("and lets the address go") {
    const SocketAddress address = local_address(rig.served.get());
    rig.acceptor.close(Acceptor::Queues::emptied);
    rig.sessions.clear();
    rig.served.reset();
    CHECK(listen_on(address, 0));
  }
  SUBCASE("since others go on there") {
    rig.acceptor.close(Acceptor::Queues::left);
    CHECK(rig.sessions.empty());
    CHECK(next_datagram(rig.served) == "1");
  }
}

}  // namespace
}  // namespace berth
