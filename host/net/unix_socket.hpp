// Unix sockets that listen, and their files.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/fd.hpp"
#include "base/result.hpp"
#include "net/address.hpp"

namespace berth {

// The file of a Unix socket that listens, which nobody but its maker removes: it goes with this
// object, if its path still leads to it. Others may have put another in its place meanwhile.
class OwnSocketFile {
 public:
  // The file that is there now.
  explicit OwnSocketFile(std::string path);
  OwnSocketFile(const OwnSocketFile&) = delete;
  OwnSocketFile& operator=(const OwnSocketFile&) = delete;
  ~OwnSocketFile();

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] bool is_in_place() const;
  // Gives the file another mode and owner, as far as they are said. The error names the path, and
  // the remedy.
  [[nodiscard]] Result<void> become(const SocketFile& wanted) const;

 private:
  std::string path_;
  std::uint64_t device_ = 0;
  std::uint64_t inode_ = 0;
};

struct UnixListener {
  Fd socket;
  std::shared_ptr<OwnSocketFile> file;  // none for an abstract name
};

// A stream socket that listens at `address`, non-blocking and close-on-exec; its file has its mode
// and owner before anyone can connect. A file that a program left which is gone is replaced: a
// socket that refuses connections (man 7 unix). One on which somebody listens, and a file that is
// no socket, are refused. Two hosts that start at once do not remove each other's: who looks,
// removes and listens holds a lock on the folder meanwhile (flock, man 2). For a process with one
// thread, since the mode is set by umask(2).
[[nodiscard]] Result<UnixListener> listen_on_unix(const SocketAddress& address,
                                                  const SocketFile& file, int backlog);

}  // namespace berth
