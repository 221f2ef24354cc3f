#include "cli/send.hpp"

#include <doctest/doctest.h>

#include <CLI/CLI.hpp>
#include <string>

#include "cli/commands.hpp"

namespace {

using berth::parse_send_address;

std::string url_of(std::string_view text, std::optional<std::uint16_t> port = {}) {
  const auto address = parse_send_address(text, port);
  return address ? address.value().url() : address.error().message;
}

TEST_CASE("an address to send to may be as short as its host") {
  CHECK(url_of("tcp://a:7") == "tcp://a:7");
  CHECK(url_of("tcp://a") == "tcp://a:50007");
  CHECK(url_of("a:7") == "tcp://a:7");
  CHECK(url_of("a") == "tcp://a:50007");
  CHECK(url_of("a", 7) == "tcp://a:7");
  CHECK(url_of("[::1]:7") == "tcp://[::1]:7");
  CHECK(url_of("[::1]") == "tcp://[::1]:50007");
  CHECK(url_of("::1", 7) == "tcp://[::1]:7");
}

TEST_CASE("an address that cannot be sent to is told") {
  CHECK(url_of("a:7", 8) == "address 'a:7' has a port already: leave off --port");
  CHECK(url_of("[::1]:7", 8) == "address '[::1]:7' has a port already: leave off --port");
  CHECK(url_of("a:0") ==
        "address 'a:0' has port 0, which nothing can listen on: write the port that was logged");
  CHECK(url_of("") == "address '' names no host: write localhost");
  CHECK(url_of(":7") == "address ':7' names no host: write localhost:7");
  CHECK(
      url_of("udp://a:7") ==
      "address 'udp://a:7' has the scheme 'udp': this version serves tcp:// only, as in tcp://a:7");
  CHECK(url_of("a:x").starts_with("address 'tcp://a:x' has 'x' for a port"));
}

// The message of the usage error in `arguments`; "" if there is none.
std::string usage_error(std::vector<std::string> arguments) {
  CLI::App app;
  int status = 0;
  berth::add_send(app, status);
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // as CLI11 wants them
  reversed.emplace_back("send");
  try {
    app.parse(reversed);
  } catch (const CLI::ParseError& error) {
    return error.what();
  }
  return "";
}

TEST_CASE("a mistake on the command line is a usage error") {
  CHECK(usage_error({"localhost", ""}) ==
        "WORD: an empty word sends nothing, so nothing can answer it");
  CHECK(usage_error({"localhost", "--timeout", "0"}) ==
        "--timeout: must be longer than 0, like 30s or 500ms");
  CHECK(usage_error({"localhost", "--timeout", "soon"}).starts_with("--timeout: "));
  CHECK(usage_error({"localhost", "--parallel", "0"}) != "");
  CHECK(usage_error({"localhost", "--parallel", "1001"}) != "");
  CHECK(usage_error({"localhost", "--port", "65536"}) != "");
  CHECK(usage_error({"localhost", "--paralel", "8"}) != "");
  CHECK(usage_error({"hello world"})
            .ends_with("berth send localhost 'hello world' sends it as a word to this machine"));
}

}  // namespace
