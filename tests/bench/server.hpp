// A server under test: a child process of the benchmark, pinned to one processor, started when it
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
};

class Server {
 public:
  // Throws Failure, with what it wrote, if it ends or names no port within ten seconds.
  Server(std::string name, const Command& command, int core);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  // What it wrote to standard output and standard error so far.
  [[nodiscard]] std::string output() const { return output_.text(); }

 private:
  void await_port(const Command& command);
  void stop() noexcept;

  std::string name_;
  Output output_;
  pid_t pid_ = -1;
  std::uint16_t port_ = 0;
};

}  // namespace berth::bench
