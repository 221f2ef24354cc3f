#include "supervise/control_server.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

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

bool is_one_of_us(int socket) {
  ucred peer{};
  socklen_t length = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return false;
  return peer.uid == 0 || peer.uid == ::geteuid();
}

}  // namespace

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

Result<UnixListener> ControlServer::bind(const fs::path& path) {
  const std::string name = path.string();
  if (name.size() > kLongestUnixName) {
    return Error{"the path of the control socket is too long: " + name};
  }
  auto listener = listen_on_unix(SocketAddress::of_unix(name), {.mode = 0600}, kBacklog);
  if (listener) return listener;
  return Error{"control socket: " + listener.error().message};
}

void ControlServer::move_to(UnixListener listener) {
  close();
  listener_ = std::move(listener);
  watcher_.start(loop_.demultiplexer(), descriptor());
}

void ControlServer::adopt(Fd socket, Fd file, const fs::path& path) {
  move_to({std::move(socket), std::make_shared<OwnSocketFile>(path.string(), std::move(file))});
}

bool ControlServer::is_reachable() const {
  return listener_.file != nullptr && listener_.file->is_in_place();
}

void ControlServer::close() {
  if (!listener_.socket) return;
  watcher_.stop();
  listener_.file.reset();
  listener_.socket.reset();
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
