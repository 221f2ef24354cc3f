#include "command.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <exception>

#include "processes.hpp"
#include "temp_folder.hpp"
#include "tested_build.hpp"

namespace e2e {

namespace {

int open_to_write(const std::filesystem::path& file) {
  return ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

}  // namespace

Outcome berth(const std::vector<std::string>& arguments,
              const std::vector<std::string>& environment) {
  std::vector<std::string> command = {tested_build().program};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return run_program(command, environment);
}

Outcome run_program(const std::vector<std::string>& command,
                    const std::vector<std::string>& environment) {
  const TempFolder folder;
  const int out = open_to_write(folder / "out");
  const int err = open_to_write(folder / "err");
  const pid_t pid = start_program(command, out, err, environment);
  ::close(out);
  ::close(err);
  int status = 0;
  try {
    status = wait_for_end(pid);
  } catch (const std::exception&) {
    ::kill(pid, SIGKILL);
    (void)wait_until_childless();
    throw;
  }
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), contents(folder / "out"),
          contents(folder / "err")};
}

}  // namespace e2e
