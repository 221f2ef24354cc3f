// Fuzz target: net/parse_address. The input is an address. No name is looked up.
#include <algorithm>
#include <string>

#include "advice.hpp"
#include "input.hpp"
#include "net/address.hpp"
#include "require.hpp"

namespace berth::fuzz {
namespace {

bool is_visible(char c) { return c > ' ' && c < '\x7f'; }

std::string advice_for(const std::string& text) {
  const auto parsed = parse_address(text);
  if (parsed) return "";
  const std::string unix_advice = advice_of(parsed.error().message, {"write unix://"}, " ,");
  if (!unix_advice.empty()) {
    return unix_advice.find("NAME") == unix_advice.npos ? "unix://" + unix_advice : "";
  }
  const std::string advice =
      advice_of(parsed.error().message, {"write tcp://", "as in tcp://"}, " ,");
  // HOST and PORT are for the reader to fill in.
  const bool is_whole =
      !advice.empty() && advice.find("HOST") == advice.npos && advice.find("PORT") == advice.npos;
  return is_whole ? "tcp://" + advice : "";
}

// An address in numbers stands for itself, and comes back from the kernel's form.
void check_numeric(const Address& address) {
  const bool is_numeric = address.host.find_first_not_of("0123456789.") == std::string::npos ||
                          address.host.find(':') != std::string::npos;
  // A zone is a matter of this machine's interfaces.
  if (!is_numeric || address.host.find('%') != std::string::npos) return;
  const auto resolved = resolve(address);
  require(resolved && resolved.value().size() == 1, "an address in numbers is one", address.url());
  const SocketAddress& socket_address = resolved.value()[0];
  require(socket_address.port() == address.port, "a port stays what it is", address.url());
  const auto again = parse_address(socket_address.url());
  require(bool(again), "an address is printed as it is written", socket_address.text());
  const auto resolved_again = resolve(again.value());
  require(resolved_again && resolved_again.value() == resolved.value(),
          "what is printed is the same address", socket_address.text());
}

// The name of a Unix socket comes back from the kernel's form.
void check_unix(const Address& address) {
  const auto resolved = resolve(address);
  require(resolved && resolved.value().size() == 1, "a Unix socket is one", address.url());
  require(resolved.value()[0].text() == address.host, "a name stays what it is", address.url());
}

void check_taken(const Address& address, const std::string& text) {
  require(std::all_of(address.host.begin(), address.host.end(), is_visible),
          "a host is something that can be seen", text);
  const auto again = parse_address(address.url());
  require(again && again.value() == address, "an address prints to what reads back", text);
  if (is_unix(address.scheme)) return check_unix(address);
  check_numeric(address);
  if (address.multicast != Multicast{}) return;  // its parts may stand in any order
  // But for zeros before the port, there is one way to write an address.
  const std::string url = address.url();
  const auto port = url.rfind(':') + 1;
  const bool only_zeros = text.size() >= url.size() &&
                          text.find_first_not_of('0', port) >= port + text.size() - url.size();
  require(text.starts_with(url.substr(0, port)) && text.ends_with(url.substr(port)) && only_zeros,
          "an address prints as it was written", text);
}

}  // namespace
}  // namespace berth::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace berth;
  const std::string text(fuzz::text_of(data, size));
  const auto address = parse_address(text);
  if (address) {
    fuzz::check_taken(address.value(), text);
  } else {
    fuzz::require(address.error().message.find(text.substr(0, 40)) != std::string::npos,
                  "an error names the address", address.error().message);
  }
  fuzz::require_advice_leads_on(text, fuzz::advice_for);
  return 0;
}
