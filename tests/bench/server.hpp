// A server under test: a child process of the benchmark, pinned to processors, started when it
// is made and ended with all of its descendants when it goes. Should the benchmark itself be
// killed, the kernel kills the child, and what that one forked ends with its connections.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "child.hpp"

namespace berth::bench {

struct Command {
  std::vector<std::string> arguments;
  std::string before_port;  // the text its output has before the port; empty: the first line is it
  std::uint16_t port = 0;   // where it was told to listen; 0: it names its port
};

class Server {
 public:
  // Throws Failure, with what it wrote, if it ends or cannot be reached within ten seconds.
  Server(std::string name, const Command& command, const std::vector<int>& cores);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  // What it wrote to standard output and standard error so far.
  [[nodiscard]] std::string output() const { return output_.text(); }

 private:
  // 0 while it does not listen.
  [[nodiscard]] std::uint16_t look_for_port(const Command& command) const;
  void await_port(const Command& command);
  void stop() noexcept;

  std::string name_;
  Output output_;
  pid_t pid_ = -1;
  std::uint16_t port_ = 0;
};

}  // namespace berth::bench
