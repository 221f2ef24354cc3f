#include "net/unix_socket.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <filesystem>

#include "base/source.hpp"

namespace berth {

namespace {

// How often, and how long in between, a lock is tried for that somebody else holds.
constexpr int kTries = 50;
constexpr timespec kBetweenTries = {.tv_sec = 0, .tv_nsec = 10'000'000};

Error failed(const char* what, const SocketAddress& address, int errno_value,
             const std::string& remedy = "") {
  Error error = system_error(std::string("cannot ") + what + " " + address.url(), errno_value);
  error.message += remedy;
  return error;
}

Error in_use(const SocketAddress& address) {
  return failed("bind", address, EADDRINUSE,
                " (another program listens there: ss -xlp 'src " + address.text() + "' names it)");
}

// Until it is closed. Nothing where the folder cannot be locked: the lock is among hosts alone, and
// whoever keeps it for long must not keep this one out.
Fd lock_folder_of(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  Fd locked(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!locked) return {};
  for (int left = kTries; left > 0; --left) {
    if (::flock(locked.get(), LOCK_EX | LOCK_NB) == 0) return locked;
    if (errno != EWOULDBLOCK && errno != EINTR) break;
    ::nanosleep(&kBetweenTries, nullptr);
  }
  return {};
}

// Whether nobody listens on a socket that is there. Who cannot tell says no.
bool is_dead(const SocketAddress& address) {
  const Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe) return false;
  return ::connect(probe.get(), address.get(), address.size()) != 0 && errno == ECONNREFUSED;
}

// Makes the path free, if it may be.
Result<void> take_away_dead(const SocketAddress& address) {
  struct stat there {};
  if (::lstat(address.path().c_str(), &there) != 0) return {};
  if (!S_ISSOCK(there.st_mode)) {
    return failed("bind", address, EADDRINUSE,
                  " (that is there already, and no socket: move it away, or choose another path)");
  }
  if (!is_dead(address)) return in_use(address);
  if (::unlink(address.path().c_str()) == 0 || errno == ENOENT) return {};
  return failed("remove the socket that a program left at", address, errno,
                " (remove it by hand, or run the host as its owner)");
}

std::string remedy_for_bind(int errno_value) {
  switch (errno_value) {
    case ENOENT:
      return " (its folder is not there: make it, with RuntimeDirectory= under systemd)";
    case EACCES:
      return " (this user may not make files in that folder)";
    case EADDRINUSE:
      return " (another program has that name: ss -xlp names it)";
    default:
      return "";
  }
}

Result<Fd> bind_with_mode(const SocketAddress& address, mode_t mode) {
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return failed("make a socket for", address, errno);
  const mode_t before = ::umask(~mode & 0777);
  const bool bound = ::bind(socket.get(), address.get(), address.size()) == 0;
  const int error = errno;
  ::umask(before);
  if (!bound) return failed("bind", address, error, remedy_for_bind(error));
  return socket;
}

Result<void> listen(const Fd& socket, const SocketAddress& address, int backlog) {
  if (::listen(socket.get(), backlog) == 0) return {};
  return failed("listen on", address, errno);
}

Result<UnixListener> listen_on_abstract(const SocketAddress& address, int backlog) {
  auto socket = bind_with_mode(address, SocketFile{}.mode);
  if (!socket) return socket.error();
  if (auto listens = listen(*socket, address, backlog); !listens) return listens.error();
  return UnixListener{std::move(*socket), nullptr};
}

}  // namespace

OwnSocketFile::OwnSocketFile(std::string path) : path_(std::move(path)) {
  struct stat there {};
  if (::lstat(path_.c_str(), &there) != 0) return;
  device_ = there.st_dev;
  inode_ = there.st_ino;
}

OwnSocketFile::~OwnSocketFile() {
  if (is_in_place()) ::unlink(path_.c_str());
}

bool OwnSocketFile::is_in_place() const {
  struct stat there {};
  return inode_ != 0 && ::lstat(path_.c_str(), &there) == 0 && there.st_dev == device_ &&
         there.st_ino == inode_;
}

Result<void> OwnSocketFile::become(const SocketFile& wanted) const {
  const SocketAddress address = SocketAddress::of_unix(path_);
  constexpr auto kSame = static_cast<uid_t>(-1);
  const bool has_owner = wanted.uid || wanted.gid;
  if (has_owner && ::chown(path_.c_str(), wanted.uid.value_or(kSame),
                           wanted.gid.value_or(static_cast<gid_t>(-1))) != 0) {
    return failed("change the owner of", address, errno,
                  " (only root may; others may choose a group that they are in)");
  }
  if (::chmod(path_.c_str(), wanted.mode) != 0) {
    return failed("change the mode of", address, errno);
  }
  return {};
}

Result<UnixListener> listen_on_unix(const SocketAddress& address, const SocketFile& file,
                                    int backlog) {
  const std::string path = address.path();
  if (path.empty()) return listen_on_abstract(address, backlog);
  const Fd lock = lock_folder_of(path);
  if (auto is_free = take_away_dead(address); !is_free) return is_free.error();
  auto socket = bind_with_mode(address, file.mode);
  if (!socket) return socket.error();
  auto own = std::make_shared<OwnSocketFile>(path);
  if (auto has_owner = own->become(file); !has_owner) return has_owner.error();
  if (auto listens = listen(*socket, address, backlog); !listens) return listens.error();
  return UnixListener{std::move(*socket), std::move(own)};
}

}  // namespace berth
