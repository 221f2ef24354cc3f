#include "supervise/service_manager.hpp"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>

#include "scratch.hpp"

namespace berth {
namespace {

using namespace std::chrono_literals;

// A stand-in for the service manager: a socket, and what has come to it.
class Manager {
 public:
  // `name` as NOTIFY_SOCKET has it.
  explicit Manager(std::string name)
      : name_(std::move(name)), socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    REQUIRE(name_.size() < sizeof address.sun_path);
    std::memcpy(address.sun_path, name_.data(), name_.size());
    if (name_[0] == '@') address.sun_path[0] = '\0';
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_.size());
    REQUIRE(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), length) == 0);
  }

  [[nodiscard]] const std::string& name() const { return name_; }
  // The next message, or nothing where none has come: one is there as soon as it is sent.
  std::string message() const {
    char text[4096];
    const ssize_t length = ::recv(socket_.get(), text, sizeof text, MSG_DONTWAIT);
    return length < 0 ? "" : std::string(text, static_cast<std::size_t>(length));
  }

 private:
  std::string name_;
  Fd socket_;
};

std::string abstract_name() { return "@berth-unit-" + std::to_string(::getpid()); }

// These variables and no others of theirs, while it lives.
class Variables {
 public:
  Variables(const char* socket, const char* watchdog, const char* watched) {
    set("NOTIFY_SOCKET", socket);
    set("WATCHDOG_USEC", watchdog);
    set("WATCHDOG_PID", watched);
  }
  Variables(const Variables&) = delete;
  Variables& operator=(const Variables&) = delete;
  ~Variables() {
    for (const char* const name : kNames) ::unsetenv(name);
  }
  static bool any_left() {
    return std::any_of(std::begin(kNames), std::end(kNames),
                       [](const char* name) { return std::getenv(name) != nullptr; });
  }

 private:
  static constexpr const char* kNames[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"};
  static void set(const char* name, const char* value) {
    if (value == nullptr) {
      ::unsetenv(name);
    } else {
      ::setenv(name, value, 1);
    }
  }
};

TEST_CASE("each state of the host is a message of its own, to a path or an abstract name") {
  const testing::Scratch scratch;
  for (const std::string& name : {(scratch.path / "notify").string(), abstract_name()}) {
    CAPTURE(name);
    const Manager manager(name);
    ServiceManager service({.socket = name, .watchdog = 4s});
    service.ready("4 listeners");
    CHECK(manager.message() == "READY=1\nSTATUS=4 listeners\n");
    service.status("all is well");
    CHECK(manager.message() == "STATUS=all is well\n");
    service.main_process(42);
    CHECK(manager.message() == "MAINPID=42\n");
    service.alive();
    CHECK(manager.message() == "WATCHDOG=1\n");
    service.stopping("draining", 33s);
    CHECK(manager.message() == "STOPPING=1\nSTATUS=draining\nEXTEND_TIMEOUT_USEC=33000000\n");
    service.stopping("draining", kUnlimited);
    CHECK(manager.message() == "STOPPING=1\nSTATUS=draining\n");
    CHECK(manager.message() == "");
  }
}

TEST_CASE("a reload is told with the time at which it began") {
  const Manager manager(abstract_name());
  ServiceManager service({.socket = manager.name(), .watchdog = kUnlimited});
  const auto before = Clock::now();
  service.reloading();
  const auto afterwards = Clock::now();
  const std::string message = manager.message();
  const std::string start = "RELOADING=1\nMONOTONIC_USEC=";
  REQUIRE(message.starts_with(start));
  const TimePoint told{std::chrono::microseconds(std::stoll(message.substr(start.size())))};
  CHECK(told >= before - 1us);
  CHECK(told <= afterwards);
}

TEST_CASE("a status is one line, whatever it holds") {
  const Manager manager(abstract_name());
  ServiceManager service({.socket = manager.name(), .watchdog = kUnlimited});
  service.status("a\nREADY=1");
  CHECK(manager.message() == "STATUS=a\\nREADY=1\n");
}

TEST_CASE("without a manager, or with one that is gone, nothing happens") {
  ServiceManager none({});
  none.ready("x");
  none.alive();
  CHECK(none.alive_interval() == kUnlimited);
  for (const std::string& name : {std::string("/nonexistent-berth/notify"), std::string("relative"),
                                  std::string("@"), '/' + std::string(200, 'x')}) {
    ServiceManager gone({.socket = name, .watchdog = 1s});
    gone.ready("x");
    gone.alive();
  }
}

TEST_CASE("the manager's variables are taken, and taken away") {
  const std::string self = std::to_string(::getpid());
  const Variables variables("/run/notify", "3000000", self.c_str());
  const auto taken = ServiceEnvironment::take();
  CHECK(taken.socket == "/run/notify");
  CHECK(taken.watchdog == 3s);
  CHECK_FALSE(Variables::any_left());
  CHECK(ServiceManager(taken).alive_interval() == 1500ms);
  CHECK(ServiceEnvironment::take().socket == "");
}

TEST_CASE("a watchdog for another process, or one that is no number, is none of ours") {
  const auto watchdog_of = [](const char* time, const char* pid) {
    const Variables variables(nullptr, time, pid);
    const Duration watchdog = ServiceEnvironment::take().watchdog;
    CHECK_FALSE(Variables::any_left());
    return watchdog;
  };
  CHECK(watchdog_of("1000000", nullptr) == 1s);
  CHECK(watchdog_of("1000000", "1") == kUnlimited);
  CHECK(watchdog_of("1000000", "x") == kUnlimited);
  for (const char* const time : {"", "0", "-1", "1s", "99999999999999999999"}) {
    CAPTURE(time);
    CHECK(watchdog_of(time, nullptr) == kUnlimited);
  }
  CHECK(watchdog_of("9223372036854775807", nullptr) > 10000h);  // not wrapped around
}

TEST_CASE("a new binary in the same process is told what the old one was") {
  const Variables variables("@name", "5000000", nullptr);
  const auto taken = ServiceEnvironment::take();
  for (const auto& [name, value] : taken.to_variables()) {
    ::setenv(name.c_str(), value.c_str(), 1);
  }
  const auto again = ServiceEnvironment::take();
  CHECK(again.socket == "@name");
  CHECK(again.watchdog == 5s);
  CHECK(ServiceEnvironment{}.to_variables().empty());
}

}  // namespace
}  // namespace berth
