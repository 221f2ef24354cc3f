#include "host_process.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <regex>
#include <stdexcept>

#include "processes.hpp"

namespace e2e {

HostProcess::HostProcess(const Config& config, const Start& start) {
  write_config(config);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) throw std::runtime_error("no pipe");
  (void)::fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);  // the host drops lines rather than wait
  std::vector<std::string> command = start.by;
  for (const std::string& word : {start.program, std::string("run"), file()}) {
    command.push_back(word);
  }
  pid_ = start_program(command, ends[1], ends[1], start.environment);
  ::close(ends[1]);
  log_ = std::make_unique<LogReader>(ends[0]);
  try {
    log_->wait_for("berth is ready");
  } catch (const std::exception& fault) {
    kill_all();
    (void)wait_until_childless();
    throw std::runtime_error(std::string(fault.what()) + "\n" + config.text() + log_->whole());
  }
}

HostProcess::~HostProcess() {
  try {
    if (pid_ != 0) CHECK(stop(SIGTERM) == 0);
  } catch (const std::exception& fault) {
    FAIL_CHECK(fault.what());
    kill_all();
  }
  const std::string left = wait_until_childless();
  CHECK_MESSAGE(left.empty(), "processes are left:", left);
  CHECK(log_->wait_for_end());
  check_errors();
  if (std::uncaught_exceptions() > 0) MESSAGE("the log was:\n", log_->whole());
}

void HostProcess::write_config(const Config& config) {
  write_file(folder_ / "new.yaml", config.text() + "control: control.sock\n");
  std::filesystem::rename(folder_ / "new.yaml", file());
}

Outcome HostProcess::command(std::vector<std::string> words) const {
  words.push_back(file());
  return berth(words);
}

// Workers too, which would else drain.
void HostProcess::kill_all() const {
  for (const auto& child : children_of(pid_)) {
    if (child.group == child.pid) ::kill(-child.group, SIGKILL);
  }
  ::kill(pid_, SIGKILL);
}

void HostProcess::check_errors() const {
  for (const auto& line : log_->lines()) {
    if (line.level != "error" && line.level != "crit") continue;
    const auto is_in_line = [&](const auto& words) { return has(line.text, words); };
    const auto one_is_in_line = [&](const auto& either) {
      return is_in_line(either.first) || is_in_line(either.second);
    };
    const bool expected = std::any_of(expected_.begin(), expected_.end(), one_is_in_line) ||
                          std::any_of(allowed_.begin(), allowed_.end(), is_in_line);
    CHECK_MESSAGE(expected, "unexpected: ", line.whole, "\nthe log was:\n", log_->whole());
  }
  for (const auto& [words, others] : expected_) {
    CHECK_MESSAGE(log_->count(words) + log_->count(others) > 0, "missing: ", words,
                  "\nthe log was:\n", log_->whole());
  }
}

std::uint16_t HostProcess::port(const std::string& listener, std::size_t nth) const {
  // Made once: while libstdc++ makes one it fills tables of the locale, which threads share.
  static const std::regex form(R"(listening on (?:tcp|tls)://\S*:(\d+) )");
  return static_cast<std::uint16_t>(std::stoi(address(form, listener, nth)));
}

std::uint16_t HostProcess::udp_port(const std::string& listener, std::size_t nth) const {
  static const std::regex form(R"(listening on udp://\S*:(\d+) )");
  return static_cast<std::uint16_t>(std::stoi(address(form, listener, nth)));
}

std::string HostProcess::socket(const std::string& listener, std::size_t nth) const {
  static const std::regex form(R"(listening on unix://(\S+) )");
  return address(form, listener, nth);
}

// What is in the parentheses of `form`, in the line of the listener's nth address of that form.
std::string HostProcess::address(const std::regex& form, const std::string& listener,
                                 std::size_t nth) const {
  const std::string words = "listener '" + listener + "': listening on ";
  for (const auto& line : log_->lines()) {
    std::smatch parts;
    if (line.text.rfind(words, 0) != 0 || !std::regex_search(line.text, parts, form)) continue;
    if (nth-- == 0) return parts[1];
  }
  throw std::runtime_error("the log names no such address of listener " + listener);
}

pid_t HostProcess::worker(const std::string& listener) const {
  return last_ready("listener '" + listener + R"(': worker \d+)");
}

pid_t HostProcess::worker(const std::string& listener, unsigned index) const {
  return last_ready("listener '" + listener + "': worker " + std::to_string(index));
}

pid_t HostProcess::last_ready(const std::string& worker) const {
  const std::regex form(worker + R"( is ready \(pid (\d+)\))");
  const auto lines = log_->lines();
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
    std::smatch parts;
    if (std::regex_search(line->text, parts, form)) return std::stoi(parts[1]);
  }
  throw std::runtime_error("the log names no process of " + worker);
}

bool HostProcess::has_killed_sessions() {
  constexpr const char* kKilled = "killed by SIGKILL";
  if (log_->count(kKilled) + log_->count("did not end, and was killed") == 0) return false;
  allow_error(kKilled);
  return true;
}

void HostProcess::send_signal(int signal) const { ::kill(pid_, signal); }

int HostProcess::wait_for_exit() {
  const int status = wait_for_end(pid_);
  pid_ = 0;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace e2e
