#include <doctest/doctest.h>

#include <stdexcept>

#include "sdk/fake_host.hpp"

namespace berth {
namespace {

using namespace std::chrono_literals;
using testing::FakeHost;

Task<> echo(Connection connection) {
  while (auto message = co_await connection.read()) {
    co_await connection.write("Echo=>", *message, " at ", std::string("now"));
  }
}

TEST_CASE("a session reads and writes whether the host is through at once or later") {
  for (const bool waits : {false, true}) {
    CAPTURE(waits);
    FakeHost host;
    host.reads_wait = host.writes_wait = waits;
    host.input = {{"Hello"}, {"world"}};
    host.serve(echo(host.connection()));
    host.complete_all();
    CHECK(host.written == "Echo=>Hello at nowEcho=>world at now");
    CHECK(host.reads == 3);
    CHECK(host.finishes == 1);
    CHECK(host.outcome == BERTH_FINISHED);
    CHECK(host.finish_text.empty());
  }
}

Task<> write_kinds(Connection connection) {
  const std::string text = "string ";
  const std::string_view view = "view ";
  const char* const pointer = "pointer ";
  co_await connection.write(text, view, pointer, "literal ", std::string("temporary"));
  co_await connection.write("");
}

TEST_CASE("all parts of a write go to the host as one, in order") {
  FakeHost host;
  host.serve(write_kinds(host.connection()));
  CHECK(host.written == "string view pointer literal temporary");
  CHECK(host.part_counts == std::vector<std::size_t>{5, 1});
}

Task<> sleep_long(Connection connection) {
  co_await connection.sleep_for(250ms);
  co_await connection.sleep_for(0s);
  co_await connection.sleep_for(1.5s);
  co_await connection.sleep_for(std::chrono::hours::max());
  co_await connection.sleep_for(-1s);
}

TEST_CASE("a sleep of any duration arrives in nanoseconds, the endless one as the longest") {
  FakeHost host;
  host.serve(sleep_long(host.connection()));
  CHECK(host.sleeps == std::vector<std::int64_t>{250'000'000, 0, 1'500'000'000,
                                                 std::numeric_limits<std::int64_t>::max(),
                                                 -1'000'000'000});
}

Task<> read_with(Connection connection, ReadOptions options) {
  (void)co_await connection.read(options);
}

TEST_CASE("a read carries its options, and none where none are given") {
  FakeHost host;
  host.serve(read_with(host.connection(), {.within = 5s, .ends_on_stop = true}));
  CHECK(host.read_duration == 5'000'000'000);
  CHECK(host.read_flags == BERTH_ENDS_ON_STOP);
  host.serve(read_with(host.connection(), {}));
  CHECK(host.read_duration == 0);
  CHECK(host.read_flags == 0);
}

Task<> read_empty(Connection connection, std::optional<std::size_t>& size) {
  if (const auto data = co_await connection.read()) size = data->size();
}

TEST_CASE("an empty datagram is data and not the end") {
  FakeHost host;
  host.input = {{""}};
  std::optional<std::size_t> size;
  host.serve(read_empty(host.connection(), size));
  CHECK(size == 0);
}

Task<> keep_error(Connection connection, int& error, std::string& kind) {
  try {
    (void)co_await connection.read();
  } catch (const ConnectionLost& lost) {
    error = lost.code().value();
    kind = lost.timed_out() ? "timed out" : lost.cancelled() ? "cancelled" : "lost";
  } catch (const std::logic_error& fault) {
    kind = fault.what();
  }
}

TEST_CASE("a failed operation throws ConnectionLost of its kind, a misused one a logic_error") {
  struct Row {
    int error;
    int told;
    const char* kind;
  };
  for (const Row& row :
       {Row{ECONNRESET, ECONNRESET, "lost"}, Row{EPIPE, EPIPE, "lost"}, Row{ENOMEM, ENOMEM, "lost"},
        Row{ETIMEDOUT, ETIMEDOUT, "timed out"}, Row{ECANCELED, ECANCELED, "cancelled"},
        Row{EBUSY, 0, "two reads or two writes at once on one connection"},
        Row{EINVAL, 0, "an operation that makes no sense"}}) {
    CAPTURE(row.error);
    FakeHost host;
    host.input = {{"", row.error}};
    int error = 0;
    std::string kind;
    host.serve(keep_error(host.connection(), error, kind));
    CHECK(error == row.told);
    CHECK(kind == row.kind);
    CHECK(host.outcome == BERTH_FINISHED);
  }
}

Task<> throw_something(Connection connection, int what) {
  co_await connection.sleep_for(1s);
  if (what == 1) throw std::runtime_error("out of luck");
  if (what == 2) throw 42;
  (void)co_await connection.read();
}

TEST_CASE("how a session ended is told once, with the text of what it threw") {
  struct Row {
    int what;
    int outcome;
    std::string text;
  };
  const std::string lost = ConnectionLost(ECONNRESET).what();
  for (const Row& row : {Row{0, BERTH_LOST, lost}, Row{1, BERTH_FAILED, "out of luck"},
                         Row{2, BERTH_FAILED, "an exception that is not a std::exception"}}) {
    for (const bool waits : {false, true}) {
      CAPTURE(row.what);
      CAPTURE(waits);
      FakeHost host;
      host.sleeps_wait = waits;
      host.input = {{"", ECONNRESET}};
      host.serve(throw_something(host.connection(), row.what));
      host.complete_all();
      CHECK(host.finishes == 1);
      CHECK(host.outcome == row.outcome);
      CHECK(host.finish_text == row.text);
    }
  }
}

TEST_CASE("a connection tells who it is") {
  FakeHost host;
  Connection connection = host.connection();
  CHECK(connection.peer() == "192.0.2.7:2934");
  CHECK(connection.local() == "127.0.0.1:50007");
  CHECK(connection.scheme() == "tls");
  CHECK(connection.listener() == "echo");
  CHECK(connection.id() == 17);
  CHECK_FALSE(connection.stopping());
  host.stopping = true;
  CHECK(connection.stopping());
}

TEST_CASE("a text longer than the SDK's buffer comes whole") {
  FakeHost host;
  for (const std::size_t length : {127, 128, 129, 1000}) {
    host.peer_text = std::string(length, 'p') + "!";
    CHECK(host.connection().peer() == host.peer_text);
  }
}

TEST_CASE("a log line passes its level and its text") {
  FakeHost host;
  Connection connection = host.connection();
  connection.log(Level::debug, "one");
  connection.log(Level::error, "two");
  using Line = std::pair<int, std::string>;
  CHECK(host.logged == std::vector<Line>{{BERTH_DEBUG, "one"}, {BERTH_ERROR, "two"}});
}

}  // namespace
}  // namespace berth
