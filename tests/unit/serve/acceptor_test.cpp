#include "serve/acceptor.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "serve/epoll_demultiplexer.hpp"
#include "serve/select_demultiplexer.hpp"
#include "serve/session_rig.hpp"

namespace berth {
namespace {

using namespace std::chrono_literals;
using namespace berth::testing;

TEST_CASE("no error of accept(2) ends a listener, and those for want of room make it wait") {
  struct Row {
    AcceptFailure kind;
    std::vector<int> errors;
  };
  for (const Row& row : {Row{AcceptFailure::nothing_waits, {EAGAIN, EWOULDBLOCK}},
                         Row{AcceptFailure::wait_for_room, {EMFILE, ENFILE, ENOBUFS, ENOMEM}},
                         Row{AcceptFailure::try_next,
                             {EINTR, ECONNABORTED, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET,
                              EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH, EPERM}}}) {
    for (const int error : row.errors) {
      CAPTURE(error);
      CHECK(classify_accept_failure(error) == row.kind);
    }
  }
}

// An acceptor whose sessions only lie there until the test ends them.
struct Rig {
  explicit Rig(
      unsigned most, bool blocking = false, int count = 1,
      std::unique_ptr<Demultiplexer> demultiplexer = std::make_unique<EpollDemultiplexer>(),
      RateGate rate = {}, bool often_full = false)
      : loop(std::move(demultiplexer)),
        admission(loop, context, denied),
        acceptor(
            loop, log.log,
            {.max_connections = most,
             .often_full = often_full,
             .blocking_sockets = blocking,
             .rate = rate,
             .admission = &admission},
            [this] { return sessions.size(); },
            [this](AcceptedConnection connection) {
              on_start();
              sessions.push_back(std::move(connection));
              if (sessions.size() >= wanted) loop.stop();
            }) {
    for (int i = 0; i < count; ++i) listening.push_back(listen_somewhere());
    std::vector<Acceptor::Socket> copies;
    for (const Fd& socket : listening) copies.push_back({Fd(::dup(socket.get()))});
    acceptor.listen(std::move(copies), 9s);
  }
  void connect(std::size_t clients_more, std::size_t socket = 0) {
    while (clients_more-- > 0) clients.push_back(connect_to(listening[socket]));
  }
  // Turns until there are so many sessions.
  void turn_until(std::size_t count) {
    wanted = count;
    if (sessions.size() < count) loop.run();
  }
  // Turns a few times, for what must not happen.
  void turn() {
    wanted = SIZE_MAX;
    for (int turns = 0; turns < 3; ++turns) {
      CallTimer end(loop.timers(), [this] { loop.stop(); });
      end.arm(Clock::now());
      loop.run();
    }
  }
  void end_session() {
    sessions.pop_back();
    acceptor.on_session_end();
  }

