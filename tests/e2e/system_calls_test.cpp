// System calls that fail, or that a process dies in: injected by strace(1) into a worker that runs.
#include <doctest/doctest.h>
#include <signal.h>

#include <chrono>
#include <exception>
#include <regex>
#include <set>
#include <string>

#include "client.hpp"
#include "host_process.hpp"
#include "models.hpp"
#include "processes.hpp"
#include "strace.hpp"
#include "wait_for.hpp"

using namespace e2e;

namespace {

std::string echo(Client& client, const std::string& message) {
  client.send(message);
  return client.read_exactly(message.size());
}

// One connection from its beginning to its end: whether all of it went well.
bool try_exchange(std::uint16_t port) {
  try {
    Client client(port);
    if (echo(client, "hello") != "hello") return false;
    client.finish_sending();
    return client.read_to_end().empty();
  } catch (const std::exception&) {
    return false;
  }
}

// What makes forks or threads: glibc has both call one of these.
constexpr const char* kClones = "clone,clone3";

std::string failing(const std::string& calls, const char* error, const char* when) {
  return "inject=" + calls + ":error=" + error + ":when=" + when;
}

// A listener and beside it another, each with one client already.
struct Scene {
  explicit Scene(const char* model)
      : host(one_listener(model, "faulty").listener("other", model, "faulty")),
        beside(host.port()),
        elsewhere(host.port("other")) {
    REQUIRE(echo(beside, "before") == "before");
    REQUIRE(echo(elsewhere, "before") == "before");
  }

  HostProcess host;
  Client beside;
  Client elsewhere;
};

// What one connection makes its worker and its session call.
std::set<std::string> calls_of_a_connection(const char* model) {
  Scene scene(model);
  Strace strace(scene.host.worker(), {"trace=all"});
  REQUIRE(try_exchange(scene.host.port()));
  scene.host.log().wait_for(" ended: ");
  strace.stop();
  static const std::regex form(R"((?:\[pid +\d+\] )?\d+\.\d+ (\w+)\(.*)");
  std::set<std::string> calls;
  for (const auto& line : strace.calls().lines()) {
    std::smatch parts;
    if (std::regex_match(line.whole, parts, form)) calls.insert(parts[1]);
  }
  // What does not come back from the kernel, where a signal would be met.
  for (const char* last : {"exit", "exit_group", "rt_sigreturn", "restart_syscall"}) {
    calls.erase(last);
  }
  return calls;
}

void crash_in(const std::string& call, const char* model, bool own_process) {
  CAPTURE(call);
  Scene scene(model);
  // Of a process that died before it could note why, signal-fork does not learn it.
  constexpr const char* kUnknown = "its process ended without finishing it";
  scene.host.allow_error("SIGSEGV");
  scene.host.allow_error(kUnknown);
  Strace strace(scene.host.worker(), {"trace=" + call, "inject=" + call + ":signal=SEGV:when=1"});
  const bool served = try_exchange(scene.host.port());  // this one may be lost
  const auto crashed = [&] {
    return scene.host.log().count("SIGSEGV") + scene.host.log().count(kUnknown) > 0;
  };
  // Not in the midst of it: strace, when it lets go, may take a signal along.
  CHECK(wait_until([&] { return crashed() || scene.host.log().count(" ended: ") > 0; }));
  // The allocator calls these when it likes: once when it was watched, and maybe not again.
  static const std::set<std::string> of_allocator = {"brk", "madvise", "mmap", "mprotect",
                                                     "munmap"};
  // And under prefork a process may have served that was there before, and is not traced.
  const bool must_crash = of_allocator.count(call) == 0 && std::string(model) != "prefork";
  const bool was_hit = strace.calls().count("--- SIGSEGV") > 0;
  if (!served || must_crash || was_hit) CHECK(wait_until(crashed));
  strace.stop();
  CHECK(try_exchange(scene.host.port()));
  CHECK(echo(scene.elsewhere, "after") == "after");
  if (own_process) CHECK(echo(scene.beside, "after") == "after");
}

}  // namespace

TEST_CASE_TEMPLATE("a crash in any system call costs no more than its model says", Model,
                   EACH_MODEL) {
  LEAVE_OUT_UNLESS_TRACEABLE();
  const auto calls = calls_of_a_connection(Model::name);
  REQUIRE(calls.count("accept4") == 1);
  for (const auto& call : calls) crash_in(call, Model::name, Model::own_process);
}

TEST_CASE_TEMPLATE("after an error of the connection accept takes the next one at once", Model,
                   EACH_MODEL) {
  LEAVE_OUT_UNLESS_TRACEABLE();
  HostProcess host(one_listener(Model::name, "faulty"));
  for (const char* error : {"EPROTO", "ENETDOWN", "EPERM", "ECONNABORTED", "EINTR"}) {
    CAPTURE(error);
    Strace strace(host.worker(), {"trace=accept4", failing("accept4", error, "1..3")});
    CHECK(try_exchange(host.port()));
    strace.stop();
    CHECK(strace.calls().count("(INJECTED)") == 3);
  }
  CHECK(host.log().count("cannot accept") == 0);
  CHECK(host.log().count("is ready (pid ") == 1);
}

TEST_CASE_TEMPLATE("accept is called once a connection, and not to find out that there is none",
                   Model, EACH_MODEL) {
  LEAVE_OUT_UNLESS_TRACEABLE();
  HostProcess host(one_listener(Model::name, "faulty"));
  Strace strace(host.worker(), {"trace=accept4"});
  for (int i = 0; i < 5; ++i) REQUIRE(try_exchange(host.port()));
  host.log().wait_for(" ended: ", 5);
  strace.stop();
  CHECK(strace.calls().count("accept4(") == 5);
  CHECK(strace.calls().count("EAGAIN") == 0);
}

