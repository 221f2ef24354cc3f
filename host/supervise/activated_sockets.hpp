// Sockets that a service manager listens with before the host is started, and hands over: socket
// activation (man 3 sd_listen_fds). A listener that finds its name or its address among them takes
// those instead of binding its own. Lives in the supervisor, while it binds.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/fd.hpp"
#include "base/result.hpp"
#include "net/address.hpp"

namespace berth {

struct ActivatedSocket {
  std::string name;  // FileDescriptorName= of the socket unit; its file's name where it says none
  SocketAddress address;
  Fd socket;
};

class ActivatedSockets {
 public:
  ActivatedSockets() = default;  // none
  explicit ActivatedSockets(std::vector<ActivatedSocket> sockets) : sockets_(std::move(sockets)) {}

  // Takes over what LISTEN_FDS says, if LISTEN_PID is this process, and takes these variables out
  // of the environment. Each is made close-on-exec and non-blocking, and TCP_NODELAY is set, which
  // accepted ones inherit. What is of no use here is closed, with a line in `warnings`. Call it
  // once, while there is one thread.
  [[nodiscard]] static ActivatedSockets from_environment(std::vector<std::string>& warnings);

  // The names of all listeners: what bears one is for that listener alone.
  void keep_for(std::vector<std::string> listeners) { listeners_ = std::move(listeners); }
  // Those that bear a listener's name, whatever their addresses; they stand for all of its own.
  [[nodiscard]] std::vector<ActivatedSocket> take_named(const std::string& listener);
  // One that listens there and bears no listener's name.
  [[nodiscard]] std::optional<ActivatedSocket> take_at(const SocketAddress& address);
  // Those that nobody has taken.
  [[nodiscard]] std::vector<ActivatedSocket> take_rest();

 private:
  std::vector<ActivatedSocket> sockets_;
  std::vector<std::string> listeners_;
};

// What is told of one that nobody has taken, with the remedy.
[[nodiscard]] std::string not_wanted(const ActivatedSocket& socket);

// Of a descriptor handed over: where it listens, or takes datagrams. The error says why it cannot
// be served: no socket of such a type, none of TCP or UDP, one that is connected (Accept=yes), one
// that is not bound.
[[nodiscard]] Result<SocketAddress> address_of_listening(int descriptor);

}  // namespace berth
