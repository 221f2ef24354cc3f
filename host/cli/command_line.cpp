#include "cli/command_line.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "base/source.hpp"
#include "cli/commands.hpp"

namespace berth {

namespace {

constexpr const char* kDescription =
    "berth serves: one YAML file lists listeners, each with the addresses it takes connections on, "
    "a handler (a plugin) and a concurrency model.";

constexpr const char* kFooter = R"(Start here:
  berth run       serve conf/berth.yaml
  berth send      greet it, from another terminal
  berth COMMAND --help
)";

constexpr const char* kRunFooter =
    R"(Stops in order on SIGTERM or Ctrl-C: no new connections, then up to drain_timeout
for those that are open; at once on SIGQUIT or a second Ctrl-C. SIGHUP reads the
config again, SIGUSR1 opens the log file anew, SIGUSR2 replaces the running binary
by the one that now stands in its place; none of them loses a connection, and none
changes anything if what it finds is wrong. Exit status: 0 stopped as told,
1 failed, 78 the config is wrong.

Examples:
  berth run                      serve conf/berth.yaml
  berth run /etc/berth/web.yaml  serve another config
)";

constexpr const char* kCheckFooter =
    R"(Every mistake is told as FILE:LINE:COLUMN: what is wrong. Plugins are loaded (in a
process that is thrown away) to check their options; no socket is opened. Exit
status: 0 the config can be served, 78 it cannot.

Example:
  berth check conf/berth.yaml
)";

constexpr const char* kHandlersFooter =
    R"(For each handler its options: name, type, default and what it means. Give a folder
to look into, a plugin's file, or a config to look where its plugins: say.

Examples:
  berth handlers                 those of conf/berth.yaml
  berth handlers build/plugins   those in a folder
  berth handlers ./mine.so       that one
)";

constexpr const char* kSendDescription =
    "Send words to an echo server and print its replies. Each WORD is one message, sent when the "
    "one before it was answered.";

constexpr const char* kSendFooter =
    R"(A reply is complete when it is as long as its word and nothing more comes for a
moment, when it is shorter and nothing more comes for a second, or when the
server closes. Exit status: 0 if every word was answered, 1 if not.

Examples:
  berth send                              say hello to tcp://localhost:50007
  berth send localhost spam eggs          two messages, one after the other
  berth send tcp://192.0.2.7:7 spam       another machine and port
  berth send --parallel 8 localhost:50008 eight clients at once
  berth send localhost -- -n --help       words that begin with a '-'
)";

// A subcommand that asks a host that runs.
struct Row {
  ControlCommand command;
  const char* name;
  const char* summary;
  const char* footer;
  bool names_listener;
};

constexpr Row kRows[] = {
    {ControlCommand::status, "status", "Show listeners, workers and connections of a host.",
     "Shows each listener with its generation (which reload made it), its workers and their\n"
     "connections; below it, older generations that still drain.\n",
     false},
    {ControlCommand::reload, "reload", "Have a host read its config and plugins again.",
     "Checks everything first; then starts what is new beside what serves, and lets the old drain\n"
     "once the new is ready. A mistake is told, and changes nothing. What has not changed is left\n"
     "alone.\n",
     false},
    {ControlCommand::upgrade, "upgrade", "Have a host replace its own binary.",
     "The program that now stands where the host was started from checks the config, takes over\n"
     "the sockets under the same process number, starts workers of its own, and lets the old ones\n"
     "drain. One that cannot changes nothing. To put it there, write a new file and rename it.\n",
     false},
    {ControlCommand::drain, "drain", "Take a listener out of service.",
     "No new connections; those that are open go on, up to drain_timeout. Ends when the last has.\n"
     "The listener's address is free afterwards, until `berth resume`.\n",
     true},
    {ControlCommand::resume, "resume", "Put a listener back into service.", "", true},
    {ControlCommand::stop, "stop", "Stop a host.",
     "In order: no new connections, then up to drain_timeout for those that are open.\n", false},
};

constexpr const char* kStatusNote =
    "Exit status: 0 if it was done, 1 if not, with the reason on standard error.\n";

constexpr const char* kConfigHelp = "the config [conf/berth.yaml, /etc/berth/berth.yaml]";

// CLI11 copies its callbacks, so what they share cannot be owned by just one of them. The one that
// is called leaves the exit status in `status`.

void add_run(CLI::App& app, int& status) {
  auto* const command = app.add_subcommand("run", "Serve a config until told to stop.");
  command->footer(kRunFooter);
  const auto given = std::make_shared<RunArguments>();
  command->add_option("CONFIG", given->config, kConfigHelp);
  // From one binary to the next, and from nobody else: not shown.
  command->add_option("--handed-over", given->handed_over)->group("");
  command->add_flag("--only-check", given->only_check)->group("");
  command->callback([given, &status] { status = run_command(*given); });
}

void add_check(CLI::App& app, int& status) {
  auto* const command = app.add_subcommand("check", "Tell every mistake in a config.");
  command->footer(kCheckFooter);
  const auto config = std::make_shared<std::string>();
  command->add_option("CONFIG", *config, kConfigHelp);
  command->callback([config, &status] { status = check_command(*config); });
}

