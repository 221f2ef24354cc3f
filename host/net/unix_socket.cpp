#include "net/unix_socket.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <filesystem>

#include "base/source.hpp"
#include "net/datagram.hpp"
#include "net/socket.hpp"
#include "net/socket_error.hpp"

namespace berth {

namespace {

// How often, and how long in between, a lock is tried for that somebody else holds.
constexpr int kTries = 50;
constexpr timespec kBetweenTries = {.tv_sec = 0, .tv_nsec = 10'000'000};

Error in_use(const SocketAddress& address) {
  return cannot("bind", address, EADDRINUSE,
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

// What connecting comes to: 0 where somebody listens.
int try_to_connect(const SocketAddress& address) {
  const Fd probe(::socket(AF_UNIX, address.type() | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe) return errno;
  return ::connect(probe.get(), address.get(), address.size()) == 0 ? 0 : errno;
}

// Makes the path free, if it may be: who listens there accepts, has a full queue or is of another
// type, and who does not refuses (man 2 connect, man 7 unix).
Result<void> take_away_dead(const SocketAddress& address) {
  struct stat there {};
  if (::lstat(address.path().c_str(), &there) != 0) return {};
  if (!S_ISSOCK(there.st_mode)) {
    return cannot("bind", address, EADDRINUSE,
                  " (that is there already, and no socket: move it away, or choose another path)");
  }
  const int error = try_to_connect(address);
  if (error == EACCES) {
    return cannot("find out whether anybody listens on", address, error,
                  " (if nobody does, remove it by hand, or run the host as its owner)");
  }
  if (error != ECONNREFUSED) return in_use(address);
  if (::unlink(address.path().c_str()) == 0 || errno == ENOENT) return {};
  return cannot("remove the socket that a program left at", address, errno,
                " (remove it by hand, or run the host as its owner)");
}

std::string remedy_for_bind(int errno_value) {
  switch (errno_value) {
    case ENOENT:
    case ENOTDIR:
      return " (its folder is not there: make it, with RuntimeDirectory= under systemd)";
    case EACCES:
      return " (this user may not make files in that folder)";
    case EADDRINUSE:
      return " (another program or listener has that name: ss -xlp names it)";
    default:
      return "";
  }
}

Result<Fd> bind_with_mode(const SocketAddress& address, mode_t mode) {
  Fd socket(::socket(AF_UNIX, address.type() | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return cannot("make a socket for", address, errno);
  if (address.is_datagram() && !set_up_datagrams(socket.get())) {
    return cannot("set up a socket for", address, errno);
  }
  const mode_t before = ::umask(~mode & 0777);
  const bool bound = ::bind(socket.get(), address.get(), address.size()) == 0;
  const int error = errno;
  ::umask(before);
  if (!bound) return cannot("bind", address, error, remedy_for_bind(error));
  return socket;
}

Result<UnixListener> listen_on_abstract(const SocketAddress& address, int backlog) {
  auto socket = bind_with_mode(address, SocketFile{}.mode);
  if (!socket) return socket.error();
  if (auto listens = start_listening(*socket, address, backlog); !listens) return listens.error();
  return UnixListener{std::move(*socket), nullptr};
}

}  // namespace

OwnSocketFile::OwnSocketFile(std::string path, Fd held)
    : path_(std::move(path)), held_(std::move(held)) {}

Result<std::shared_ptr<OwnSocketFile>> OwnSocketFile::hold(const std::string& path) {
  const SocketAddress address = SocketAddress::of_unix(path);
  Fd held(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat there {};
  if (!held || ::fstat(held.get(), &there) != 0) return cannot("look at", address, errno);
  // In a folder that others may write to, they may have been quicker.
  if (!S_ISSOCK(there.st_mode) || there.st_uid != ::geteuid()) {
    return cannot("bind", address, EADDRINUSE, " (somebody has put another file there)");
  }
  return std::make_shared<OwnSocketFile>(path, std::move(held));
}

OwnSocketFile::~OwnSocketFile() {
  if (!is_in_place()) return;
  const Fd lock = lock_folder_of(path_);
  if (is_in_place()) ::unlink(path_.c_str());
}

bool OwnSocketFile::is_in_place() const {
  struct stat own {
  }, there{};
  return ::fstat(held_.get(), &own) == 0 && ::lstat(path_.c_str(), &there) == 0 &&
         there.st_dev == own.st_dev && there.st_ino == own.st_ino;
}

Result<void> OwnSocketFile::become(const SocketFile& wanted) const {
  const SocketAddress address = SocketAddress::of_unix(path_);
  struct stat own {};
  if (::fstat(held_.get(), &own) != 0) return cannot("look at", address, errno);
  const uid_t user = wanted.uid.value_or(::geteuid());
  const gid_t group = wanted.gid.value_or(::getegid());
  const bool has_owner = own.st_uid == user && own.st_gid == group;
  if (!has_owner && ::fchownat(held_.get(), "", user, group, AT_EMPTY_PATH) != 0) {
    return cannot("change the owner of", address, errno,
                  " (only root may; others may choose a group that they are in)");
  }
  // fchmod(2) takes no such descriptor; the path that leads to it follows no link (man 5 proc).
  const std::string held = "/proc/self/fd/" + std::to_string(held_.get());
  if ((own.st_mode & 0777) != wanted.mode && ::chmod(held.c_str(), wanted.mode) != 0) {
    return cannot("change the mode of", address, errno);
  }
  return {};
}

Result<UnixListener> listen_on_unix(const SocketAddress& address, const SocketFile& file,
                                    int backlog) {
  const std::string path = address.path();
  if (path.empty()) return listen_on_abstract(address, backlog);
  const Fd lock = lock_folder_of(path);
  if (auto is_free = take_away_dead(address); !is_free) return is_free.error();
  // Datagrams need nobody who listens: until the file has its owner it lets nobody in.
  auto socket = bind_with_mode(address, address.is_datagram() ? 0 : file.mode);
  if (!socket) return socket.error();
  auto own = OwnSocketFile::hold(path);
  if (!own) return own.error();
  if (auto became = (*own)->become(file); !became) return became.error();
  if (auto listens = start_listening(*socket, address, backlog); !listens) return listens.error();
  return UnixListener{std::move(*socket), std::move(*own)};
}

}  // namespace berth
