// One session, served by BlockingConnection or by LoopConnection, with a script for its handler and
// a thread for its client.
#pragma once

#include <doctest/doctest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include <chrono>
#include <fstream>
#include <functional>
#include <mutex>
#include <optional>
#include <sstream>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "net/socket.hpp"
#include "plugin/handler.hpp"
#include "serve/blocking_connection.hpp"
#include "serve/loop_connection.hpp"
#include "serve/loops.hpp"
#include "serve/pairs.hpp"
#include "serve/script.hpp"

namespace berth::testing {

// A log in a file of its own.
class LogFile {
 public:
  LogFile() {
    const int number = ::mkstemp(path_);
    REQUIRE(number >= 0);
    ::close(number);
    LogSettings settings;
    settings.level = LogLevel::trace;
    settings.file = path_;
    REQUIRE(log.open(settings));
  }
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;
  ~LogFile() { ::unlink(path_); }

  [[nodiscard]] std::string text() const {
    std::ostringstream all;
    all << std::ifstream(path_).rdbuf();
    return all.str();
  }
  Log log;

 private:
  char path_[32] = "/tmp/berth-unit-XXXXXX";
};

using Serve = std::function<Script(berth_connection*)>;

// A plugin made by hand whose object is a Serve.
inline const berth_plugin& script_plugin() {
  static const berth_plugin plugin = [] {
    berth_plugin table{};
    table.magic = BERTH_ABI_MAGIC;
    table.abi_major = BERTH_ABI_MAJOR;
    table.size = sizeof(berth_plugin);
    table.option_size = sizeof(berth_option);
    table.name = "script";
    table.create = [](const berth_creation* creation) -> void* {
      return const_cast<char*>(creation->settings->text.data);
    };
    table.destroy = [](void*) {};
    table.serve = [](void* serve, berth_connection* connection) {
      (*static_cast<const Serve*>(serve))(connection);
    };
    return table;
  }();
  return plugin;
}

inline Handler script_handler(const Serve& serve) {
  BoundOptions options;
  berth_setting setting{};
  setting.name = "script";
  setting.text = {reinterpret_cast<const char*>(&serve), sizeof serve};
  options.add(setting);
  return std::move(*Handler::create(script_plugin(), options));
}

class Session {
 public:
  // How it is served: with blocking system calls, or in a loop made by this.
  using Under = std::unique_ptr<Demultiplexer> (*)();
  static constexpr Under kBlocking = nullptr;

  Session(Under under, Serve serve, Pair pair = unix_pair())
      : under_(under), serve_(std::move(serve)), pair_(std::move(pair)) {
    settings.name = "echo";
    settings.handler = "script";
    settings.idle_timeout = kUnlimited;
    REQUIRE(context.stop.make_events());
    ::signal(SIGPIPE, SIG_IGN);  // as in the host
    order_ = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  }

  // Serves to the end while `client` talks to the session from a thread of its own.
  const SessionReport& run(std::function<void(const Fd&)> client) {
    std::thread thread([this, &client] {
      client(pair_.client);
      if (close_client) pair_.client.reset();
    });
    blocks() ? serve_blocking() : serve_in_loop();
    thread.join();
    return report;
  }
  // Orders, for the client's thread to give.
  void drain() { blocks() ? context.stop.drain() : give_order(kDrain); }
  void cancel() {
    if (!blocks()) return give_order(kCancel);
    // As the thread model does it: a session that the event has ended already must not be touched.
    context.stop.cancel();
    const std::scoped_lock lock(blocking_mutex_);
    if (blocking_) blocking_->interrupt();
  }

  // From the client's thread, of a session that blocks, once it serves.
  void interrupt() {
    for (;;) {
      const std::scoped_lock lock(blocking_mutex_);
      if (blocking_) return blocking_->interrupt();
    }
  }

  ListenerSettings settings;
  LogFile log;
  SessionReport report;
  bool close_client = true;
  // Changes what is accepted; the loop is null where the session blocks.
  std::function<void(AcceptedConnection&, EventLoop*)> prepare = [](auto&, auto*) {};
  std::function<void(EventLoop&)> in_loop = [](EventLoop&) {};  // before it turns

 private:
  static constexpr eventfd_t kDrain = 1, kCancel = 1000;
  void give_order(eventfd_t which) { (void)::eventfd_write(order_.get(), which); }

  [[nodiscard]] bool blocks() const { return under_ == kBlocking; }

