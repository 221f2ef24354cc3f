// The service manager that started the host, where one did and wants to hear of it: systemd's
// notify protocol, spoken here in a few lines (man 3 sd_notify), since libsystemd would map many
// libraries that each session's fork has to copy. Lives in the supervisor, on its thread.
//
// Each message is one datagram and says what the host does now; it never waits, and is lost where
// the manager is gone or does not read. Without a manager everything here does nothing.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/fd.hpp"

namespace berth {

// What the manager said to this process through the environment.
struct ServiceEnvironment {
  std::string socket;  // a path, or '@' and an abstract name; empty: there is no manager
  Duration watchdog = kUnlimited;  // the manager ends a host that it does not hear of for so long

  // Takes the variables out of the environment, so that no handler's child takes the manager for
  // its own. A watchdog that is meant for another process is left out. Call it once, at the start,
  // while there is one thread.
  [[nodiscard]] static ServiceEnvironment take();
  // The same, names and values, for a new binary that takes this process over by exec.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> to_variables() const;
};

class ServiceManager {
 public:
  explicit ServiceManager(ServiceEnvironment environment);
  ServiceManager(const ServiceManager&) = delete;
  ServiceManager& operator=(const ServiceManager&) = delete;

  [[nodiscard]] const ServiceEnvironment& environment() const { return environment_; }

  // All listeners serve, for the first time or, after reloading(), again.
  void ready(std::string_view status);
  // The config is being read again; ready() has to follow, whether that came to anything or not.
  void reloading();
  // Draining, which takes so long at most: the manager is asked to wait for it.
  void stopping(std::string_view status, Duration at_most);
  // One line for `systemctl status`.
  void status(std::string_view text);
  // The process that is the host from here on.
  void main_process(pid_t pid);

  // How often alive() has to be called: twice in the time that the manager waits. kUnlimited: it
  // does not watch.
  [[nodiscard]] Duration alive_interval() const;
  void alive();

 private:
  void send(const std::string& message);

  ServiceEnvironment environment_;
  Fd socket_;
};

}  // namespace berth