TEST_CASE_TEMPLATE("where the system lacks something accept is tried again ten times a second",
                   Model, EACH_MODEL) {
  LEAVE_OUT_UNLESS_TRACEABLE();
  HostProcess host(one_listener(Model::name, "faulty"));
  const auto start = std::chrono::steady_clock::now();
  for (const char* error : {"EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"}) {
    CAPTURE(error);
    Strace strace(host.worker(), {"trace=accept4", failing("accept4", error, "1..6")});
    CHECK(try_exchange(host.port()));
    strace.stop();
    REQUIRE(strace.calls().count("(INJECTED)") == 6);
    // A loop that does not rest comes to 228,000 of these a second. Over several rests, since each
    // time may have been taken late.
    CHECK(strace.time_of("(INJECTED)", 6) - strace.time_of("(INJECTED)", 1) > 0.4);
  }
  const auto took = std::chrono::steady_clock::now() - start;
  const auto lines = host.log().count("cannot accept: ");
  CHECK(lines > 0);
  CHECK(lines <= 1 + static_cast<std::size_t>(took / std::chrono::seconds(10)));
  CHECK(host.log().count("is ready (pid ") == 1);
}

TEST_CASE_TEMPLATE("where no process can be made that client alone is let go", Model, e2e::Fork,
                   e2e::SignalFork) {
  LEAVE_OUT_UNLESS_TRACEABLE();
  Scene scene(Model::name);
  scene.host.expect_error("is closed: cannot start a process: Resource temporarily unavailable");
  Strace strace(scene.host.worker(), {"trace=process", failing(kClones, "EAGAIN", "1..2")});
  CHECK_FALSE(try_exchange(scene.host.port()));
  CHECK_FALSE(try_exchange(scene.host.port()));
  CHECK(try_exchange(scene.host.port()));
  strace.stop();
  CHECK(scene.host.log().count("cannot start a process") == 2);
  CHECK(echo(scene.beside, "after") == "after");
  CHECK(echo(scene.elsewhere, "after") == "after");
}

TEST_CASE("where no thread can be made a client waits for one, or is let go if there is none") {
  LEAVE_OUT_UNLESS_TRACEABLE();
  HostProcess host(one_listener("thread", "faulty"));
  host.expect_error("connection 1 is closed: cannot start a thread");
  Strace strace(host.worker(), {"trace=process", failing(kClones, "EAGAIN", "1+2")});
  CHECK_FALSE(try_exchange(host.port()));
  Client served(host.port());
  REQUIRE(echo(served, "before") == "before");
  Client waiting(host.port());
  waiting.send("waiting");
  host.log().wait_for("connection 3 waits: cannot start a thread");
  CHECK(echo(served, "after") == "after");
  CHECK_FALSE(waiting.has_input());
  served.close();
  CHECK(waiting.read_exactly(7) == "waiting");
}

TEST_CASE_TEMPLATE("where no thread can be made for the background that session alone ends", Model,
                   e2e::Select, e2e::Epoll, e2e::IoUring) {
  LEAVE_OUT_UNLESS_TRACEABLE();
  Scene scene(Model::name);
  Strace strace(scene.host.worker(), {"trace=process", failing(kClones, "EAGAIN", "1")});
  Client refused(scene.host.port());
  refused.send("background fine");
  CHECK(refused.read_to_end().empty());
  const LogLine line = scene.host.log().wait_for("there is no thread for it, or no memory");
  CHECK(line.text.rfind("connection 2 from ", 0) == 0);
  Client served(scene.host.port());
  CHECK(echo(served, "background fine") == "background fine");
  strace.stop();
  CHECK(echo(scene.beside, "after") == "after");
}

TEST_CASE("a reload whose workers cannot be started changes nothing") {
  LEAVE_OUT_UNLESS_TRACEABLE();
  const auto config = [](int connections) {
    const std::string key = numbered("max_connections:", static_cast<std::size_t>(connections));
    Config made = one_listener("epoll", "probe", {key, "workers: 4"});
    return made.listener("other", "fork", "probe", {key});
  };
  HostProcess host(config(7));
  host.expect_error("cannot be started: Resource temporarily unavailable");
  host.expect_error("a worker of the new generation did not become ready");
  host.expect_error("nothing has been changed");
  const pid_t worker = host.worker();
  // Of the supervisor the first is that of the check, which itself makes two.
  for (const char* when : {"3+", "4+", "5+"}) {
    CAPTURE(when);
    host.write_config(config(8));
    Strace strace(host.pid(), {"trace=process", failing(kClones, "EAGAIN", when)});
    CHECK(host.command({"reload"}).status == 1);
    strace.stop();
    CHECK(state_of(worker).parent == host.pid());
    CHECK(Client(host.port()).ask("stopping") == "no");
    CHECK(Client(host.port("other")).ask("stopping") == "no");
  }
  CHECK(host.command({"reload"}).status == 0);
}

TEST_CASE_TEMPLATE("a worker that the supervisor cannot fork is started a little later", Model,
                   EACH_MODEL) {
  LEAVE_OUT_UNLESS_TRACEABLE();
  Scene scene(Model::name);
  scene.host.expect_error("was killed by SIGKILL");
  scene.host.expect_error("cannot be started: Resource temporarily unavailable");
  Strace strace(scene.host.pid(), {"trace=process", failing(kClones, "EAGAIN", "1..2")});
  ::kill(scene.host.worker(), SIGKILL);
  scene.host.log().wait_for("cannot be started", 2);
  strace.stop();  // before anyone it follows forks again
  CHECK(try_exchange(scene.host.port()));
  CHECK(scene.host.log().count("cannot be started") == 2);
  CHECK(echo(scene.elsewhere, "after") == "after");
}
