// The form of addresses: pure text work, so that a config can be checked without a network.
#include "net/address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/ascii.hpp"
#include "net/address_text.hpp"
#include "net/parse_multicast.hpp"
#include "net/parse_unix_address.hpp"

namespace berth {

namespace {

bool is_ipv4(const std::string& host) {
  in_addr ignored;
  return inet_pton(AF_INET, host.c_str(), &ignored) == 1;
}

// A zone (`fe80::1%eth0`) is left to the resolver, which knows this machine's interfaces; but no
// part of a host may be hidden from the resolver or from who reads the log, behind a zero, say.
bool is_ipv6(const std::string& host) {
  if (!std::all_of(host.begin(), host.end(), is_visible)) return false;
  const auto zone = host.find('%');
  if (zone != std::string::npos && zone + 1 == host.size()) return false;
  in6_addr ignored;
  return inet_pton(AF_INET6, host.substr(0, zone).c_str(), &ignored) == 1;
}

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_';
}

// What an address like `text` begins with: "udp://".
std::string start_of(std::string_view text) {
  const auto scheme = scheme_named(text.substr(0, text.find("://")));
  return std::string(name_of(scheme.value_or(Scheme::tcp))) + "://";
}

// HOST:PORT of `text` as far as it can be made out, for what an error tells to write.
std::string completed(std::string_view text) {
  std::string rest(text.substr(0, text.find_first_of("/?# \t")));
  if (rest.empty()) return "HOST:PORT";
  if (is_digits(rest)) return "0.0.0.0:" + rest;
  if (is_ipv6(rest)) return "[" + rest + "]:PORT";
  if (rest.front() == ':') return "0.0.0.0" + rest;
  const auto bracket = rest.rfind(']');
  const auto colon = rest.rfind(':');
  const bool has_port =
      colon != std::string::npos && (bracket == std::string::npos || bracket < colon);
  if (!has_port) return rest + ":PORT";
  return colon + 1 == rest.size() ? rest + "PORT" : rest;
}

Error no_scheme(std::string_view text) {
  std::string_view rest = text;
  // So other programs write it: `unix:/run/echo.sock`.
  const bool says_unix = rest.starts_with("unix:");
  if (says_unix) rest.remove_prefix(5);
  if ((rest.starts_with('/') && !rest.starts_with("//")) || rest.starts_with('@')) {
    return wrong_address(text, "has no scheme", "write unix://" + std::string(rest));
  }
  if (says_unix && !rest.empty() && !is_digits(rest)) {
    return wrong_address(text, "has no scheme", "write unix:///" + std::string(rest));
  }
  rest = text;
  // `tcp:host:port` and `tcp:/host:port` are slips of the pen, not hosts named tcp.
  if (rest.starts_with("tcp:") && !is_digits(rest.substr(4))) rest.remove_prefix(4);
  rest.remove_prefix(std::min(rest.find_first_not_of('/'), rest.size()));
  return wrong_address(text, "has no scheme", "write tcp://" + completed(rest));
}

// The part of a URL between `://` and the end, divided but not yet judged.
struct Parts {
  std::string host;
  std::optional<std::string> port;
  bool bracketed = false;
};

Result<Parts> divide(std::string_view text, std::string_view authority) {
  Parts parts;
  std::string_view after_host = authority;
  if (authority.starts_with('[')) {
    const auto end = authority.find(']');
    if (end == std::string_view::npos)
      return wrong_address(text, "lacks a ']'", "write " + start_of(text) + "[::1]:50007");
    parts.bracketed = true;
    parts.host = authority.substr(1, end - 1);
    after_host = authority.substr(end + 1);
    if (!after_host.empty() && after_host.front() != ':') {
      return wrong_address(text, "goes on after the ']'",
                           "write " + start_of(text) + "[" + parts.host + "]:PORT");
    }
  } else {
    const auto colon = authority.rfind(':');
    parts.host = authority.substr(0, colon);
    after_host = colon == std::string_view::npos ? std::string_view{} : authority.substr(colon);
  }
  if (after_host.size() > 1) parts.port = after_host.substr(1);
  return parts;
}

std::optional<Error> unbracketed_ipv6(std::string_view text, std::string_view authority,
                                      const Parts& parts) {
  if (parts.bracketed || parts.host.find(':') == std::string::npos) return std::nullopt;
  // `::1:50007` is an IPv6 address as a whole too, but was hardly meant as one.
  if (parts.port && is_ipv6(parts.host)) {
    return wrong_address(text, "has an IPv6 address without brackets",
                         "write " + start_of(text) + "[" + parts.host + "]:" + *parts.port);
  }
  if (is_ipv6(std::string(authority))) {
    return wrong_address(text, "has an IPv6 address without brackets",
                         "write " + start_of(text) + "[" + std::string(authority) + "]:PORT");
  }
  return wrong_address(
      text, "has more than one ':' after " + start_of(text),
      "write " + start_of(text) + "HOST:PORT, with brackets around an IPv6 address");
}

std::optional<Error> wrong_host(std::string_view text, const Parts& parts) {
  const std::string& host = parts.host;
  if (host.empty() || host == "*") {
    const std::string port = parts.port.value_or("PORT");
    return wrong_address(text, "names no host",
                         "write " + start_of(text) + "0.0.0.0:" + port +
                             " for all IPv4 addresses of this machine, " + start_of(text) +
                             "[::]:" + port + " for all IPv6 ones");
  }
  if (parts.bracketed) {
    if (is_ipv6(host)) return std::nullopt;
    return wrong_address(
        text, "has '" + host + "' in brackets, which is not an IPv6 address",
        "only IPv6 addresses take brackets, like " + start_of(text) + "[::1]:50007");
  }
  if (host.find('@') != std::string::npos) {
    return wrong_address(text, "has a user name", "leave off everything up to the '@'");
  }
  if (!std::all_of(host.begin(), host.end(), is_name_character)) {
    return wrong_address(text, "has a host that cannot be one",
                         "a host name takes letters, digits, '-', '_' and '.'");
  }
  if (host.find_first_not_of("0123456789.") == std::string::npos && !is_ipv4(host)) {
    return wrong_address(text, "has '" + host + "', which is not an IPv4 address",
                         "an IPv4 address is four numbers up to 255, like 127.0.0.1");
  }
  return std::nullopt;
}

Result<std::uint16_t> parse_port(std::string_view text, const Parts& parts) {
  if (!parts.port) {
    const std::string host = parts.bracketed ? "[" + parts.host + "]" : parts.host;
    return wrong_address(
        text, "has no port",
        "write " + start_of(text) + host + ":PORT, PORT from 1 to 65535, or 0 for any free one");
  }
  if (!is_digits(*parts.port)) {
    return wrong_address(text, "has '" + *parts.port + "' for a port, which is not a number",
                         "a port is a number from 1 to 65535, or 0 for any free one");
  }
  std::uint16_t port = 0;
  const char* end = parts.port->data() + parts.port->size();
  if (std::from_chars(parts.port->data(), end, port).ec != std::errc{}) {
    return wrong_address(text, "has port " + *parts.port + ", which is too large",
                         "a port is a number from 1 to 65535, or 0 for any free one");
  }
  return port;
}

}  // namespace

