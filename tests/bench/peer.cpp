#include "peer.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "base/fd.hpp"
#include "failure.hpp"
#include "options.hpp"

namespace berth::bench {
namespace {

// Nobody is kept from taking it before the peer does; then the peer does not start, and is left
// out with a message.
std::uint16_t free_port() {
  const Fd probe(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (!probe || bind(probe.get(), generic, size) != 0 ||
      getsockname(probe.get(), generic, &size) != 0) {
    throw system_failure("cannot find a free port");
  }
  return ntohs(address.sin_port);
}

std::string user_name() {
  const passwd* const entry = getpwuid(geteuid());
  return entry != nullptr ? entry->pw_name : std::to_string(geteuid());
}

struct Placeholder {
  std::string name, value;
};
using Placeholders = std::vector<Placeholder>;

std::string put_in(std::string text, const Placeholders& placeholders) {
  for (const auto& [name, value] : placeholders) {
    for (std::size_t at = 0; (at = text.find(name, at)) != std::string::npos; at += value.size()) {
      text.replace(at, name.size(), value);
    }
  }
  return text;
}

std::filesystem::path peers_folder(const Options& options) { return options.bare / "peers"; }

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) throw Failure("cannot read " + path.string());
  return text.str();
}

bool is_there(const std::string& need) {
  if (need.find('/') != std::string::npos) return access(need.c_str(), F_OK) == 0;
  const char* const path = std::getenv("PATH");
  std::istringstream folders(path != nullptr ? path : "");
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (access((folder + "/" + need).c_str(), X_OK) == 0) return true;
  }
  return false;
}

}  // namespace

const Peer* find_peer(const Field& field, std::string_view name) {
  std::string known;
  for (const Peer& peer : field.members) {
    if (name == peer.name) return &peer;
    known += std::string(known.empty() ? "" : ", ") + peer.name;
  }
  throw std::invalid_argument("none of the " + std::string(field.name) + " is called '" +
                              std::string(name) + "' (there are: " + known + ")");
}

std::string why_missing(const Peer& peer, const Options& options) {
  for (const char* need : {peer.arguments[0], peer.also_needs}) {
    if (need == nullptr) continue;
    const std::string file = put_in(need, {{"{peers}", peers_folder(options)}});
    if (!is_there(file)) return "not installed: " + file;
  }
  return "";
}

Command command_of(const Peer& peer, const std::string& name, const Options& options,
                   const TemporaryFolder& folder, std::uint16_t upstream) {
  Command command;
  Placeholders placeholders{{"{peers}", peers_folder(options)},
                            {"{user}", user_name()},
                            {"{upstream}", std::to_string(upstream)}};
  if (peer.before_port != nullptr) {
    command.before_port = peer.before_port;
  } else {
    command.port = free_port();
    placeholders.push_back({"{port}", std::to_string(command.port)});
  }
  if (peer.config != nullptr) {
    placeholders.push_back({"{folder}", folder.path() / name});
    const std::string config = put_in(read_file(peers_folder(options) / peer.config), placeholders);
    placeholders.push_back({"{config}", folder.write(name + ".conf", config)});
  }
  for (const char* argument : peer.arguments) {
    if (argument != nullptr) command.arguments.push_back(put_in(argument, placeholders));
  }
  return command;
}

}  // namespace berth::bench
