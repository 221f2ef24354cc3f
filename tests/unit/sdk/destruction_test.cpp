// Every frame, every parameter and every temporary is destroyed exactly once, whatever the way.
#include <doctest/doctest.h>

#include <functional>
#include <stdexcept>

#include "sdk/counted.hpp"
#include "sdk/fake_host.hpp"

namespace berth {
namespace {

using testing::Counted;
using testing::FakeHost;

Task<Counted> make(Counted parameter) { co_return parameter; }

Task<> write_temporaries(Connection connection, Counted parameter) {
  const Counted local;
  co_await connection.write(Counted("a"), parameter, Counted(std::string(100, 'b')), local);
}

Task<> read_and_write(Connection connection, Counted parameter) {
  const Counted local;
  while (auto message = co_await connection.read()) {
    co_await connection.write(Counted("<"), *message, Counted(">"));
    const Counted made = co_await make(parameter);
    co_await write_temporaries(connection, made);
  }
}

Task<> when_all_of_them(Connection connection, Counted parameter) {
  const Counted local;
  co_await when_all(read_and_write(connection, parameter), make(local), make(Counted("c")));
}

Task<> fail_late(Connection connection, Counted parameter) {
  co_await write_temporaries(connection, parameter);
  throw std::runtime_error(std::string(std::string_view(parameter)));
}

Task<> when_all_with_a_fault(Connection connection, Counted parameter) {
  const Counted local;
  co_await when_all(read_and_write(connection, parameter), fail_late(connection, Counted("d")));
}

// What no task awaits: an argument of a session that ends by an exception before its first wait.
Task<> fail_at_once(Connection, Counted parameter) {
  const Counted local = parameter;
  throw std::runtime_error("at once");
  co_return;
}

Task<> drop_tasks(Connection connection, Counted parameter) {
  const Task<Counted> unawaited = make(parameter);
  co_await connection.sleep_for(std::chrono::seconds(1));
}

struct Case {
  const char* name;
  Task<> (*session)(Connection, Counted);
};
constexpr Case kSessions[] = {
    {"write_temporaries", write_temporaries},
    {"read_and_write", read_and_write},
    {"when_all_of_them", when_all_of_them},
    {"fail_late", fail_late},
    {"when_all_with_a_fault", when_all_with_a_fault},
    {"fail_at_once", fail_at_once},
    {"drop_tasks", drop_tasks},
};

struct Way {
  const char* name;
  std::function<void(FakeHost&)> prepare;
};
const Way kWays[] = {
    {"all is well", [](FakeHost&) {}},
    {"the read fails", [](FakeHost& host) { host.input[1].error = ECONNRESET; }},
    {"the write fails", [](FakeHost& host) { host.write_error = EPIPE; }},
    {"the sleep fails", [](FakeHost& host) { host.sleep_error = ECANCELED; }},
};

TEST_CASE("what a session holds is destroyed exactly once on every way out") {
  for (const Case& session : kSessions) {
    for (const Way& way : kWays) {
      for (const bool waits : {false, true}) {
        CAPTURE(session.name);
        CAPTURE(way.name);
        CAPTURE(waits);
        Counted::reset();
        FakeHost host;
        host.reads_wait = host.writes_wait = host.sleeps_wait = waits;
        host.input = {{"one"}, {"two"}};
        way.prepare(host);
        host.serve(session.session(host.connection(), Counted("p")));
        host.complete_all();
        CHECK(host.finishes == 1);
        CHECK(Counted::made() > 0);
        CHECK(Counted::alive() == 0);
        CHECK(Counted::faults() == 0);
      }
    }
  }
}

TEST_CASE("temporaries of a write live until the write is done, and not longer") {
  Counted::reset();
  FakeHost host;
  host.writes_wait = true;
  host.serve(write_temporaries(host.connection(), Counted("p")));
  CHECK(Counted::alive() == 4);
  host.complete_next();
  CHECK(host.written == "ap" + std::string(100, 'b') + "x");
  CHECK(Counted::alive() == 0);
}

Task<> note_alive(Connection connection, Counted, std::size_t& alive) {
  co_await connection.sleep_for(std::chrono::seconds(1));
  alive = Counted::alive();
}

// Stands for the host: sees how many were left when the session was finished.
struct WatchingHost : berth_connection {
  berth_host table;
  std::size_t alive_at_finish = 99;

  WatchingHost() : berth_connection{&table}, table(*FakeHost().host) {
    table.finish = [](berth_connection* c, int, berth_bytes) {
      static_cast<WatchingHost*>(c)->alive_at_finish = Counted::alive();
    };
    table.sleep = [](berth_connection*, berth_operation* operation) {
      operation->error = 0;
      return int{BERTH_DONE};
    };
  }
};

TEST_CASE("nothing of the handler's is left when the session is finished") {
  Counted::reset();
  WatchingHost host;
  std::size_t alive = 0;
  Task<> session = note_alive(Connection(&host), Counted(), alive);
  const auto coroutine = session.release();
  coroutine.promise().session = &host;
  coroutine.resume();
  CHECK(alive == 1);
  CHECK(host.alive_at_finish == 0);
}

}  // namespace
}  // namespace berth
