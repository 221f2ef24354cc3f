#include "strace.hpp"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <exception>
#include <regex>
#include <stdexcept>

#include "command.hpp"
#include "processes.hpp"
#include "tested_build.hpp"

namespace e2e {

namespace {

// Where a shell would find it; "" where it would not.
std::string strace_program() {
  for (const char* file : {"/usr/bin/strace", "/usr/local/bin/strace", "/bin/strace"}) {
    if (::access(file, X_OK) == 0) return file;
  }
  return "";
}

}  // namespace

bool can_trace() {
  static const bool can = [] {
    const std::string strace = strace_program();
    return !strace.empty() &&
           run_program({strace, "-f", "-e", "trace=none", tested_build().program, "--version"})
                   .status == 0;
  }();
  return can;
}

Strace::Strace(pid_t pid, const std::vector<std::string>& expressions) {
  std::vector<std::string> command = {strace_program(), "-f", "-ttt", "-p", std::to_string(pid)};
  for (const auto& expression : expressions) command.insert(command.end(), {"-e", expression});
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) throw std::runtime_error("no pipe");
  pid_ = start_program(command, ends[1], ends[1]);
  ::close(ends[1]);
  calls_ = std::make_unique<LogReader>(ends[0]);
  try {
    calls_->wait_for(" attached");
  } catch (const std::exception& fault) {
    stop();
    throw std::runtime_error(std::string(fault.what()) + "\n" + calls_->whole());
  }
}

Strace::~Strace() { stop(); }

// It ends by itself when nobody is left whom it traces; SIGTERM has it detach first.
void Strace::stop() {
  if (pid_ == 0) return;
  ::kill(pid_, SIGTERM);
  try {
    (void)wait_for_end(pid_);
  } catch (const std::exception&) {
    ::kill(pid_, SIGKILL);
  }
  pid_ = 0;
  (void)calls_->wait_for_end();
}

double Strace::time_of(const std::string& words, std::size_t nth) {
  static const std::regex form(R"((?:\[pid +\d+\] )?(\d+\.\d+) .*)");
  const std::string line = calls_->wait_for(words, nth).whole;
  std::smatch parts;
  if (!std::regex_match(line, parts, form)) throw std::runtime_error("no time in: " + line);
  return std::stod(parts[1]);
}

}  // namespace e2e