void add_handlers(CLI::App& app, int& status) {
  auto* const command = app.add_subcommand("handlers", "Show the handlers found, with options.");
  command->footer(kHandlersFooter);
  const auto where = std::make_shared<std::string>();
  command->add_option("CONFIG|DIR|FILE.so", *where,
                      "a config, a folder of plugins, or a plugin [conf/berth.yaml]");
  command->callback([where, &status] { status = handlers_command(*where); });
}

void add_models(CLI::App& app, int& status) {
  app.add_subcommand("models", "Show the concurrency models and when to choose which.")
      ->callback([&status] { status = models_command(); });
}

void add_send(CLI::App& app, int& status) {
  auto* const command = app.add_subcommand("send", kSendDescription);
  const auto given = std::make_shared<SendArguments>();
  command
      ->add_option("ADDRESS", given->address,
                   "tcp://HOST:PORT, HOST:PORT, HOST, tls://HOST:PORT, udp://HOST:PORT, "
                   "unix:///PATH, unix://@NAME or unixgram:///PATH (default: localhost:50007)")
      ->option_text(" ");
  // Without `allow_extra_args` CLI11 leaves a word like '[a,b]' alone instead of dividing it; that
  // it still takes more than one needs a least number, which is enforced for no optional argument.
  command->add_option("WORD", given->words, "the messages (default: 'Hello network world')")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->expected(1 << 20, CLI::detail::expected_max_vector_size)
      ->allow_extra_args(false)
      ->option_text("...");
  command->add_option("-p,--port", given->port, "port of an ADDRESS without one (default: 50007)")
      ->check(CLI::Range(1, 65535))
      ->option_text("PORT");
  command
      ->add_option(
          "-n,--parallel", given->parallel,
          "clients at once, 1 to 1000, each sending every WORD over a connection of its own")
      ->check(CLI::Range(1, 1000))
      ->option_text("N");
  command
      ->add_option("-t,--timeout", given->timeout,
                   "how long to wait for a connection, and for each reply (default: 30s)")
      ->option_text("DURATION");
  command
      ->add_option("--ca", given->ca,
                   "with tls://, the certificates of whom to trust, in PEM form (default: the "
                   "system's)")
      ->option_text("FILE");
  command->add_flag("--insecure", given->insecure,
                    "with tls://, trust whoever answers: good for tests alone");
  command
      ->add_option("--certificate", given->certificate,
                   "with tls://, a certificate of one's own, for servers that ask for it")
      ->option_text("FILE");
  command->add_option("--key", given->key, "its private key (default: in the same file)")
      ->option_text("FILE");
  command->footer(kSendFooter);
  command->callback([given, &status] { status = send_command(*given); });
}

void add_control(CLI::App& app, const Row& row, int& status) {
  auto* const command = app.add_subcommand(row.name, row.summary);
  command->footer(std::string(row.footer) + kStatusNote);
  const auto given = std::make_shared<ControlArguments>();
  given->request.command = row.command;
  if (row.names_listener) {
    command->add_option("LISTENER", given->request.listener, "its name in the config")->required();
  }
  command->add_option("CONFIG", given->config,
                      "the config that the host serves [conf/berth.yaml, /etc/berth/berth.yaml]");
  command->add_option("--socket", given->socket, "the host's control socket, instead of CONFIG");
  if (row.command == ControlCommand::status) {
    command->add_flag("--json", given->json, "for programs");
  }
  if (row.command == ControlCommand::stop) {
    command->add_flag("--now", given->request.at_once, "at once: open connections are cut");
  }
  command->callback([given, &status] { status = control_command(*given); });
}

// CLI11 tells of a word that is no command only that a command is missing.
bool tell_unknown_command(const CLI::App& app, const char* word, std::ostream& err) {
  if (word == nullptr || *word == '-') return false;
  std::vector<std::string> commands;
  for (const CLI::App* command : app.get_subcommands({})) commands.push_back(command->get_name());
  if (std::find(commands.begin(), commands.end(), word) != commands.end()) return false;
  err << "berth: there is no command " << in_quotes(word) << did_you_mean(word, commands)
      << " (there are " << one_of(commands) << ")\n";
  return true;
}

}  // namespace

int do_command_line(int argc, const char* const* argv, std::ostream& out, std::ostream& err) {
  int status = kExitFine;
  CLI::App app(kDescription, "berth");
  app.set_version_flag("--version", "berth " BERTH_VERSION);
  app.require_subcommand(1);
  app.footer(kFooter);
  add_run(app, status);
  add_check(app, status);
  add_handlers(app, status);
  add_models(app, status);
  add_send(app, status);
  for (const Row& row : kRows) add_control(app, row, status);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& stop) {  // a mistake, or a call for help
    if (tell_unknown_command(app, argc > 1 ? argv[1] : nullptr, err)) return kExitUsage;
    return app.exit(stop, out, err) == 0 ? kExitFine : kExitUsage;
  } catch (const UsageError& mistake) {
    const CLI::ValidationError same(mistake.what());
    (void)app.exit(same, out, err);
    return kExitUsage;
  } catch (const std::exception& fault) {
    err << "berth: " << fault.what() << "\n";
    return kExitFailed;
  }
  return status;
}

}  // namespace berth
