#include "cli/control_client.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "base/fd.hpp"
#include "net/socket.hpp"

namespace berth {

namespace {

// How long a host may take to tell its status.
constexpr std::chrono::seconds kPatience{5};
constexpr const char* kNoAnswer = "the host does not answer: it is stopped (SIGSTOP), or hangs";

Error no_host(const std::filesystem::path& socket, int errno_value) {
  const bool none = errno_value == ENOENT || errno_value == ECONNREFUSED;
  Error error = system_error("cannot reach a host at " + socket.string(), errno_value);
  if (none) error.message += " (no host runs with that config; --socket names another one's)";
  if (errno_value == EACCES) error.message += " (it is another user's)";
  return error;
}

}  // namespace

Result<std::string> ask_host(const std::filesystem::path& socket, const ControlRequest& request) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket.string().size() >= sizeof address.sun_path) return no_host(socket, ENAMETOOLONG);
  std::strcpy(address.sun_path, socket.c_str());
  const Fd host(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (request.command == ControlCommand::status) {
    // The one for sending is connect's as well (man 7 socket), which waits where many others wait.
    set_send_timeout(host.get(), kPatience);
    set_receive_timeout(host.get(), kPatience);
  }
  if (::connect(host.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return errno == EAGAIN ? Error{kNoAnswer} : no_host(socket, errno);
  }
  const std::string line = to_line(request);
  if (::send(host.get(), line.data(), line.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(line.size())) {
    return system_error("cannot ask the host", errno);
  }
  std::string answer;
  std::array<char, 65536> buffer;
  for (;;) {
    const ssize_t count = ::recv(host.get(), buffer.data(), buffer.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return Error{kNoAnswer};
    if (count <= 0) break;
    answer.append(buffer.data(), static_cast<std::size_t>(count));
  }
  if (!answer.ends_with('\n')) return Error{"the host has ended without an answer (see its log)"};
  answer.pop_back();
  return answer;
}

}  // namespace berth