Result<Address> parse_address(std::string_view text) {
  if (text.empty()) return Error{"the address is empty: write tcp://HOST:PORT or unix:///PATH"};
  if (text.find_first_of(" \t\r\n") != std::string_view::npos) {
    return wrong_address(text, "has a space in it", "write it without one");
  }
  const auto scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos) return no_scheme(text);
  const auto scheme = scheme_named(text.substr(0, scheme_end));
  std::string_view authority = text.substr(scheme_end + 3);
  if (!scheme) {
    return wrong_address(text, "has the scheme '" + std::string(text.substr(0, scheme_end)) + "'",
                         "there are tcp://, tls://, udp://, unix:// and unixgram://, as in tcp://" +
                             completed(authority));
  }
  if (is_unix(*scheme)) return parse_unix_address(text, *scheme, authority);
  const auto path = authority.find_first_of("/?#");
  std::optional<std::string_view> settings;
  if (*scheme == Scheme::udp && path != std::string_view::npos && authority[path] == '?') {
    settings = authority.substr(path + 1);
    authority = authority.substr(0, path);
  } else if (path != std::string_view::npos) {
    return wrong_address(text, "goes on after the port",
                         "leave off '" + std::string(authority.substr(path)) + "', as in " +
                             start_of(text) + completed(authority));
  }

  Result<Parts> parts = divide(text, authority);
  if (!parts) return parts.error();
  if (auto error = unbracketed_ipv6(text, authority, *parts)) return *error;
  if (auto error = wrong_host(text, *parts)) return *error;
  const Result<std::uint16_t> port = parse_port(text, *parts);
  if (!port) return port.error();
  Address address{*scheme, std::move(parts->host), port.value()};
  if (*scheme == Scheme::udp) {
    if (auto error = take_multicast(text, settings, address)) return *error;
  }
  return address;
}

}  // namespace berth
