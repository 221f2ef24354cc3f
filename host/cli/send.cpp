#include "cli/send.hpp"

#include <arpa/inet.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "base/quantities.hpp"
#include "cli/commands.hpp"
#include "cli/send_all.hpp"
#include "cli/send_screen.hpp"

namespace berth {

namespace {

constexpr const char* kDescription =
    "Send words to an echo server and print its replies. Each WORD is one message, sent when the "
    "one before it was answered.";

constexpr const char* kFooter =
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

struct SendOptions {
  std::string address = "localhost";
  std::vector<std::string> words;
  std::optional<std::uint16_t> port;
  std::size_t parallel = 1;
  std::string timeout = "30s";
};

bool names_host_only(std::string_view text) {
  return !text.empty() && text.find_first_of(":/") == std::string_view::npos;
}

// The first argument is the address; whoever left it out finds their word taken for a host.
std::string with_hint(const SendOptions& options, std::string message) {
  if (!names_host_only(options.address)) return message;
  return message + "; the first argument is the address: berth send localhost '" + options.address +
         "' sends it as a word to this machine";
}

SendPlan plan_of(const SendOptions& options) {
  SendPlan plan;
  const Result<Duration> timeout = parse_duration(options.timeout);
  if (!timeout) throw CLI::ValidationError("--timeout", timeout.error().message);
  if (timeout.value() <= Duration::zero()) {
    throw CLI::ValidationError("--timeout", "must be longer than 0, like 30s or 500ms");
  }
  plan.timeout = timeout.value();
  plan.clients = options.parallel;
  plan.words = options.words;
  if (plan.words.empty()) plan.words.emplace_back("Hello network world");
  if (std::find(plan.words.begin(), plan.words.end(), "") != plan.words.end()) {
    throw CLI::ValidationError("WORD", "an empty word sends nothing, so nothing can answer it");
  }
  return plan;
}

int run_send(const SendOptions& options) {
  SendPlan plan = plan_of(options);
  const Result<Address> address = parse_send_address(options.address, options.port);
  if (!address) {
    throw CLI::ValidationError("ADDRESS", with_hint(options, address.error().message));
  }
  Result<std::vector<SocketAddress>> resolved = resolve(address.value());
  if (!resolved) {
    std::fprintf(stderr, "berth send: %s\n", with_hint(options, resolved.error().message).c_str());
    return 1;
  }
  plan.target = address.value().url();
  plan.addresses = std::move(resolved.value());

  // A reader of the output that goes away (`| head`) is an error to report, not a reason to die.
  std::signal(SIGPIPE, SIG_IGN);
  SendScreen screen({STDOUT_FILENO, STDERR_FILENO, isatty(STDERR_FILENO) == 1}, plan.clients);
  const bool all_answered = send_all(plan, screen);
  if (screen.output_error() == 0) return all_answered ? 0 : 1;
  const Error error = system_error("cannot write to standard output", screen.output_error());
  std::fprintf(stderr, "berth send: %s\n", error.message.c_str());
  return 1;
}

// The host with brackets where it is a bare IPv6 address, else as it is.
std::string bracketed(std::string_view host) {
  const std::string text(host);
  in6_addr ignored;
  const std::string without_zone = text.substr(0, text.find('%'));
  return inet_pton(AF_INET6, without_zone.c_str(), &ignored) == 1 ? "[" + text + "]" : text;
}

}  // namespace

Result<Address> parse_send_address(std::string_view text, std::optional<std::uint16_t> port) {
  constexpr std::string_view kScheme = "tcp://";
  if (!text.starts_with(kScheme) && text.find("://") != std::string_view::npos) {
    return parse_address(text);
  }
  std::string rest = bracketed(text.substr(text.starts_with(kScheme) ? kScheme.size() : 0));
  if (rest.empty() || rest.front() == ':') {
    return Error{"address '" + std::string(text) + "' names no host: write localhost" + rest};
  }
  const auto after_brackets = rest.find(']');
  const auto colon = rest.find(':', after_brackets == std::string::npos ? 0 : after_brackets);
  const bool has_port = colon != std::string::npos;
  if (has_port && port) {
    return Error{"address '" + std::string(text) + "' has a port already: leave off --port"};
  }
  if (!has_port) rest += ":" + std::to_string(port.value_or(kDefaultSendPort));
  Result<Address> address = parse_address(std::string(kScheme) + rest);
  if (address && address->port == 0) {
    return Error{"address '" + std::string(text) +
                 "' has port 0, which nothing can listen on: write the port that was logged"};
  }
  return address;
}

void add_send(CLI::App& app, int& status) {
  CLI::App* send = app.add_subcommand("send", kDescription);
  // CLI11 copies its callbacks, so what they share cannot be owned by just one of them.
  auto options = std::make_shared<SendOptions>();
  send->add_option("ADDRESS", options->address,
                   "tcp://HOST:PORT, HOST:PORT or HOST (default: localhost:50007)")
      ->option_text(" ");
  // Without `allow_extra_args` CLI11 leaves a word like '[a,b]' alone instead of dividing it; that
  // it still takes more than one needs a least number, which is enforced for no optional argument.
  send->add_option("WORD", options->words, "the messages (default: 'Hello network world')")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->expected(1 << 20, CLI::detail::expected_max_vector_size)
      ->allow_extra_args(false)
      ->option_text("...");
  send->add_option("-p,--port", options->port, "port of an ADDRESS without one (default: 50007)")
      ->check(CLI::Range(1, 65535))
      ->option_text("PORT");
  send->add_option(
          "-n,--parallel", options->parallel,
          "clients at once, 1 to 1000, each sending every WORD over a connection of its own")
      ->check(CLI::Range(1, 1000))
      ->option_text("N");
  send->add_option("-t,--timeout", options->timeout,
                   "how long to wait for a connection, and for each reply (default: 30s)")
      ->option_text("DURATION");
  send->footer(kFooter);
  send->callback([options, &status] { status = run_send(*options); });
}

}  // namespace berth
