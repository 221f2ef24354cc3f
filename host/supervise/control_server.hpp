// The control socket: a Unix socket on which the commands of `berth status`, `berth reload` and
// their kin come in, one a connection. Only the user that the host runs as, and root, may speak.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/fd.hpp"
#include "base/log.hpp"
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

  // Listens at `path`, in mode 0600 before anyone can connect. A path left by a host that is gone
  // is taken over, one that somebody listens on is refused.
  [[nodiscard]] Result<void> listen(const std::filesystem::path& path);
  // Goes on with the socket of a former binary.
  void adopt(Fd listening, const std::filesystem::path& path);
  // No more requests; those that wait for an answer still get it. Removes the path.
  void close();

  // Sends the line and closes the connection. A client that is gone is no error.
  void answer(ControlClient client, const std::string& line);

  // For another binary: what listens (-1: nothing), and the clients that wait.
  [[nodiscard]] int descriptor() const { return listening_.get(); }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] int descriptor_of(ControlClient client) const;
  [[nodiscard]] ControlClient adopt_client(Fd socket);

 private:
  class Client;

  void on_connect();
  void on_line(ControlClient client, std::string_view line);
  void drop(ControlClient client);
  void watch();

  EventLoop& loop_;
  Log& log_;
  std::function<void(ControlRequest, ControlClient)> asked_;
  std::filesystem::path path_;
  Fd listening_;
  CallWatcher watcher_;
  ControlClient last_client_ = 0;
  std::map<ControlClient, std::unique_ptr<Client>> clients_;
  std::vector<std::unique_ptr<Client>> gone_;  // until the next one comes: they may be at work
};

}  // namespace berth
