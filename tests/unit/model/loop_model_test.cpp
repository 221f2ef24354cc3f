#include "model/loop_model.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <future>
#include <latch>
#include <string>
#include <vector>

#include "serve/session_rig.hpp"

namespace berth {
namespace {

using namespace std::chrono_literals;
using namespace berth::testing;

constexpr std::chrono::nanoseconds kLong = 1h;

// The model in its loop, with sessions that all run one script.
struct Rig {
  explicit Rig(Serve script, MakeDemultiplexer make = make_demultiplexer<SelectDemultiplexer>)
      : serve(std::move(script)), loop(make()) {
    settings.handler = "script";
    settings.idle_timeout = kUnlimited;
  }
  // Starts a session; the answer is its client.
  Fd start(Pair pair = unix_pair()) {
    if (!model) {
      model.emplace(ModelContext{.loop = loop,
                                 .sessions = context,
                                 .max_connections = 100,
                                 .listening_sockets = {},
                                 .channel = -1,
                                 .on_session_end = [this] {
                                   ++ended;
                                   if (ended >= wanted) loop.stop();
                                 }});
    }
    model->start(
        {.socket = std::move(pair.served), .peer = {}, .id = ++started, .accepted = Clock::now()});
    return std::move(pair.client);
  }
  void turn_until_ended(int count) {
    wanted = count;
    if (ended < count) loop.run();
  }

