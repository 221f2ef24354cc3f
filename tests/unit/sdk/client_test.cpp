// Connections of a session's own: made, driven, closed exactly once.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>
#include <berth/handler.hpp>

#include <cstring>
#include <optional>
#include <string>

#include "sdk/fake_host.hpp"

namespace berth {
namespace {

using namespace std::chrono_literals;
using testing::FakeHost;

struct Pair {
  Pair() { session.other = &upstream; }
  FakeHost session, upstream;
};

Task<> ask(Connection connection, std::string& answer) {
  ClientConnection upstream = co_await connection.connect("tcp://192.0.2.1:80", {.within = 5s});
  co_await upstream.write("question");
  upstream.close_write();
  const auto read = co_await upstream.read();
  if (read) answer = *read;
}

TEST_CASE("a connection that was made is read, written and closed like the served one") {
  for (const bool waits : {false, true}) {
    Pair hosts;
    hosts.session.connects_wait = waits;
    hosts.upstream.input = {{"answer"}};
    std::string answer;
    hosts.session.serve(ask(hosts.session.connection(), answer));
    hosts.session.complete_all();
    CHECK(hosts.session.connected_to == "tcp://192.0.2.1:80");
    CHECK(hosts.session.connect_duration == 5'000'000'000);
    CHECK(hosts.upstream.written == "question");
    CHECK(hosts.upstream.write_closes == 1);
    CHECK(answer == "answer");
    CHECK(hosts.upstream.closes == 1);
    CHECK(hosts.upstream.finishes == 0);
    CHECK(hosts.session.closes == 0);
    CHECK(hosts.session.finishes == 1);
    CHECK(hosts.session.outcome == BERTH_FINISHED);
  }
}

Task<> connect_to_temporary(Connection connection, std::string host) {
  const ClientConnection upstream = co_await connection.connect("tcp://" + host + ":80");
}

TEST_CASE("an address that is a temporary lives until the connection is made") {
  Pair hosts;
  hosts.session.connects_wait = true;
  hosts.session.serve(
      connect_to_temporary(hosts.session.connection(), "a-name-that-is-not-short.example"));
  hosts.session.complete_all();
  CHECK(hosts.session.connected_to == "tcp://a-name-that-is-not-short.example:80");
  CHECK(hosts.session.connect_duration == 0);
  CHECK(hosts.upstream.closes == 1);
}

std::string failure_of(int error) {
  Pair hosts;
  hosts.session.connect_error = error;
  hosts.session.serve(connect_to_temporary(hosts.session.connection(), "db"));
  CHECK(hosts.upstream.closes == 0);
  CHECK(hosts.session.outcome == BERTH_FAILED);
  return hosts.session.finish_text;
}

TEST_CASE("a connection that cannot be made fails the session with address and reason") {
  CHECK(failure_of(ECONNREFUSED) == "cannot connect to tcp://db:80: Connection refused");
  CHECK(failure_of(ETIMEDOUT) == "cannot connect to tcp://db:80: Connection timed out");
  CHECK(failure_of(EADDRNOTAVAIL) == "cannot connect to tcp://db:80: no host has that name");
  CHECK(failure_of(EAGAIN) == "cannot connect to tcp://db:80: the name server does not answer");
  CHECK(failure_of(EINVAL) == "cannot connect to tcp://db:80: that is no address to connect to");
}

Task<> try_both(Connection connection, int& first_error) {
  try {
    const ClientConnection never = co_await connection.connect("tcp://192.0.2.1:1");
  } catch (const ConnectFailed& failed) {
    first_error = failed.code().value();
  }
  co_await connection.write("sorry");
}

TEST_CASE("a handler that catches the failure goes on") {
  Pair hosts;
  hosts.session.connect_error = ECONNREFUSED;
  int error = 0;
  hosts.session.serve(try_both(hosts.session.connection(), error));
  CHECK(error == ECONNREFUSED);
  CHECK(hosts.session.written == "sorry");
  CHECK(hosts.session.outcome == BERTH_FINISHED);
}

TEST_CASE("the drain's deadline ends an attempt to connect without blame") {
  Pair hosts;
  hosts.session.connect_error = ECANCELED;
  int error = 0;
  hosts.session.serve(try_both(hosts.session.connection(), error));
  CHECK(error == 0);  // it is no failure to be tried again with another address
  CHECK(hosts.session.outcome == BERTH_LOST);
}

Task<ClientConnection> pass_through(Connection connection) {
  ClientConnection first = co_await connection.connect("tcp://192.0.2.1:80");
  ClientConnection second = std::move(first);
  co_return second;
}
Task<> keep_and_move(FakeHost& session, FakeHost& upstream, FakeHost& another) {
  Connection connection = session.connection();
  std::optional<ClientConnection> kept = co_await pass_through(connection);
  CHECK(upstream.closes == 0);
  session.other = &another;
  kept = connection.adopt(7);
  CHECK(upstream.closes == 1);
  CHECK(another.closes == 0);
  kept->close();
  CHECK(another.closes == 1);
}

TEST_CASE("a connection that is moved is closed once, by its last owner") {
  Pair hosts;
  FakeHost another;
  hosts.session.connects_wait = true;
  hosts.session.serve(keep_and_move(hosts.session, hosts.upstream, another));
  hosts.session.complete_next();
  CHECK(hosts.session.adopted == std::vector<int>{7});
}

Task<> read_line_of(Connection connection, std::string& line) {
  const ClientConnection upstream = co_await connection.connect("unix://@lines");
  Lines lines(upstream);
  const auto next = co_await lines.next();
  if (next) line = *next;
}

TEST_CASE("lines are read of a connection that was made") {
  Pair hosts;
  hosts.upstream.input = {{"fir"}, {"st\nsecond\n"}};
  std::string line;
  hosts.session.serve(read_line_of(hosts.session.connection(), line));
  CHECK(line == "first");
}

Task<> adopt_it(Connection connection, int descriptor) {
  const ClientConnection adopted = connection.adopt(descriptor);
  co_return;
}

TEST_CASE("a socket that cannot be adopted fails the session with the reason") {
  Pair hosts;
  hosts.session.adopt_error = ENOTSOCK;
  hosts.session.serve(adopt_it(hosts.session.connection(), 7));
  CHECK(hosts.session.outcome == BERTH_FAILED);
  CHECK(hosts.session.finish_text == "adopt: Socket operation on non-socket");
  hosts.session.adopt_error = ECANCELED;
  hosts.session.serve(adopt_it(hosts.session.connection(), 7));
  CHECK(hosts.session.outcome == BERTH_LOST);
  CHECK(hosts.upstream.closes == 0);
}

Task<> close_both_ways(Connection connection) {
  connection.close_write();
  connection.close_read();
  co_return;
}

TEST_CASE("each direction of the served connection can be closed") {
  FakeHost host;
  host.serve(close_both_ways(host.connection()));
  CHECK(host.write_closes == 1);
  CHECK(host.read_closes == 1);
}

// A host of version 1.1: its table ends before connect().
struct HostBefore : FakeHost {
  HostBefore() {
    std::memcpy(&table, berth_connection::host, sizeof table);
    table.size = offsetof(berth_host, connect);
    table.abi_minor = 1;
    std::memset(reinterpret_cast<char*>(&table) + table.size, 0xff, sizeof table - table.size);
    berth_connection::host = &table;
  }
  berth_host table;
};

TEST_CASE("a host that knows of no connections of a session is told of as such") {
  HostBefore connecting;
  int error = 0;
  connecting.serve(try_both(connecting.connection(), error));
  CHECK(error == ENOSYS);

  HostBefore adopting;
  const int descriptor = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  adopting.serve(adopt_it(adopting.connection(), descriptor));
  CHECK(adopting.finish_text == "adopt: Function not implemented");
  CHECK(::fcntl(descriptor, F_GETFD) == -1);  // it is closed, as it would be by the host

  HostBefore closing;
  closing.serve(close_both_ways(closing.connection()));
  CHECK(closing.finish_text == "close_write: Function not implemented");

  HostBefore asking;
  CHECK_THROWS_WITH(asking.connection().scheme(), "scheme: Function not implemented");
}

}  // namespace
}  // namespace berth
