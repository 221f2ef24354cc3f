// Any program as a service, as inetd and tcpserver run it: its standard input and output are the
// connection.
#include <sys/stat.h>
#include <unistd.h>
#include <berth/handler.hpp>

#include <cerrno>
#include <map>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "program.hpp"
#include "run.hpp"
#include "ucspi.hpp"

using namespace std::chrono_literals;

namespace {

// Why that file cannot be run by this user, as an errno value; 0 if it can.
int objection_to(const std::string& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0 || ::access(file.c_str(), X_OK) != 0) return errno;
  return S_ISREG(status.st_mode) ? 0 : EACCES;
}

}  // namespace

struct Exec {
  std::vector<std::string> command;
  std::map<std::string, std::string> environment;
  Program::Errors errors = Program::Errors::log;
  std::chrono::nanoseconds kill_after = 2s;
  std::chrono::nanoseconds finish_timeout = 10min;

  static void describe(berth::Description<Exec>& is) {
    is.name("exec").summary("Runs a program whose input and output are the connection.");
    is.option("command", &Exec::command, "the program's file, as a whole path, and its arguments")
        .required();
    is.option("environment", &Exec::environment, "variables beside the worker's own and UCSPI's");
    is.option("stderr", &Exec::errors, "where its standard error goes",
              {{"log", Program::Errors::log},
               {"discard", Program::Errors::discard},
               {"client", Program::Errors::client}});
    is.option("kill_after", &Exec::kill_after,
              "how long it may take to end (SIGTERM) when its client is lost, before SIGKILL")
        .range(0s, 1h);
    is.option("finish_timeout", &Exec::finish_timeout,
              "how long it may be silent once its client has finished; 0: no limit")
        .range(0s, 24h);
  }

  void check() const {
    if (command.empty()) throw std::invalid_argument("'command' names no program");
    const std::string& file = command.front();
    if (!file.starts_with('/')) {
      throw std::invalid_argument("'command' begins with '" + file + "', which is no whole path");
    }
    if (const int error = objection_to(file); error != 0) {
      throw std::system_error(error, std::generic_category(), "cannot run " + file);
    }
    for (const auto& [name, value] : environment) {
      if (!name.empty() && name.find('=') == name.npos) continue;
      throw std::invalid_argument("'" + name + "' cannot be the name of a variable");
    }
  }

  berth::Task<> serve(berth::Connection client) const {
    Program program;
    const auto variables =
        environment_of_program(client.scheme(), client.peer(), client.local(), environment);
    co_await client.in_background([&] { program.start(command, variables, errors); });
    Run run(client, program, {kill_after, finish_timeout});
    co_await run.serve();
    if (const auto fault = program.fault()) {
      client.log(berth::Level::warn, command.front() + " failed: " + *fault);
    }
  }
};
BERTH_HANDLER(Exec)
