#include "supervise/control_server.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace berth {

namespace fs = std::filesystem;

namespace {

// At a time, most of whom wait for a change to be over.
constexpr std::size_t kMostClients = 64;
// From the connection to the end of the request.
constexpr Duration kPatience = std::chrono::seconds(5);
constexpr int kBacklog = 16;
// Room for the longest answer; the kernel may cut it to net.core.wmem_max.
constexpr int kSendBuffer = 1 << 20;

Result<sockaddr_un> address_of(const fs::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.string().size() >= sizeof address.sun_path) {
    return Error{"the path of the control socket is too long: " + path.string()};
  }
  std::strcpy(address.sun_path, path.c_str());
  return address;
}

// Whether somebody listens there. A socket that nobody listens on any more refuses.
bool is_live(const sockaddr_un& address) {
  const Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    return true;
  }
  return errno == EAGAIN;  // its backlog is full
}

bool is_one_of_us(int socket) {
  ucred peer{};
  socklen_t length = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return false;
  return peer.uid == 0 || peer.uid == ::geteuid();
}

}  // namespace

ControlSocket::ControlSocket(Fd listening, fs::path path)
    : listening_(std::move(listening)), path_(std::move(path)) {
  struct stat there {};
  if (::lstat(path_.c_str(), &there) != 0) return;
  device_ = there.st_dev;
  inode_ = there.st_ino;
}

ControlSocket& ControlSocket::operator=(ControlSocket&& other) noexcept {
  std::swap(listening_, other.listening_);
  std::swap(path_, other.path_);
  std::swap(device_, other.device_);
  std::swap(inode_, other.inode_);
  return *this;
}

bool ControlSocket::is_in_place() const {
  struct stat there {};
  return listening_ && ::lstat(path_.c_str(), &there) == 0 && there.st_dev == device_ &&
         there.st_ino == inode_;
}

void ControlSocket::remove() {
  if (is_in_place()) ::unlink(path_.c_str());
  listening_.reset();
}

// One connection, until it is answered.
class ControlServer::Client {
 public:
  Client(ControlServer& server, ControlClient number, Fd socket)
      : server_(server),
        number_(number),
        socket_(std::move(socket)),
        watcher_([this] { on_input(); }),
        patience_(server.loop_.timers(), [this] { server_.drop(number_); }) {}

  void await_request() {
    watcher_.start(server_.loop_.demultiplexer(), socket_.get());
    patience_.arm(after(Clock::now(), kPatience));
  }
  [[nodiscard]] int socket() const { return socket_.get(); }
  void close() {
    watcher_.stop();
    patience_.disarm();
    socket_.reset();
  }

 private:
  void on_input() {
    std::array<char, kLongestRequest> buffer;
    const ssize_t count = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count <= 0) return server_.drop(number_);
    if (asked_) return;  // it has its turn, and waits
    text_.append(buffer.data(), static_cast<std::size_t>(count));
    const auto end = text_.find('\n');
    if (end == std::string::npos && text_.size() < kLongestRequest) return;
    asked_ = true;
    patience_.disarm();
    server_.on_line(number_, std::string_view(text_).substr(0, end));
  }

  ControlServer& server_;
  const ControlClient number_;
  Fd socket_;
  std::string text_;
  bool asked_ = false;
  CallWatcher watcher_;
  CallTimer patience_;
};

ControlServer::ControlServer(EventLoop& loop, Log& log,
                             std::function<void(ControlRequest, ControlClient)> asked)
    : loop_(loop), log_(log), asked_(std::move(asked)), watcher_([this] { on_connect(); }) {}

ControlServer::~ControlServer() { close(); }

Result<ControlSocket> ControlServer::bind(const fs::path& path) {
  const auto address = address_of(path);
  if (!address) return address.error();
  struct stat there {};
  if (::lstat(path.c_str(), &there) == 0 && !S_ISSOCK(there.st_mode)) {
    return Error{"the path of the control socket is taken by something else: " + path.string()};
  }
  if (is_live(address.value())) {
    return Error{"another host listens on the control socket " + path.string()};
  }
  // Under another name first: so the path never leads to a socket that nobody listens on, and one
  // that a dead host left is replaced in one step (man 2 rename).
  const fs::path fresh = path.string() + "." + std::to_string(::getpid());
  const auto fresh_address = address_of(fresh);
  if (!fresh_address) return fresh_address.error();
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const auto* const name = reinterpret_cast<const sockaddr*>(&fresh_address.value());
  ::unlink(fresh.c_str());
  const mode_t mask = ::umask(0177);  // the supervisor has one thread
  const bool bound = socket && ::bind(socket.get(), name, sizeof(sockaddr_un)) == 0;
  const int error = errno;
  ::umask(mask);
  if (!bound) return system_error("cannot bind the control socket " + path.string(), error);
  if (::listen(socket.get(), kBacklog) != 0 || ::rename(fresh.c_str(), path.c_str()) != 0) {
    const int reason = errno;
    ::unlink(fresh.c_str());
    return system_error("cannot listen on the control socket " + path.string(), reason);
  }
  return ControlSocket(std::move(socket), path);
}

void ControlServer::move_to(ControlSocket socket) {
  close();
  socket_ = std::move(socket);
  watcher_.start(loop_.demultiplexer(), socket_.listening().get());
}

void ControlServer::adopt(Fd listening, const fs::path& path) {
  move_to(ControlSocket(std::move(listening), path));
}

bool ControlServer::is_reachable() const { return socket_.is_in_place(); }

void ControlServer::close() {
  if (!socket_.listening()) return;
  watcher_.stop();
  socket_.remove();
}

void ControlServer::on_connect() {
  gone_.clear();
  Fd socket(::accept4(descriptor(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket) return;
  const bool full = clients_.size() >= kMostClients;
  if (full || !is_one_of_us(socket.get())) {
    const std::string line =
        answer_error(full ? "too many wait for their answers; signals do reach it"
                          : "this host is another user's");
    (void)::send(socket.get(), line.data(), line.size(), MSG_NOSIGNAL);
    return;
  }
  const ControlClient number = adopt_client(std::move(socket));
  clients_.at(number)->await_request();
}

ControlClient ControlServer::adopt_client(Fd socket) {
  (void)::setsockopt(socket.get(), SOL_SOCKET, SO_SNDBUF, &kSendBuffer, sizeof kSendBuffer);
  const ControlClient number = ++last_client_;
  clients_[number] = std::make_unique<Client>(*this, number, std::move(socket));
  return number;
}

int ControlServer::descriptor_of(ControlClient client) const {
  const auto found = clients_.find(client);
  return found == clients_.end() ? -1 : found->second->socket();
}

void ControlServer::on_line(ControlClient client, std::string_view line) {
  if (line.size() >= kLongestRequest) return answer(client, answer_error("that is too long"));
  const auto request = parse_request(line);
  if (!request) return answer(client, answer_error(request.error().message));
  asked_(request.value(), client);
}

void ControlServer::answer(ControlClient client, const std::string& line) {
  const auto found = clients_.find(client);
  if (found == clients_.end()) return;
  const ssize_t sent = ::send(found->second->socket(), line.data(), line.size(), MSG_NOSIGNAL);
  if (sent >= 0 && static_cast<std::size_t>(sent) < line.size()) {
    log_.warn("an answer on the control socket was too long to be sent");
  }
  drop(client);
}

void ControlServer::drop(ControlClient client) {
  const auto found = clients_.find(client);
  if (found == clients_.end()) return;
  found->second->close();
  gone_.push_back(std::move(found->second));
  clients_.erase(found);
}

}  // namespace berth
