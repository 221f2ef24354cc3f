#include "supervise/service_manager.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "base/environment.hpp"
#include "base/escape.hpp"

namespace berth {

namespace {

using std::chrono::microseconds;

constexpr const char* kSocket = "NOTIFY_SOCKET";
constexpr const char* kWatchdog = "WATCHDOG_USEC";
constexpr const char* kWatched = "WATCHDOG_PID";

std::optional<std::int64_t> number_in(const std::string& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number <= 0) return std::nullopt;
  return number;
}

std::string in_microseconds(Duration duration) {
  return std::to_string(std::chrono::floor<microseconds>(duration).count());
}

// Up to the longest duration that there is.
Duration from_microseconds(std::int64_t count) {
  constexpr auto kMost = std::chrono::floor<microseconds>(Duration::max()).count();
  return microseconds(std::min<std::int64_t>(count, kMost));
}

// Nothing where the name is none, or longer than the kernel takes.
struct ManagerAddress {
  sockaddr_un address{};
  socklen_t length = 0;

  explicit ManagerAddress(const std::string& name) {
    const bool is_name = name.size() > 1 && (name[0] == '/' || name[0] == '@');
    if (!is_name || name.size() >= sizeof address.sun_path) return;
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    if (name[0] == '@') address.sun_path[0] = '\0';
    length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  }
};

// A line of its own in the message, whatever the text is.
std::string line(std::string_view name, std::string_view value) {
  return std::string(name) + '=' + escaped(value) + '\n';
}

}  // namespace

ServiceEnvironment ServiceEnvironment::take() {
  ServiceEnvironment taken;
  taken.socket = take_variable(kSocket);
  const auto watchdog = number_in(take_variable(kWatchdog));
  const std::string watched = take_variable(kWatched);
  const bool ours = watched.empty() || watched == std::to_string(::getpid());
  if (watchdog && ours) taken.watchdog = from_microseconds(*watchdog);
  return taken;
}

std::vector<std::pair<std::string, std::string>> ServiceEnvironment::to_variables() const {
  std::vector<std::pair<std::string, std::string>> variables;
  if (!socket.empty()) variables.emplace_back(kSocket, socket);
  if (watchdog != kUnlimited) {
    variables.emplace_back(kWatchdog, in_microseconds(watchdog));
    variables.emplace_back(kWatched, std::to_string(::getpid()));
  }
  return variables;
}

ServiceManager::ServiceManager(ServiceEnvironment environment)
    : environment_(std::move(environment)) {
  if (environment_.socket.empty()) return;
  socket_ = Fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

void ServiceManager::ready(std::string_view status) { send("READY=1\n" + line("STATUS", status)); }

// systemd tells by the time whether the ready() that follows answers this reload or an earlier one.
void ServiceManager::reloading() {
  send("RELOADING=1\n" + line("MONOTONIC_USEC", in_microseconds(Clock::now().time_since_epoch())));
}

void ServiceManager::stopping(std::string_view status, Duration at_most) {
  std::string message = "STOPPING=1\n" + line("STATUS", status);
  if (at_most != kUnlimited) message += line("EXTEND_TIMEOUT_USEC", in_microseconds(at_most));
  send(message);
}

void ServiceManager::status(std::string_view text) { send(line("STATUS", text)); }

void ServiceManager::main_process(pid_t pid) { send(line("MAINPID", std::to_string(pid))); }

Duration ServiceManager::alive_interval() const {
  return environment_.watchdog == kUnlimited ? kUnlimited : environment_.watchdog / 2;
}

void ServiceManager::alive() {
  if (environment_.watchdog != kUnlimited) send("WATCHDOG=1\n");
}

void ServiceManager::send(const std::string& message) {
  const ManagerAddress manager(environment_.socket);
  if (!socket_ || manager.length == 0) return;
  (void)::sendto(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                 reinterpret_cast<const sockaddr*>(&manager.address), manager.length);
}

}  // namespace berth
