#include "serve/header_reader.hpp"

#include <doctest/doctest.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "serve/acceptor.hpp"
#include "serve/proxy_header.hpp"
#include "serve/session_rig.hpp"

namespace berth {
namespace {

using namespace std::chrono_literals;
using namespace berth::testing;

const std::string kHeader = "PROXY TCP4 203.0.113.9 192.0.2.1 2934 443\r\n";

// A reader for a worker of at most so many connections, whose sessions only lie there.
struct Rig {
  explicit Rig(MakeDemultiplexer make = make_demultiplexer<EpollDemultiplexer>, unsigned most = 100,
               RateGate rate = {}, bool often_full = false)
      : loop(make()),
        admission(loop, context, denied),
        reader(std::make_unique<HeaderReader>(
            loop, context,
            [this](AcceptedConnection accepted) { acceptor.let_in(std::move(accepted)); },
            [this] {
              ++ends;
              deepest = std::max(deepest, ++depth);
              acceptor.on_session_end();
              --depth;
              if (ends >= wanted) loop.stop();
            })),
        acceptor(
            loop, log.log,
            {.max_connections = most,
             .often_full = often_full,
             .blocking_sockets = true,
             .rate = rate,
             .admission = &admission,
             .headers = reader.get()},
            [this] { return sessions.size() + reader->waiting(); },
            [this](AcceptedConnection accepted) { sessions.push_back(std::move(accepted)); }) {
    settings.proxy_from = {parse_network("127.0.0.0/8").value()};
    settings.handshake_timeout = 1h;
    std::vector<Acceptor::Socket> sockets;
    sockets.push_back({Fd(::dup(listening.get()))});
    acceptor.listen(std::move(sockets), {});
  }
  // A proxy that has connected and sent this.
  const Fd& connect(std::string_view bytes = "") {
    clients.push_back(std::make_unique<Fd>(connect_to(listening)));
    REQUIRE(send_all(*clients.back(), bytes));
    return *clients.back();
  }
  void turn() {
    for (int turns = 0; turns < 3; ++turns) {
      CallTimer end(loop.timers(), [this] { loop.stop(); });
      end.arm(Clock::now());
      loop.run();
    }
  }
  // Turns until so many in all have come to their end, as sessions or otherwise.
  void turn_until(std::size_t count) {
    wanted = count;
    if (ends < count) loop.run();
    wanted = SIZE_MAX;
  }
  [[nodiscard]] bool has_logged(const std::string& words) const {
    return log.text().find(words) != std::string::npos;
  }

