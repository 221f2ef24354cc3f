#include "ucspi.hpp"

#include <unistd.h>

#include <string_view>
#include <tuple>
#include <utility>

namespace {

using Variables = std::map<std::string, std::string>;

// "127.0.0.1:2934" and "[::1]:2934"
std::pair<std::string, std::string> ip_and_port(std::string_view address) {
  const std::size_t colon = address.rfind(':');
  if (colon == address.npos) return {std::string(address), ""};
  std::string_view ip = address.substr(0, colon);
  if (ip.starts_with('[') && ip.ends_with(']')) ip = ip.substr(1, ip.size() - 2);
  return {std::string(ip), std::string(address.substr(colon + 1))};
}

// "uid=1000,gid=1000,pid=4711"
std::string part_of(std::string_view credentials, std::string_view name) {
  const std::size_t start = credentials.find(name);
  if (start == credentials.npos) return "";
  const std::string_view value = credentials.substr(start + name.size());
  return std::string(value.substr(0, value.find(',')));
}

void add_unix(Variables& variables, const std::string& peer, const std::string& local) {
  variables["PROTO"] = "UNIX";
  variables["UNIXLOCALPATH"] = local;
  variables["UNIXREMOTEEUID"] = part_of(peer, "uid=");
  variables["UNIXREMOTEEGID"] = part_of(peer, "gid=");
  variables["UNIXREMOTEPID"] = part_of(peer, "pid=");
}

// `protocol` is TCP, with TLS or without, or UDP.
void add_ip(Variables& variables, const std::string& protocol, const std::string& peer,
            const std::string& local) {
  variables["PROTO"] = protocol;
  // What may follow the address, the subject of a certificate say, is not a part of it.
  std::tie(variables[protocol + "REMOTEIP"], variables[protocol + "REMOTEPORT"]) =
      ip_and_port(std::string_view(peer).substr(0, peer.find_first_of(" ,")));
  std::tie(variables[protocol + "LOCALIP"], variables[protocol + "LOCALPORT"]) = ip_and_port(local);
}

bool tells_of_a_connection(std::string_view name) {
  for (const std::string protocol : {"TCP", "UDP", "UNIX"}) {
    if (name.starts_with(protocol + "REMOTE") || name.starts_with(protocol + "LOCAL")) return true;
  }
  return name == "PROTO";
}

}  // namespace

std::vector<std::string> environment_of_program(const std::string& scheme, const std::string& peer,
                                                const std::string& local, const Variables& more) {
  Variables variables;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::string_view name = text.substr(0, text.find('='));
    if (name.size() == text.size() || tells_of_a_connection(name)) continue;
    variables[std::string(name)] = text.substr(name.size() + 1);
  }
  if (scheme.starts_with("unix")) {
    add_unix(variables, peer, local);
  } else {
    add_ip(variables, scheme == "udp" ? "UDP" : "TCP", peer, local);
  }
  for (const auto& [name, value] : more) variables[name] = value;

  std::vector<std::string> environment;
  for (const auto& [name, value] : variables) {
    environment.push_back(name);
    environment.back().append("=").append(value);
  }
  return environment;
}
