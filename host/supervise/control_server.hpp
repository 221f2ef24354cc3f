// The control socket: a Unix socket on which the commands of `berth status`, `berth reload` and
// their kin come in, one a connection. Only the user that the host runs as, and root, may speak.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.hpp"
#include "base/log.hpp"
#include "net/unix_socket.hpp"
#include "serve/event_loop.hpp"
#include "supervise/control_protocol.hpp"

namespace berth {

// A client that waits for its answer. No number is used twice by one binary.
using ControlClient = std::uint64_t;

class ControlServer {
 public:
  // `asked` is called for each request that makes sense, and answers now or later.
  ControlServer(EventLoop& loop, Log& log,
                std::function<void(ControlRequest, ControlClient)> asked);
  ~ControlServer();

  // A socket for it, in mode 0600, as listen_on_unix() makes and refuses it.
  [[nodiscard]] static Result<UnixListener> bind(const std::filesystem::path& path);
  // Takes requests there from now on, and no longer where it did before.
  void move_to(UnixListener listener);
  // Goes on with the socket of a former binary.
  void adopt(Fd socket, Fd file, const std::filesystem::path& path);
  // Whether its path, which anyone may remove, still leads to it.
  [[nodiscard]] bool is_reachable() const;
  // No more requests; those that wait for an answer still get it. Removes the path.
  void close();

  // Sends the line and closes the connection. A client that is gone is no error.
  void answer(ControlClient client, const std::string& line);

  // For another binary: what listens (-1: nothing), and the clients that wait.
  [[nodiscard]] int descriptor() const { return listener_.socket.get(); }
  [[nodiscard]] int file_descriptor() const {
    return listener_.file ? listener_.file->descriptor() : -1;
  }
  [[nodiscard]] std::string path() const { return listener_.file ? listener_.file->path() : ""; }
  [[nodiscard]] int descriptor_of(ControlClient client) const;
  [[nodiscard]] ControlClient adopt_client(Fd socket);

 private:
  class Client;

  void on_connect();
  void on_line(ControlClient client, std::string_view line);
  void drop(ControlClient client);

  EventLoop& loop_;
  Log& log_;
  std::function<void(ControlRequest, ControlClient)> asked_;
  UnixListener listener_;
  CallWatcher watcher_;
  ControlClient last_client_ = 0;
  std::map<ControlClient, std::unique_ptr<Client>> clients_;
  std::vector<std::unique_ptr<Client>> gone_;  // until the next one comes: they may be at work
};

}  // namespace berth
