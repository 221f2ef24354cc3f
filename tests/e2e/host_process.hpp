// A host that runs for one test: `berth run` with a config made for it. Its destructor stops it if
// the test has not, and checks what every test promises: it stopped with status 0, the log holds no
// error that the test did not expect and every one that it did, and no process is left.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "client.hpp"
#include "command.hpp"
#include "config_text.hpp"
#include "log_reader.hpp"
#include "models.hpp"
#include "temp_folder.hpp"
#include "tested_build.hpp"

namespace e2e {

// How it is started, where that is not as from a shell.
struct Start {
  std::vector<std::string> by = {};           // a program and its arguments that execute the host
  std::vector<std::string> environment = {};  // NAME=VALUE, beside what this process has
  std::string program = tested_build().program;
};

class HostProcess {
 public:
  // What the supervisor says when it kills at the end of a drain. It comes a second after a worker
  // should have ended by itself, which a busy machine may keep it from.
  static constexpr const char* kOverdue = "what did not end in time is killed";

  // Starts it; returns when it is ready.
  explicit HostProcess(const Config& config, const Start& start = {});
  HostProcess(const HostProcess&) = delete;
  HostProcess& operator=(const HostProcess&) = delete;
  ~HostProcess();

  // Replaces its config, in one step.
  void write_config(const Config& config);
  [[nodiscard]] std::string file() const { return (folder_ / "berth.yaml").string(); }
  // `berth reload`, `berth drain it` and the like, run to their end.
  [[nodiscard]] Outcome command(std::vector<std::string> words) const;

  // The port of a listener's nth address.
  [[nodiscard]] std::uint16_t port(const std::string& listener = "it", std::size_t nth = 0) const;
  // The same of UDP.
  [[nodiscard]] std::uint16_t udp_port(const std::string& listener = "it",
                                       std::size_t nth = 0) const;
  // The path, or `@NAME`, of a listener's nth Unix socket.
  [[nodiscard]] std::string socket(const std::string& listener = "it", std::size_t nth = 0) const;
  // A client of the listener `it`, over the transport that the case is for.
  template <class Model>
  [[nodiscard]] Client connect() const;
  [[nodiscard]] pid_t pid() const { return pid_; }
  // The process that the log last called the listener's worker.
  [[nodiscard]] pid_t worker(const std::string& listener = "it") const;
  // Of several: the last process of the one with that number.
  [[nodiscard]] pid_t worker(const std::string& listener, unsigned index) const;
  [[nodiscard]] LogReader& log() { return *log_; }
  [[nodiscard]] const TempFolder& folder() const { return folder_; }

  // The log may and must hold a line of level error or worse with these words.
  void expect_error(const std::string& words) { expect_error_or(words, words); }
  // The same, or a line with those other words.
  void expect_error_or(const std::string& words, const std::string& others) {
    expected_.emplace_back(words, others);
  }
  // It may, and need not.
  void allow_error(const std::string& words) { allowed_.push_back(words); }
  // Whether a session's process that was told to end has been killed, since a busy machine has not
  // let it end within its second. The log may say so, then.
  [[nodiscard]] bool has_killed_sessions();

  void send_signal(int signal) const;
  // Waits until it has ended. Its exit status, or the number of the signal that killed it, negated.
  int wait_for_exit();
  int stop(int signal) {
    send_signal(signal);
    return wait_for_exit();
  }

 private:
  void kill_all() const;
  void check_errors() const;
  [[nodiscard]] pid_t last_ready(const std::string& worker) const;
  [[nodiscard]] std::string address(const std::regex& form, const std::string& listener,
                                    std::size_t nth) const;

  TempFolder folder_;
  std::vector<std::pair<std::string, std::string>> expected_;
  std::vector<std::string> allowed_;
  std::unique_ptr<LogReader> log_;
  pid_t pid_ = 0;
};

template <class Model>
Client HostProcess::connect() const {
  if constexpr (kOnUnix<Model>) {
    return Client(socket());
  } else if constexpr (kOnTls<Model>) {
    return Client(port(), TlsWish());
  } else {
    return Client(port());
  }
}

}  // namespace e2e
