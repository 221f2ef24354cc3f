#include "cli/send.hpp"

#include <doctest/doctest.h>

#include <sstream>
#include <string>
#include <vector>

#include "cli/command_line.hpp"
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

TEST_CASE("an address of datagrams is written whole") {
  CHECK(url_of("udp://a:7") == "udp://a:7");
  CHECK(url_of("unixgram:///run/s") == "unixgram:///run/s");
  CHECK(url_of("udp://a:7", 8) == "address 'udp://a:7' has a port already: leave off --port");
  CHECK(url_of("udp://a:0") ==
        "address 'udp://a:0' has port 0, which nothing can listen on: write the port that was "
        "logged");
  CHECK(url_of("udp://a:7?group=224.0.0.1").find("which is for who listens") != std::string::npos);
}

TEST_CASE("an address that cannot be sent to is told") {
  CHECK(url_of("a:7", 8) == "address 'a:7' has a port already: leave off --port");
  CHECK(url_of("[::1]:7", 8) == "address '[::1]:7' has a port already: leave off --port");
  CHECK(url_of("a:0") ==
        "address 'a:0' has port 0, which nothing can listen on: write the port that was logged");
  CHECK(url_of("") == "address '' names no host: write localhost");
  CHECK(url_of(":7") == "address ':7' names no host: write localhost:7");
  CHECK(url_of("http://a:7") ==
        "address 'http://a:7' has the scheme 'http': there are tcp://, tls://, udp://, unix:// and "
        "unixgram://, as in "
        "tcp://a:7");
  CHECK(url_of("a:x").starts_with("address 'tcp://a:x' has 'x' for a port"));
}

// What is told to whoever calls `berth send` so; "" if it is not told that the call was wrong.
std::string usage_error(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), {"berth", "send"});
  std::ostringstream out, err;
  const int count = static_cast<int>(arguments.size());
  const int status = berth::do_command_line(count, arguments.data(), out, err);
  return status == berth::kExitUsage ? err.str() : "";
}

TEST_CASE("a mistake on the command line is a usage error") {
  CHECK(usage_error({"localhost", ""})
            .starts_with("WORD: an empty word sends nothing, so nothing can answer it\n"));
  CHECK(usage_error({"localhost", "--timeout", "0"})
            .starts_with("--timeout: must be longer than 0, like 30s or 500ms\n"));
  CHECK(usage_error({"localhost", "--timeout", "soon"}).starts_with("--timeout: "));
  CHECK(usage_error({"localhost", "--parallel", "0"}) != "");
  CHECK(usage_error({"localhost", "--parallel", "1001"}) != "");
  CHECK(usage_error({"localhost", "--port", "65536"}) != "");
  CHECK(usage_error({"localhost", "--paralel", "8"}) != "");
  CHECK(usage_error({"hello world"})
            .find("berth send localhost 'hello world' sends it as a word to this machine") !=
        std::string::npos);
}

}  // namespace