  LogFile log;
  ListenerSettings settings;
  Serve serve = echo;
  Handler handler = script_handler(serve);
  SessionContext context{settings, handler, log.log, {}};
  EventLoop loop;
  DenialCounters denied;
  Admission admission;
  Fd listening = listen_somewhere();
  std::vector<std::unique_ptr<Fd>> clients;
  std::vector<AcceptedConnection> sessions;
  std::size_t ends = 0;
  int depth = 0;
  int deepest = 0;  // calls for an end within one another
  std::size_t wanted = SIZE_MAX;
  std::unique_ptr<HeaderReader> reader;
  Acceptor acceptor;
};

std::string text_of(const Fd& socket) { return local_address(socket.get()).text(); }

TEST_CASE("a header is read in however many pieces it comes, and nothing behind it") {
  in_each_loop([](MakeDemultiplexer make) {
    for (const std::size_t step : {1u, 7u, 20u, 1000u}) {
      Rig rig(make);
      const Fd& client = rig.connect();
      for (std::string_view rest = kHeader; !rest.empty();) {
        rig.turn();
        REQUIRE(rig.reader->waiting() == 1);
        const std::string piece(rest.substr(0, step));
        rest.remove_prefix(piece.size());
        REQUIRE(send_all(client, piece + (rest.empty() ? "data" : "")));
      }
      rig.turn_until(1);
      REQUIRE(rig.sessions.size() == 1);
      const AcceptedConnection& session = rig.sessions[0];
      CHECK(session.peer.text() == "203.0.113.9:2934");
      REQUIRE(session.proxied);
      CHECK(session.proxied->local.text() == "192.0.2.1:443");
      CHECK(session.proxied->proxy.text() == text_of(client));
      CHECK(session.id == 1);
      CHECK(receive(session.socket, 4) == "data");
      CHECK(rig.has_logged("connection 1 from 203.0.113.9:2934 through " + text_of(client) + "\n"));
    }
  });
}

TEST_CASE("what has come of a header does not keep the loop awake") {
  in_each_loop([](MakeDemultiplexer make) {
    Rig rig(make);
    rig.connect(kHeader.substr(0, 20));
    const int number = ::dup(0);  // the one that the connection gets
    ::close(number);
    rig.turn();
    REQUIRE(rig.reader->waiting() == 1);
    int unread = -1;
    REQUIRE(::ioctl(number, FIONREAD, &unread) == 0);
    CHECK(unread == 0);
  });
}

TEST_CASE("who comes from elsewhere is who it is, and a header from there is data") {
  Rig rig;
  rig.settings.proxy_from = {parse_network("10.0.0.0/8").value()};
  const Fd& client = rig.connect(kHeader);
  rig.turn();
  REQUIRE(rig.sessions.size() == 1);
  CHECK(rig.sessions[0].peer.text() == text_of(client));
  CHECK_FALSE(rig.sessions[0].proxied);
  CHECK(receive(rig.sessions[0].socket, kHeader.size()) == kHeader);
  CHECK(rig.ends == 0);
}

TEST_CASE("a header that tells of no client leaves the proxy's address") {
  Rig rig;
  const Fd& client = rig.connect("PROXY UNKNOWN\r\n");
  rig.turn_until(1);
  REQUIRE(rig.sessions.size() == 1);
  CHECK(rig.sessions[0].peer.text() == text_of(client));
  CHECK_FALSE(rig.sessions[0].proxied);
  CHECK(rig.has_logged("connection 1 from " + text_of(client) + "\n"));
}

TEST_CASE("a connection whose header is malformed is closed, the first told and others counted") {
  Rig rig;
  const Fd& first = rig.connect("GET / HTTP/1.1\r\n");
  rig.turn_until(1);
  (void)receive_until_end(first);
  CHECK(rig.has_logged("warn"));
  CHECK(rig.has_logged("connection from " + text_of(first) +
                       " is closed: its PROXY header is malformed: it begins with neither"));
  rig.connect("PROXY TCP4 \r\n");
  const std::string last = text_of(rig.connect("PROXY TCP4 \r\n"));
  rig.turn_until(3);
  CHECK_FALSE(rig.has_logged(last));
  CHECK(rig.sessions.empty());
  CHECK(rig.acceptor.accepted() == 0);
  rig.reader->close_all();
  rig.loop.timers().fire_due(rig.loop.now() + 10s);
  CHECK(rig.has_logged("2 more connections closed in the last "));
  CHECK(rig.has_logged(" for want of a good PROXY header, the last of them from " + last));
}

TEST_CASE("a connection that ends before its header is not worth a warning, but one within is") {
  Rig rig;
  rig.connect();
  rig.turn();
  rig.clients.clear();
  rig.turn_until(1);
  CHECK_FALSE(rig.has_logged("warn"));
  CHECK(rig.has_logged("came to nothing: it ended before its PROXY header"));
  rig.connect("PROXY ");
  rig.turn();
  rig.clients.clear();
  rig.turn_until(2);
  CHECK(rig.has_logged("is closed: it ended within its PROXY header"));
}

TEST_CASE("a header that does not come in time closes its connection, and no other") {
  in_each_loop([](MakeDemultiplexer make) {
    Rig rig(make);
    rig.settings.handshake_timeout = 50ms;
    const TimePoint start = Clock::now();
    const Fd& silent = rig.connect();
    const Fd& slow = rig.connect("PROXY TCP4 203.0.113.9");
    rig.turn();
    rig.settings.handshake_timeout = 1h;
    const Fd& later = rig.connect();
    rig.turn_until(2);
    CHECK(Clock::now() - start >= 50ms);
    rig.turn();  // io_uring lets go of a socket in the turn after
    CHECK(receive_until_end(silent).empty());
    CHECK(receive_until_end(slow).empty());
    CHECK(rig.reader->waiting() == 1);
    CHECK(rig.has_logged("connection from " + text_of(silent) +
                         " is closed: no whole PROXY header has come within handshake_timeout"));
    REQUIRE(send_all(later, kHeader));
    rig.turn_until(3);
    CHECK(rig.sessions.size() == 1);
  });
}

TEST_CASE("what waits for a header counts towards the limit, and makes room when it ends") {
  in_each_loop([](MakeDemultiplexer make) {
    Rig rig(make, 2);
    rig.connect();
    const Fd& second = rig.connect();
    const Fd& third = rig.connect("PROXY UNKNOWN\r\n");
    rig.turn();
    CHECK(rig.reader->waiting() == 2);
    CHECK(rig.sessions.empty());
    CHECK(rig.has_logged("2 connections, as many as there may be"));
    REQUIRE(send_all(second, "what"));
    rig.turn_until(2);
    REQUIRE(rig.sessions.size() == 1);
    CHECK(rig.sessions[0].peer.text() == text_of(third));
    CHECK(rig.reader->waiting() == 1);
    REQUIRE(send_all(*rig.clients[0], kHeader));
    rig.connect("PROXY UNKNOWN\r\n");
    rig.turn_until(3);
    rig.turn();
    CHECK(rig.sessions.size() == 2);
    CHECK(rig.reader->waiting() == 0);
  });
}

TEST_CASE("where it is often full, headers that fail at once are not taken within one another") {
  Rig rig(make_demultiplexer<EpollDemultiplexer>, 1, {}, true);
  rig.connect(kHeader);
  rig.turn_until(1);
  constexpr std::size_t kFailing = 20;
  for (std::size_t i = 0; i < kFailing; ++i) rig.connect("what");
  rig.connect(kHeader);
  rig.turn();
  REQUIRE(rig.sessions.size() == 1);
  rig.sessions.clear();
  rig.acceptor.on_session_end();
  rig.turn_until(kFailing + 2);
  CHECK(rig.sessions.size() == 1);
  CHECK(rig.deepest == 1);
}

TEST_CASE("the client is let in or denied, and not its proxy") {
  Rig rig;
  rig.settings.deny = {parse_network("203.0.113.0/24").value()};
  const Fd& denied = rig.connect(kHeader);
  rig.turn_until(1);
  CHECK(receive_until_end(denied).empty());
  CHECK(rig.denied.of(Denial::address) == 1);
  CHECK(rig.has_logged("connection from 203.0.113.9:2934 denied: its address is in 'deny'"));
  rig.settings.deny = {parse_network("127.0.0.0/8").value()};
  rig.connect(kHeader);
  rig.turn_until(2);
  REQUIRE(rig.sessions.size() == 1);
  CHECK(rig.sessions[0].id == 1);
}

TEST_CASE("a rate is counted when a connection comes, and not when its header does") {
  Rig rig(make_demultiplexer<EpollDemultiplexer>, 100, RateGate(1h, 2));
  rig.connect();
  rig.connect();
  rig.connect();
  rig.turn();
  CHECK(rig.reader->waiting() == 2);
  for (const auto& client : rig.clients) REQUIRE(send_all(*client, kHeader));
  rig.turn_until(2);
  rig.turn();
  CHECK(rig.sessions.size() == 2);
  CHECK(rig.reader->waiting() == 0);
}

TEST_CASE("what has been accepted before the sockets are closed is let in when its header comes") {
  Rig rig;
  const Fd& waiting = rig.connect();
  rig.turn();
  const Fd& in_queue = rig.connect();
  rig.acceptor.close(Acceptor::Queues::emptied);
  CHECK(rig.reader->waiting() == 2);
  REQUIRE(send_all(waiting, kHeader));
  REQUIRE(send_all(in_queue, kHeader));
  rig.turn_until(2);
  CHECK(rig.sessions.size() == 2);
}

TEST_CASE("all that wait can be closed at once") {
  Rig rig;
  const Fd& client = rig.connect("PROXY");
  rig.turn();
  rig.reader->close_all();
  CHECK(rig.reader->waiting() == 0);
  CHECK(rig.ends == 0);
  (void)receive_until_end(client);
}

TEST_CASE("a forked process can close its copies and disturb nobody") {
  Rig rig;
  const Fd& client = rig.connect();
  const int number = ::dup(0);
  ::close(number);
  rig.turn();
  REQUIRE(rig.reader->waiting() == 1);
  const pid_t child = ::fork();
  if (child == 0) {
    rig.reader->close_copies();
    ::_exit(::fcntl(number, F_GETFD) < 0 && errno == EBADF ? 0 : 1);
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  REQUIRE(send_all(client, kHeader));
  rig.turn_until(1);
  CHECK(rig.sessions.size() == 1);
}

}  // namespace
}  // namespace berth