  LogFile log;
  ListenerSettings settings;
  Serve serve = echo;
  Handler handler = script_handler(serve);
  SessionContext context{settings, handler, log.log, {}};
  std::function<void()> on_start = [] {};
  EventLoop loop;
  DenialCounters denied;
  Admission admission;
  std::vector<Fd> listening;
  std::vector<Fd> clients;
  std::vector<AcceptedConnection> sessions;
  std::size_t wanted = SIZE_MAX;
  Acceptor acceptor;
};

TEST_CASE("connections are taken from every socket, numbered, and with their peers") {
  Rig rig(100, false, 3);
  for (std::size_t socket = 0; socket < 3; ++socket) rig.connect(2, socket);
  rig.turn_until(6);
  std::vector<std::uint64_t> ids;
  for (const auto& session : rig.sessions) {
    ids.push_back(session.id);
    CHECK(std::any_of(rig.clients.begin(), rig.clients.end(), [&](const Fd& client) {
      return local_address(client.get()) == session.peer;
    }));
    CHECK(rig.log.text().find("connection " + std::to_string(session.id) + " from " +
                              session.peer.text() + "\n") != std::string::npos);
  }
  CHECK(ids == std::vector<std::uint64_t>{1, 2, 3, 4, 5, 6});
  CHECK(rig.acceptor.accepted() == 6);
}

TEST_CASE("accepted sockets are as the model wants them, and are not passed on over exec") {
  for (const bool blocking : {false, true}) {
    Rig rig(100, blocking);
    rig.connect(1);
    rig.turn_until(1);
    const int number = rig.sessions[0].socket.get();
    CHECK(((::fcntl(number, F_GETFL) & O_NONBLOCK) == 0) == blocking);
    CHECK((::fcntl(number, F_GETFD) & FD_CLOEXEC) != 0);
    timeval timeout{};
    socklen_t size = sizeof timeout;
    REQUIRE(::getsockopt(number, SOL_SOCKET, SO_SNDTIMEO, &timeout, &size) == 0);
    CHECK(timeout.tv_sec == 9);
  }
}

TEST_CASE("there are never more sessions than allowed, and never fewer while clients wait") {
  Rig rig(3);
  rig.connect(6);
  rig.turn_until(3);
  rig.turn();
  CHECK(rig.sessions.size() == 3);
  CHECK(rig.log.text().find("3 connections, as many as there may be") != std::string::npos);
  for (std::size_t taken = 4; taken <= 6; ++taken) {
    rig.end_session();
    rig.turn_until(3);
    rig.turn();
    CHECK(rig.sessions.size() == 3);
    CHECK(rig.acceptor.accepted() == taken);
  }
  rig.end_session();
  rig.turn();
  CHECK(rig.sessions.size() == 2);
}

TEST_CASE(
    "where it is often full the next client is taken at a session's end, from each socket in "
    "turn") {
  constexpr std::size_t kSockets = 4;
  const std::vector<std::size_t> busy = {0, 1};  // nobody comes to the others
  Rig rig(1, false, kSockets, std::make_unique<EpollDemultiplexer>(), {}, true);
  for (const std::size_t socket : busy) rig.connect(5, socket);
  rig.turn_until(1);
  rig.turn();
  std::vector<SocketAddress> taken;
  for (int ends = 0; ends < 8; ++ends) {
    rig.end_session();
    REQUIRE(rig.sessions.size() == 1);
    taken.push_back(local_address(rig.sessions[0].socket.get()));
  }
  for (std::size_t i = 1; i < taken.size(); ++i) CHECK(taken[i] != taken[i - 1]);
  rig.end_session();
  rig.end_session();
  CHECK(rig.sessions.empty());
  rig.connect(1);
  rig.turn_until(1);
  CHECK(rig.acceptor.accepted() == 11);
  CHECK(rig.log.text().find("as many as there may be") == std::string::npos);
}

TEST_CASE("a storm of clients is taken in parts, so that others get their turn") {
  Rig rig(1000);
  rig.connect(60);
  std::size_t taken = 0;
  CallTimer timer(rig.loop.timers(), [&] { taken = rig.sessions.size(); });
  timer.arm(Clock::now());
  rig.turn_until(60);
  CHECK(taken > 0);
  CHECK(taken < 60);
}

TEST_CASE("close takes what waits in the queues, and refuses who comes later") {
  Rig rig(100, false, 2);
  rig.connect(20, 0);
  rig.connect(3, 1);
  rig.acceptor.close(Acceptor::Queues::emptied);
  CHECK(rig.sessions.size() == 23);
  rig.listening.clear();  // the copies that this test has kept
  rig.turn();
  CHECK(rig.sessions.size() == 23);
}

TEST_CASE("close leaves what waits in the queues to whoever else has the sockets") {
  Rig rig(100, false, 2);
  rig.connect(20, 0);
  rig.acceptor.close(Acceptor::Queues::left);
  CHECK(rig.sessions.empty());
  const Fd waiting(::accept(rig.listening[0].get(), nullptr, nullptr));
  CHECK(waiting);
}

TEST_CASE("close takes no more than there is room for") {
  Rig rig(4);
  rig.connect(6);
  rig.acceptor.close(Acceptor::Queues::emptied);
  CHECK(rig.sessions.size() == 4);
  rig.end_session();
  rig.turn();
  CHECK(rig.sessions.size() == 3);
}

TEST_CASE("close takes no more than waited when it began, however many come meanwhile") {
  Rig rig(1000);
  rig.on_start = [&] { rig.connect(1); };
  rig.connect(5);
  rig.acceptor.close(Acceptor::Queues::emptied);
  CHECK(rig.sessions.size() == 5);
}

TEST_CASE("a connection that is denied is closed at once and is none of the worker's") {
  Rig rig(1);
  rig.settings.deny = {parse_network("127.0.0.0/8").value()};
  rig.connect(20);
  for (const Fd& client : rig.clients) {
    rig.turn();
    CHECK(receive_until_end(client).empty());
  }
  CHECK(rig.sessions.empty());
  CHECK(rig.acceptor.accepted() == 0);
  CHECK(rig.denied.of(Denial::address) == 20);
  CHECK(rig.log.text().find("connection 1 ") == std::string::npos);
  rig.settings.deny.clear();
  rig.connect(1);
  rig.turn_until(1);
  CHECK(rig.sessions[0].id == 1);
}

std::unique_ptr<Demultiplexer> epoll() { return std::make_unique<EpollDemultiplexer>(); }

TEST_CASE("above the rate clients wait, until their time comes") {
  constexpr Duration kInterval = 20ms;
  Rig rig(1000, false, 1, epoll(), RateGate(kInterval, 2));
  rig.connect(5);
  const TimePoint start = Clock::now();
  rig.turn_until(5);
  CHECK(Clock::now() - start >= 3 * kInterval);
  for (std::size_t i = 2; i < 5; ++i) {
    CHECK(rig.sessions[i].accepted - rig.sessions[i - 2].accepted >= kInterval);
  }
  CHECK(rig.log.text().find(
            "as many connections as 'rate' allows at a time: further ones wait in the backlog") !=
        std::string::npos);
}

// Told of in an order of its own, the loop would have the first take whatever room there is.
TEST_CASE("listeners take turns where a rate, or the limit, lets one in at a time") {
  in_each_loop([](MakeDemultiplexer make) {
    const auto came_to = [](const Rig& rig, std::size_t socket) {
      const SocketAddress there = local_address(rig.listening[socket].get());
      return std::count_if(rig.sessions.begin(), rig.sessions.end(), [&](const auto& session) {
        return local_address(session.socket.get()) == there;
      });
    };
    SUBCASE("a rate") {
      Rig rig(100, false, 2, make(), RateGate(1ms, 1));
      for (const std::size_t socket : {0, 1}) rig.connect(8, socket);
      rig.turn_until(8);
      for (const std::size_t socket : {0, 1}) CHECK(came_to(rig, socket) >= 3);
    }
    SUBCASE("the limit") {
      Rig rig(8, false, 2, make());
      for (const std::size_t socket : {0, 1}) rig.connect(16, socket);
      rig.turn_until(8);
      for (int i = 0; i < 16; ++i) {
        rig.sessions.erase(rig.sessions.begin());
        rig.acceptor.on_session_end();
        rig.turn_until(8);
      }
      for (const std::size_t socket : {0, 1}) CHECK(came_to(rig, socket) >= 3);
    }
  });
}

TEST_CASE("a session's end makes no one come faster than the rate") {
  Rig rig(1000, false, 1, epoll(), RateGate(1h, 1));
  rig.connect(3);
  rig.turn_until(1);
  rig.turn();
  rig.end_session();
  rig.turn();
  CHECK(rig.sessions.empty());
  CHECK(rig.acceptor.accepted() == 1);
}

TEST_CASE("close takes who waits for the rate") {
  Rig rig(1000, false, 1, epoll(), RateGate(1h, 1));
  rig.connect(4);
  rig.turn_until(1);
  rig.acceptor.close(Acceptor::Queues::emptied);
  CHECK(rig.sessions.size() == 4);
}

TEST_CASE("a connection for which there is no memory is closed, and the next one is taken") {
  Rig rig(1000);
  int starts = 0;
  rig.on_start = [&] {
    if (++starts == 1) throw std::bad_alloc();
  };
  rig.connect(2);
  rig.turn_until(1);
  CHECK(receive_until_end(rig.clients[0]).empty());
  CHECK(rig.sessions[0].id == 2);
  CHECK(rig.log.text().find("connection 1 is closed: Cannot allocate memory") != std::string::npos);
}

struct DescriptorLimit {
  explicit DescriptorLimit(rlim_t limit) {
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    const rlimit changed{std::min(limit, before.rlim_max), before.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &changed) == 0);
  }
  ~DescriptorLimit() { ::setrlimit(RLIMIT_NOFILE, &before); }
  rlimit before{};
};

TEST_CASE("accepting pauses while descriptors are used up, and goes on when there are some again") {
  Rig rig(100);
  rig.connect(2);
  const Fd next(::dup(0));
  {
    const DescriptorLimit limit(static_cast<rlim_t>(next.get()) + 1);
    rig.turn();
    CHECK(rig.sessions.empty());
    CHECK(rig.loop.timers().next() != kNever);  // paused: it waits for a timer, not for sockets
  }
  CHECK(rig.log.text().find("cannot accept: Too many open files; clients wait in the backlog "
                            "(ulimit -n raises the limit on descriptors)") != std::string::npos);
  rig.turn_until(2);
  CHECK(rig.sessions.size() == 2);
}

TEST_CASE("an ended session makes room at once, without waiting for the pause to end") {
  Rig rig(100);
  rig.connect(3);
  rig.turn_until(1);
  while (rig.sessions.size() > 1) rig.sessions.pop_back();
  rig.connect(1);
  const Fd next(::dup(0));
  const DescriptorLimit limit(static_cast<rlim_t>(next.get()) + 1);
  rig.turn();
  REQUIRE(rig.sessions.size() == 1);
  rig.end_session();
  CHECK(rig.loop.timers().next() == kNever);
  rig.turn_until(1);
  CHECK(rig.sessions.size() == 1);
}

TEST_CASE("under select accepting pauses before the numbers that its sets can hold run out") {
  const DescriptorLimit limit(4096);
  Rig rig(3000, false, 1, std::make_unique<SelectDemultiplexer>());
  rig.connect(10);
  std::vector<Fd> others;
  do others.emplace_back(::dup(0));
  while (others.back() && others.back().get() < FD_SETSIZE - 8);
  if (!others.back()) {
    MESSAGE("this process may not have " << FD_SETSIZE << " descriptors");
    return;
  }
  rig.turn();
  REQUIRE_FALSE(rig.sessions.empty());
  CHECK(rig.sessions.size() < 10);
  CHECK(rig.sessions.back().socket.get() < FD_SETSIZE);
  const std::size_t before = rig.sessions.size();
  rig.end_session();
  rig.turn();
  CHECK(rig.sessions.size() == before);
}

TEST_CASE("where it is often full who is through takes who waits, and learns where nobody does") {
  Rig rig(1, false, 2, std::make_unique<EpollDemultiplexer>(), {}, true);
  rig.connect(1);
  rig.turn_until(1);
  for (const std::size_t socket : {0, 1, 0}) {
    rig.connect(1, socket);
    rig.sessions.pop_back();
    CHECK(rig.acceptor.take_waiting() == Taken::full);
    CHECK(rig.sessions.size() == 1);
  }
  rig.sessions.pop_back();
  CHECK(rig.acceptor.take_waiting() == Taken::nobody);
  SUBCASE("then the loop leaves who comes to it") {
    rig.connect(1);
    rig.turn();
    CHECK(rig.sessions.empty());
    CHECK(rig.acceptor.take_waiting() == Taken::full);
  }
  SUBCASE("unless it is told to watch again") {
    rig.acceptor.on_session_end();
    CHECK(rig.acceptor.take_waiting() == Taken::not_now);
    rig.connect(1);
    rig.turn_until(1);
  }
}

TEST_CASE("who may not come yet is left to the loop") {
  Rig rig(1, false, 1, std::make_unique<EpollDemultiplexer>(), RateGate(20ms, 1), true);
  rig.connect(3);
  rig.turn_until(1);
  rig.sessions.pop_back();
  const Taken taken = rig.acceptor.take_waiting();
  if (taken == Taken::full) return;  // the machine was so slow that he may
  CHECK(taken == Taken::not_now);
  CHECK(rig.sessions.empty());
  rig.turn_until(1);
}

TEST_CASE("a broken socket that is met in taking who waits is met by the loop as well") {
  Rig rig(1, false, 1, std::make_unique<EpollDemultiplexer>(), {}, true);
  rig.connect(1);
  rig.turn_until(1);
  REQUIRE(::shutdown(rig.listening[0].get(), SHUT_RDWR) == 0);
  rig.sessions.pop_back();
  CHECK_THROWS_AS((void)rig.acceptor.take_waiting(), std::system_error);
  CHECK_THROWS_AS(rig.acceptor.on_session_end(), std::system_error);
}

}  // namespace
}  // namespace berth
