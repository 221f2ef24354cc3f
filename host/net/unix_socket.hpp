// Unix sockets that listen, and their files.
#pragma once

#include <memory>
#include <string>

#include "base/fd.hpp"
#include "base/result.hpp"
#include "net/address.hpp"

namespace berth {

// The file of a Unix socket that listens, which nobody but its maker removes: it goes with this
// object, if its path still leads to it. Others may have put another in its place meanwhile. It is
// held by a descriptor (O_PATH, man 2 open), since the number of a file that is gone is soon given
// to another.
class OwnSocketFile {
 public:
  OwnSocketFile(std::string path, Fd held);
  // Holds what is there now. The error says what is there in place of a socket of this user's.
  [[nodiscard]] static Result<std::shared_ptr<OwnSocketFile>> hold(const std::string& path);
  OwnSocketFile(const OwnSocketFile&) = delete;
  OwnSocketFile& operator=(const OwnSocketFile&) = delete;
  ~OwnSocketFile();

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] int descriptor() const { return held_.get(); }
  [[nodiscard]] bool is_in_place() const;
  // Gives the file another mode and owner: this process's where none is said. The error names the
  // path, and the remedy.
  [[nodiscard]] Result<void> become(const SocketFile& wanted) const;

 private:
  std::string path_;
  Fd held_;
};

struct UnixListener {
  Fd socket;
  std::shared_ptr<OwnSocketFile> file;  // none for an abstract name
};

// A socket that listens at `address`, or takes datagrams there, non-blocking and close-on-exec; its
// file has its mode and owner before anyone can connect or send. A file that a program left which
// is gone is replaced: a socket that refuses connections (man 7 unix). One on which somebody
// listens, and a file that is no socket, are refused. Two hosts that start at once do not remove
// each other's: who looks, removes and listens holds a lock on the folder meanwhile (flock, man 2),
// for which it waits at most half a second. For a process with one thread, since the mode is set by
// umask(2).
[[nodiscard]] Result<UnixListener> listen_on_unix(const SocketAddress& address,
                                                  const SocketFile& file, int backlog);

}  // namespace berth
