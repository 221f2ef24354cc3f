// How the thread of a pool of one comes by its next connection.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/time.h>

#include <atomic>
#include <functional>
#include <memory>
#include <semaphore>
#include <string>

#include "model/rows.hpp"
#include "serve/session_rig.hpp"

namespace berth {
namespace {

using namespace berth::testing;

// The model and a loop that the test turns by hand; in place of an acceptor the test says what has
// come of taking the next connection.
struct Rig {
  explicit Rig(std::function<Taken()> take) {
    ::signal(SIGPIPE, SIG_IGN);  // as in the host
    settings.handler = "script";
    settings.idle_timeout = kUnlimited;
    model = kSyncModel.make({.loop = loop,
                             .sessions = context,
                             .max_connections = 1,
                             .listening_sockets = {listening.get()},
                             .channel = -1,
                             .on_session_end = [this] { ++told; },
                             .take_waiting = std::move(take)});
  }
  ~Rig() {
    context.stop.drain();
    model.reset();
  }
  Fd start() {
    Pair pair = unix_pair();
    const timeval patience{10, 0};
    REQUIRE(::setsockopt(pair.client.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) ==
            0);
    const EventLoop::Guest guest(loop);
    model->start(
        {.socket = std::move(pair.served), .peer = {}, .id = ++started, .accepted = Clock::now()});
    return std::move(pair.client);
  }
  void turn() {
    CallTimer end(loop.timers(), [this] { loop.stop(); });
    {
      const EventLoop::Guest guest(loop);
      end.arm(Clock::now());
    }
    loop.run();
  }

  Serve serve = echo;
  LogFile log;
  ListenerSettings settings;
  Handler handler = script_handler(serve);
  SessionContext context{settings, handler, log.log, {}};
  EventLoop loop{std::make_unique<EpollDemultiplexer>()};
  Fd listening = listen_somewhere();
  std::uint64_t started = 0;
  int told = 0;  // on_session_end()
  std::unique_ptr<Model> model;
};

bool is_served(Fd client) {
  char byte = 0;
  return send_all(client, "x") && ::recv(client.get(), &byte, 1, 0) == 1;
}

TEST_CASE("a thread that waits by itself is woken for what is started meanwhile") {
  std::counting_semaphore<> asked{0};
  std::atomic<int> times = 0;
  Rig rig([&] {
    asked.release();
    return ++times == 1 ? Taken::nobody : Taken::full;
  });
  CHECK(is_served(rig.start()));
  asked.acquire();
  CHECK(is_served(rig.start()));
}

TEST_CASE("while a thread waits by itself the loop is not told to watch, until there is a drain") {
  std::counting_semaphore<> asked{0};
  std::atomic<int> times = 0;
  Rig rig([&] {
    asked.release();
    return ++times == 2 ? Taken::nobody : Taken::not_now;
  });
  CHECK(is_served(rig.start()));
  asked.acquire();
  CHECK(is_served(rig.start()));  // and what the loop was to be told is stale
  asked.acquire();
  rig.turn();
  CHECK(rig.told == 0);
  rig.context.stop.drain();
  asked.acquire();
  while (rig.told == 0) rig.turn();
}

}  // namespace
}  // namespace berth