  Serve serve;
  LogFile log;
  ListenerSettings settings;
  Handler handler = script_handler(serve);
  SessionContext context{settings, handler, log.log, {}};
  EventLoop loop;
  std::uint64_t started = 0;
  int ended = 0, wanted = 0;
  std::optional<LoopModel> model;
};

TEST_CASE("a loop serves the others while one of its sessions sleeps") {
  Rig rig([](berth_connection* c) -> Script {
    if (c->host->id(c) == 1) {
      SleepOp sleep(c, kLong);
      co_await sleep;
    }
    ReadOp read(c);
    co_await read;
    finish(c);
  });
  const Fd sleeper = rig.start();
  std::vector<Fd> others;
  for (int i = 0; i < 20; ++i) others.push_back(rig.start());
  CHECK(rig.model->sessions() == 21);
  others.clear();
  rig.turn_until_ended(20);
  CHECK(rig.model->sessions() == 1);
  rig.model->cancel_sessions();
  CHECK(rig.model->sessions() == 0);
}

TEST_CASE("a session that is over before it waits is counted and told like any other") {
  Rig rig([](berth_connection* c) -> Script {
    WriteOp write(c, "bye");
    co_await write;
    finish(c, BERTH_FAILED, "at once");
    co_return;
  });
  Fd client = rig.start();
  client.reset();
  rig.turn_until_ended(1);
  CHECK(rig.model->sessions() == 0);
  CHECK(rig.log.text().find("connection 1 from unknown ended: 0 B in, 3 B out") !=
        std::string::npos);
}

TEST_CASE("the idle timeout ends those that wait for their client, and no sleeper") {
  std::vector<int> errors;
  Rig rig([&](berth_connection* c) -> Script {
    if (c->host->id(c) == 1) {
      SleepOp sleep(c, kLong);
      co_await sleep;
    } else {
      ReadOp read(c);
      co_await read;
      errors.push_back(read.error);
    }
    finish(c);
  });
  rig.settings.idle_timeout = 2ms;
  const Fd clients[] = {rig.start(), rig.start(), rig.start()};
  rig.turn_until_ended(2);
  CHECK(errors == std::vector{ETIMEDOUT, ETIMEDOUT});
  CHECK(rig.model->sessions() == 1);
  CHECK(rig.log.text().find("the client was silent for too long") != std::string::npos);
  rig.model->cancel_sessions();
}

TEST_CASE("sessions that have lasted too long are ended, the sleepers and the busy ones too") {
  std::vector<int> errors;
  Rig rig([&](berth_connection* c) -> Script {
    if (c->host->id(c) == 1) {
      SleepOp sleep(c, kLong);
      co_await sleep;
      errors.push_back(sleep.error);
    } else {
      for (;;) {
        ReadOp read(c);
        co_await read;
        if (read.error == 0) continue;
        errors.push_back(read.error);
        break;
      }
    }
    finish(c);
  });
  rig.settings.session_timeout = 20ms;
  const Fd clients[] = {rig.start(), rig.start(), rig.start()};
  CallTimer busy(rig.loop.timers(), [&] {
    (void)send_all(clients[2], "x");
    busy.arm(Clock::now() + 1ms);
  });
  busy.arm(Clock::now());
  rig.turn_until_ended(3);
  CHECK(errors == std::vector{ECANCELED, ECANCELED, ECANCELED});
  const std::string words = "it had lasted too long (session_timeout)";
  CHECK(rig.log.text().find(words) != rig.log.text().rfind(words));
}

TEST_CASE("a session ends when its time is over though another one began earlier and has gone") {
  Rig rig([](berth_connection* c) -> Script {
    ReadOp read(c);
    co_await read;
    finish(c);
  });
  rig.settings.session_timeout = 20ms;
  Fd first = rig.start();
  const Fd second = rig.start();
  first.reset();
  rig.turn_until_ended(2);
  CHECK(rig.log.text().find("connection 2 from unknown ended: 0 B in, 0 B out") !=
        std::string::npos);
  CHECK(rig.log.text().find("session_timeout") != std::string::npos);
}

TEST_CASE("a client that takes nothing of a write is given up, even if it sends") {
  in_each_loop([](MakeDemultiplexer make) {
    const std::string large(8'000'000, 'x');
    std::vector<int> errors;
    bool over = false;
    Rig rig(
        [&](berth_connection* c) -> Script {
          const auto read_on = [&]() -> Script {
            while (!over) {
              ReadOp read(c);
              co_await read;
              if (read.error != 0) break;
            }
          };
          read_on();
          WriteOp write(c, large);
          co_await write;
          errors.push_back(write.error);
          over = true;
          finish(c);
        },
        make);
    rig.settings.write_timeout = 40ms;
    const Fd client = rig.start(tcp_pair());
    CallTimer busy(rig.loop.timers(), [&] {
      (void)send_all(client, "x");
      busy.arm(Clock::now() + 1ms);
    });
    busy.arm(Clock::now());
    const TimePoint start = Clock::now();
    rig.turn_until_ended(1);
    CHECK(Clock::now() - start >= 40ms);
    CHECK(errors == std::vector{ETIMEDOUT});
    CHECK(rig.log.text().find("took nothing of a reply for too long (write_timeout)") !=
          std::string::npos);
  });
}

TEST_CASE("the idle timeout ends no session that waits for a call in the background") {
  std::promise<void> go_on;
  std::vector<int> errors;
  Rig rig([&](berth_connection* c) -> Script {
    if (c->host->id(c) == 1) {
      CallOp call(c, [&] { go_on.get_future().wait(); });
      co_await call;
      WriteOp write(c, "still here");
      co_await write;
      errors.push_back(write.error);
    } else {
      ReadOp read(c);
      co_await read;
      errors.push_back(read.error);
    }
    finish(c, BERTH_FAILED, "so that nobody lingers");
  });
  rig.settings.idle_timeout = 2ms;
  const Fd caller = rig.start();
  for (int i = 1; i <= 3; ++i) {  // each has been silent for longer than the one before
    const Fd reader = rig.start();
    rig.turn_until_ended(i);
  }
  go_on.set_value();
  rig.turn_until_ended(4);
  CHECK(errors == std::vector{ETIMEDOUT, ETIMEDOUT, ETIMEDOUT, 0});
}

TEST_CASE("a cancel ends the calls that have not begun, and the others when they are through") {
  const int threads = static_cast<int>(BackgroundPool::usual_size());
  std::latch all_run(threads + 1), go_on(1);
  std::atomic<int> called = 0;
  std::vector<int> errors;
  Rig rig([&](berth_connection* c) -> Script {
    CallOp call(c, [&] {
      ++called;
      all_run.arrive_and_wait();
      go_on.wait();
    });
    co_await call;
    errors.push_back(call.error);
    finish(c);
  });
  std::vector<Fd> clients;
  for (int i = 0; i < threads; ++i) clients.push_back(rig.start());
  all_run.arrive_and_wait();
  for (int i = 0; i < 3; ++i) clients.push_back(rig.start());
  rig.model->cancel_sessions();
  CHECK(rig.model->sessions() == static_cast<std::size_t>(threads) + 3);
  rig.turn_until_ended(3);
  CHECK(errors == std::vector{ECANCELED, ECANCELED, ECANCELED});
  go_on.count_down();
  rig.turn_until_ended(threads + 3);
  CHECK(std::count(errors.begin(), errors.end(), 0) == threads);
  CHECK(called == threads);
}

TEST_CASE("a handler that holds the loop up is told in the log by its name, and not each time") {
  Rig rig([](berth_connection* c) -> Script {
    ReadOp read(c);
    co_await read;
    std::this_thread::sleep_for(120ms);
    finish(c, BERTH_FAILED, "so that nobody lingers");
  });
  for (int i = 1; i <= 2; ++i) {
    const Fd client = rig.start();
    REQUIRE(send_all(client, "x"));
    rig.turn_until_ended(i);
  }
  const std::string log = rig.log.text();
  const std::string words = "handler 'script' held the event loop up for ";
  CHECK(log.find(words) != std::string::npos);
  CHECK(log.find(words) == log.rfind(words));
  CHECK(log.find("warn") != std::string::npos);
}

TEST_CASE("every session of a loop learns of a drain, whatever it waits for") {
  int ends = 0, stopping = 0;
  Rig rig([&](berth_connection* c) -> Script {
    const bool may_end_at_once = c->host->id(c) == 1;
    if (!may_end_at_once) {
      ReadOp first(c);
      co_await first;
    }
    ReadOp second(c, 0ns, true);
    co_await second;
    ends += second.at_end() && second.error == 0 ? 1 : 0;
    stopping += c->host->stopping(c);
    finish(c, BERTH_FAILED, "so that nobody lingers");
  });
  Fd one = rig.start(), two = rig.start();
  rig.model->begin_drain();
  CHECK(ends == 1);
  CHECK(send_all(two, "x"));
  one.reset();
  two.reset();
  rig.turn_until_ended(2);
  CHECK(ends == 2);
  CHECK(stopping == 2);
}

TEST_CASE("a cancel leaves no session of a loop behind, lingering ones too") {
  std::vector<int> errors;
  Rig rig([&](berth_connection* c) -> Script {
    if (c->host->id(c) == 1) {
      finish(c);  // and waits for its client to close
      co_return;
    }
    ReadOp read(c);
    co_await read;
    errors.push_back(read.error);
    finish(c);
  });
  const Fd clients[] = {rig.start(), rig.start(), rig.start()};
  CHECK(rig.model->sessions() == 3);
  rig.model->cancel_sessions();
  CHECK(rig.model->sessions() == 0);
  CHECK(rig.ended == 3);
  CHECK(errors == std::vector{ECANCELED, ECANCELED});
}

}  // namespace
}  // namespace berth
