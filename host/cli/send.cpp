#include "cli/send.hpp"

#include <arpa/inet.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include "base/quantities.hpp"
#include "cli/commands.hpp"
#include "cli/send_all.hpp"
#include "cli/send_screen.hpp"

namespace berth {

namespace {

bool names_host_only(std::string_view text) {
  return !text.empty() && text.find_first_of(":/") == std::string_view::npos;
}

// The first argument is the address; whoever left it out finds their word taken for a host.
std::string with_hint(const SendArguments& arguments, std::string message) {
  if (!names_host_only(arguments.address)) return message;
  return message + "; the first argument is the address: berth send localhost '" +
         arguments.address + "' sends it as a word to this machine";
}

SendPlan plan_of(const SendArguments& arguments) {
  SendPlan plan;
  const Result<Duration> timeout = parse_duration(arguments.timeout);
  if (!timeout) throw UsageError("--timeout", timeout.error().message);
  if (timeout.value() <= Duration::zero()) {
    throw UsageError("--timeout", "must be longer than 0, like 30s or 500ms");
  }
  plan.timeout = timeout.value();
  plan.clients = arguments.parallel;
  plan.words = arguments.words;
  if (plan.words.empty()) plan.words.emplace_back("Hello network world");
  return plan;
}

void refuse_empty_words(const SendPlan& plan) {
  if (std::find(plan.words.begin(), plan.words.end(), "") == plan.words.end()) return;
  throw UsageError("WORD", "an empty word sends nothing, so nothing can answer it");
}

// The host with brackets where it is a bare IPv6 address, else as it is.
std::string bracketed(std::string_view host) {
  const std::string text(host);
  in6_addr ignored;
  const std::string without_zone = text.substr(0, text.find('%'));
  return inet_pton(AF_INET6, without_zone.c_str(), &ignored) == 1 ? "[" + text + "]" : text;
}

Error port_0(std::string_view text) {
  return Error{"address '" + std::string(text) +
               "' has port 0, which nothing can listen on: write the port that was logged"};
}

}  // namespace

Result<Address> parse_send_address(std::string_view text, std::optional<std::uint16_t> port) {
  constexpr std::string_view kScheme = "tcp://";
  const bool is_unix = text.starts_with("unix:") || text.starts_with('/') || text.starts_with('@');
  if (is_unix || (!text.starts_with(kScheme) && text.find("://") != std::string_view::npos)) {
    Result<Address> address = parse_address(text);
    if (address && port) {
      return Error{"address '" + std::string(text) +
                   (berth::is_unix(address->scheme) ? "' has no port: leave off --port"
                                                    : "' has a port already: leave off --port")};
    }
    if (address && (address->file != SocketFile{} || address->multicast != Multicast{})) {
      return Error{
          "address '" + std::string(text) +
          "' says what a socket is to be like, which is for who listens: leave off the '?' "
          "and the rest"};
    }
    if (address && !berth::is_unix(address->scheme) && address->port == 0) return port_0(text);
    return address;
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
  if (address && address->port == 0) return port_0(text);
  return address;
}

int send_command(const SendArguments& arguments) {
  SendPlan plan = plan_of(arguments);
  const Result<Address> address = parse_send_address(arguments.address, arguments.port);
  if (!address) {
    throw UsageError("ADDRESS", with_hint(arguments, address.error().message));
  }
  if (!is_datagram(address.value().scheme)) refuse_empty_words(plan);
  Result<std::vector<SocketAddress>> resolved = resolve(address.value());
  if (!resolved) {
    std::fprintf(stderr, "berth send: %s\n",
                 with_hint(arguments, resolved.error().message).c_str());
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

}  // namespace berth
