#include "supervise/activated_sockets.hpp"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <sstream>

#include "base/environment.hpp"
#include "base/source.hpp"
#include "net/socket.hpp"

namespace berth {

namespace {

constexpr int kFirstDescriptor = 3;  // SD_LISTEN_FDS_START
constexpr int kMostDescriptors = 1024;

// 0 where the variable is not there, or is not meant for this process.
int count_in(const std::string& count_text, const std::string& pid_text) {
  if (pid_text != std::to_string(::getpid())) return 0;
  int count = 0;
  const auto error =
      std::from_chars(count_text.data(), count_text.data() + count_text.size(), count).ec;
  return error == std::errc() ? std::clamp(count, 0, kMostDescriptors) : 0;
}

std::vector<std::string> names_in(const std::string& text) {
  std::vector<std::string> names;
  std::istringstream words(text);
  for (std::string name; std::getline(words, name, ':');) names.push_back(name);
  return names;
}

int option_of(int socket, int option) {
  int value = 0;
  socklen_t length = sizeof value;
  return ::getsockopt(socket, SOL_SOCKET, option, &value, &length) == 0 ? value : -1;
}

bool is_connected(int socket) {
  sockaddr_storage peer{};
  socklen_t length = sizeof peer;
  return ::getpeername(socket, reinterpret_cast<sockaddr*>(&peer), &length) == 0;
}

void set_up(int socket) {
  (void)::fcntl(socket, F_SETFD, FD_CLOEXEC);
  (void)::fcntl(socket, F_SETFL, ::fcntl(socket, F_GETFL) | O_NONBLOCK);
  const int on = 1;
  (void)::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

// Not SO_ACCEPTCONN alone: a listener that failed has shut its socket down, of which the manager
// keeps a copy. It is bound still, and listens again as soon as it is told to.
Result<SocketAddress> address_of_listening(int descriptor) {
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) return Error{"is not open"};
  if (!S_ISSOCK(status.st_mode)) return Error{"is no socket"};
  const int type = option_of(descriptor, SO_TYPE);
  if (type != SOCK_STREAM && type != SOCK_DGRAM) {
    return Error{
        "is neither a stream socket nor one of datagrams (ListenStream=, ListenDatagram=)"};
  }
  const int family = option_of(descriptor, SO_DOMAIN);
  if (family != AF_INET && family != AF_INET6 && family != AF_UNIX) {
    return Error{"is neither a socket of TCP or UDP nor a Unix socket"};
  }
  if (type == SOCK_DGRAM && is_connected(descriptor)) {
    return Error{"is connected, and would take datagrams of one sender alone"};
  }
  if (option_of(descriptor, SO_ACCEPTCONN) == 0 && is_connected(descriptor)) {
    return Error{"is a connection and no socket that listens (Accept=no hands over the latter)"};
  }
  const SocketAddress address = local_address(descriptor);
  if (address.is_unix() && address.size() <= sizeof(sa_family_t))
    return Error{"is not bound to a path"};
  if (!address.is_unix() && address.port() == 0) return Error{"is not bound to a port"};
  return address;
}

ActivatedSockets ActivatedSockets::from_environment(std::vector<std::string>& warnings) {
  const std::string count_text = take_variable("LISTEN_FDS");
  const int count = count_in(count_text, take_variable("LISTEN_PID"));
  const std::vector<std::string> names = names_in(take_variable("LISTEN_FDNAMES"));
  std::vector<ActivatedSocket> sockets;
  for (int i = 0; i < count; ++i) {
    const auto place = static_cast<std::size_t>(i);
    std::string name = place < names.size() ? names[place] : "unknown";
    Fd socket(kFirstDescriptor + i);
    const auto address = address_of_listening(socket.get());
    if (!address) {
      warnings.push_back("socket activation: descriptor " + std::to_string(socket.get()) + " (" +
                         in_quotes(name) + ") " + address.error().message + "; it is closed");
      continue;
    }
    set_up(socket.get());
    sockets.push_back({std::move(name), address.value(), std::move(socket)});
  }
  return ActivatedSockets(std::move(sockets));
}

std::vector<ActivatedSocket> ActivatedSockets::take_named(const std::string& listener) {
  const auto others =
      std::stable_partition(sockets_.begin(), sockets_.end(),
                            [&](const ActivatedSocket& each) { return each.name != listener; });
  std::vector<ActivatedSocket> named(std::make_move_iterator(others),
                                     std::make_move_iterator(sockets_.end()));
  sockets_.erase(others, sockets_.end());
  return named;
}

std::optional<ActivatedSocket> ActivatedSockets::take_at(const SocketAddress& address) {
  const auto found =
      std::find_if(sockets_.begin(), sockets_.end(), [&](const ActivatedSocket& each) {
        const bool kept =
            std::find(listeners_.begin(), listeners_.end(), each.name) != listeners_.end();
        return !kept && each.address == address;
      });
  if (found == sockets_.end()) return std::nullopt;
  std::optional<ActivatedSocket> taken = std::move(*found);
  sockets_.erase(found);
  return taken;
}

std::vector<ActivatedSocket> ActivatedSockets::take_rest() { return std::exchange(sockets_, {}); }

std::string not_wanted(const ActivatedSocket& socket) {
  return "socket activation: no listener is called " + in_quotes(socket.name) +
         ", and none listens on " + socket.address.url() +
         "; that socket is closed (FileDescriptorName= in its unit can name a listener)";
}

}  // namespace berth