  AcceptedConnection accepted(EventLoop* loop = nullptr) {
    AcceptedConnection made;
    made.socket = std::move(pair_.served);
    made.id = 17;
    made.accepted = Clock::now();
    prepare(made, loop);
    return made;
  }

  void serve_blocking() {
    // As the acceptor's sockets have it.
    set_send_timeout(pair_.served.get(), WriteProgress::interval(settings));
    TimerQueue timers;
    ClientWait wait;
    {
      const std::scoped_lock lock(blocking_mutex_);
      blocking_.emplace(context, accepted(), timers, buffers_, wait);
    }
    BlockingConnection::on_this_thread = &*blocking_;
    struct sigaction action {};
    action.sa_flags = SA_RESTART;
    action.sa_handler = on_urgent;
    ::sigaction(SIGURG, &action, nullptr);
    std::jthread watch([this, &wait, here = ::pthread_self()](const std::stop_token& stop) {
      watch_idle(wait, here, stop);
    });
    blocking_->serve();
    BlockingConnection::on_this_thread = nullptr;
    report = blocking_->report();
    const std::scoped_lock lock(blocking_mutex_);
    blocking_.reset();
  }
  // As the models that block do it.
  static void on_urgent(int) {
    if (auto* const served = BlockingConnection::on_this_thread) served->end_if_silent();
  }
  void watch_idle(ClientWait& wait, pthread_t served_on, const std::stop_token& stop) {
    if (settings.idle_timeout == kUnlimited) return;
    SeenWait seen;
    while (!stop.stop_requested()) {
      std::this_thread::sleep_for(IdleWatch::interval(settings.idle_timeout));
      const std::scoped_lock lock(blocking_mutex_);
      if (blocking_ && seen.give_up_if_over(wait, settings.idle_timeout, Clock::now())) {
        ::pthread_kill(served_on, SIGURG);
      }
    }
  }

  void serve_in_loop() {
    EventLoop loop(under_());
    BackgroundPool pool(loop.demultiplexer(), LoopConnection::on_call_end);
    LoopOwner owner(loop, pool);
    CallWatcher orders([this] { on_order(); });
    orders.start(loop.demultiplexer(), order_.get());
    CallTimer idle(loop.timers(), [this] { looped_->end(ETIMEDOUT); });
    if (settings.idle_timeout != kUnlimited) idle.arm(after(Clock::now(), settings.idle_timeout));
    looped_.emplace(context, accepted(&loop), owner);
    in_loop(loop);
    REQUIRE(looped_->start());
    if (!owner.is_over) loop.run();
    report = looped_->report();
    looped_.reset();
  }
  void on_order() {
    eventfd_t orders = 0;
    (void)::eventfd_read(order_.get(), &orders);
    context.stop.drain();
    orders >= kCancel ? looped_->end(ECANCELED) : looped_->begin_drain();
  }
  struct LoopOwner final : LoopConnection::Owner {
    using Owner::Owner;
    void moved(LoopConnection&) override {}
    void over(LoopConnection&) override {
      is_over = true;
      loop.stop();
    }
    bool is_over = false;
  };

  Under under_;
  Serve serve_;
  Pair pair_;
  Fd order_;
  BufferPool buffers_;
  Handler handler_ = script_handler(serve_);

 public:
  SessionContext context{settings, handler_, log.log, {}};

 private:
  std::mutex blocking_mutex_;  // guards that it is there
  std::optional<BlockingConnection> blocking_;
  std::optional<LoopConnection> looped_;
};

// Has a timer of the session's loop set the flag in a moment: never, where the session lets nobody
// else have a turn.
class SetInLoop {
 public:
  SetInLoop(Session& session, bool& flag) {
    session.in_loop = [this, &flag](EventLoop& loop) {
      timer_.emplace(loop.timers(), [this, &flag] {
        flag = true;
        timer_.reset();
      });
      timer_->arm(Clock::now() + std::chrono::milliseconds(1));
    };
  }

 private:
  std::optional<CallTimer> timer_;
};

inline std::vector<Session::Under> each_way() {
  std::vector<Session::Under> ways = each_loop();
  ways.push_back(Session::kBlocking);
  return ways;
}

// Runs a case under each way of serving.
inline void under_each(void (*check)(Session::Under)) {
  SUBCASE("blocking") { check(Session::kBlocking); }
  in_each_loop(check);
}

inline Script echo(berth_connection* c) {
  for (;;) {
    ReadOp read(c);
    co_await read;
    if (read.error != 0 || read.at_end()) break;
    WriteOp write(c, read.data());
    co_await write;
  }
  finish(c);
}

}  // namespace berth::testing
