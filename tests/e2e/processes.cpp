#include "processes.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "tested_build.hpp"
#include "wait_for.hpp"

namespace e2e {

namespace fs = std::filesystem;

namespace {

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (const auto& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

// A crash has to look as it does to users: the signal, not a report of AddressSanitizer.
std::string sanitizer_options() {
  const char* const given = std::getenv("ASAN_OPTIONS");
  return std::string("ASAN_OPTIONS=") + (given != nullptr ? given : "") +
         ":handle_segv=0:handle_abort=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0";
}

fs::path proc(pid_t pid) { return fs::path("/proc") / std::to_string(pid); }

}  // namespace

pid_t start_program(const std::vector<std::string>& arguments, int output, int error,
                    const std::vector<std::string>& environment) {
  std::vector<std::string> variables = environment;
  if (tested_build().sanitized) variables.push_back(sanitizer_options());
  for (char** variable = environ; *variable != nullptr; ++variable) {
    variables.emplace_back(*variable);
  }
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&files, error, STDERR_FILENO);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t defaults;
  ::sigemptyset(&defaults);
  ::sigaddset(&defaults, SIGPIPE);
  ::posix_spawnattr_setsigdefault(&attributes, &defaults);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
  pid_t pid = 0;
  const int failure = ::posix_spawn(&pid, arguments.front().c_str(), &files, &attributes,
                                    pointers(arguments).data(), pointers(variables).data());
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&files);
  if (failure != 0) throw std::runtime_error("cannot start " + arguments.front());
  return pid;
}

int wait_for_end(pid_t pid) {
  int status = 0;
  if (wait_until([&] { return ::waitpid(pid, &status, WNOHANG) == pid; })) return status;
  throw std::runtime_error(std::to_string(pid) + ": this process does not end");
}

std::string wait_until_childless() {
  const auto childless = [] {
    pid_t pid = 0;
    while ((pid = ::waitpid(-1, nullptr, WNOHANG)) > 0) {
    }
    return pid < 0;
  };
  if (wait_until(childless)) return "";
  std::string left;
  while (!childless()) {  // their own children become ours when they are killed
    for (const auto& child : children_of(::getpid())) {
      left.append(" ").append(std::to_string(child.pid)) += child.state;
      ::kill(child.pid, SIGKILL);
    }
    ::usleep(1000);
  }
  return left;
}

void stop_process(pid_t pid) {
  ::kill(pid, SIGSTOP);
  if (wait_until([&] { return state_of(pid).state == 'T'; })) return;
  throw std::runtime_error(std::to_string(pid) + ": this process does not stop");
}

ProcessState state_of(pid_t pid) {
  std::ifstream file(proc(pid) / "stat");
  std::string text;
  std::getline(file, text);
  const auto end_of_name = text.rfind(')');
  if (end_of_name == std::string::npos) return {};
  ProcessState process{.pid = pid};
  std::istringstream(text.substr(end_of_name + 1)) >> process.state >> process.parent >>
      process.group;
  return process;
}

bool is_pending(pid_t pid, int signal) {
  std::ifstream status(proc(pid) / "status");
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with("SigPnd:") && !line.starts_with("ShdPnd:")) continue;
    const auto pending = std::stoull(line.substr(line.find(':') + 1), nullptr, 16);
    if ((pending >> (signal - 1) & 1) != 0) return true;
  }
  return false;
}

std::vector<ProcessState> all_processes() {
  std::vector<ProcessState> all;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const ProcessState process = state_of(std::stoi(name));
    if (process.pid != 0) all.push_back(process);
  }
  return all;
}

std::vector<ProcessState> children_of(pid_t parent) {
  std::vector<ProcessState> children;
  for (const auto& process : all_processes()) {
    if (process.parent == parent) children.push_back(process);
  }
  return children;
}

std::size_t open_descriptors(pid_t pid) {
  std::error_code ignored;
  const fs::directory_iterator all(proc(pid) / "fd", ignored);
  return static_cast<std::size_t>(std::distance(fs::begin(all), fs::end(all)));
}

std::map<std::string, int> listening_sockets(pid_t pid, std::uint16_t port) {
  std::set<std::string> open;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(proc(pid) / "fd", ignored)) {
    open.insert(fs::read_symlink(entry.path(), ignored).string());
  }
  // A line: number, local address, remote, state (0A listens), SENDING:RECEIVED, four more, inode.
  // Of a socket that listens, what is received are clients.
  const std::regex form(R"(\s*\d+: 0100007F:(\w{4}) \S+ 0A \w+:(\w+)\s+(?:\S+\s+){4}(\d+) .*)");
  std::map<std::string, int> found;
  std::ifstream table(proc(pid) / "net" / "tcp");
  for (std::string line; std::getline(table, line);) {
    std::smatch parts;
    if (line.find(" 0A ") == line.npos) continue;  // thousands may have ended, which takes long
    if (!std::regex_match(line, parts, form) || std::stoi(parts[1], nullptr, 16) != port) continue;
    if (open.count("socket:[" + parts[3].str() + "]") == 0) continue;
    found[parts[3]] = std::stoi(parts[2], nullptr, 16);
  }
  return found;
}

int next_descriptor(pid_t pid) {
  int number = 0;
  std::error_code ignored;
  const fs::path folder = proc(pid) / "fd";
  while (fs::exists(fs::symlink_status(folder / std::to_string(number), ignored))) ++number;
  return number;
}

std::chrono::nanoseconds cpu_time(pid_t pid) {
  std::chrono::nanoseconds sum{};
  std::error_code ignored;
  for (const auto& thread : fs::directory_iterator(proc(pid) / "task", ignored)) {
    long long spent = 0;
    std::ifstream(thread.path() / "schedstat") >> spent;
    sum += std::chrono::nanoseconds(spent);
  }
  return sum;
}

double cpu_share(pid_t pid) {
  constexpr auto kLook = std::chrono::milliseconds(300);
  const auto before = cpu_time(pid);
  const auto start = std::chrono::steady_clock::now();
  std::this_thread::sleep_for(kLook);
  const std::chrono::duration<double> spent = cpu_time(pid) - before;
  return spent / (std::chrono::steady_clock::now() - start);
}

}  // namespace e2e
