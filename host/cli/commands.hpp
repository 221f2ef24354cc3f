// The subcommands of `berth`: one file each in this folder, one function each to add it to the
// command line. main.cpp calls them all and then parses; the subcommand that was given runs within
// that parse and leaves the exit status in `status` (DESIGN, "Command line"). A mistake in how it
// was called is thrown as a CLI::ParseError, which main turns into the status for usage errors.
#pragma once

namespace CLI {
class App;
}

namespace berth {

// `app` and `status` are main's and outlive the parse.
void add_run(CLI::App& app, int& status);
void add_check(CLI::App& app, int& status);
void add_handlers(CLI::App& app, int& status);
void add_models(CLI::App& app, int& status);
void add_send(CLI::App& app, int& status);
// status, reload, upgrade, drain, resume, stop
void add_control(CLI::App& app, int& status);

}  // namespace berth
