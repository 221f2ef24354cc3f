#include "serve/client_set.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <string_view>

#include "net/socket.hpp"
#include "serve/client_connection.hpp"

namespace berth {

namespace {

// What a plugin knows of an operation that can ask for an address.
constexpr std::size_t kConnectingOperationSize = sizeof(berth_operation);

int end_at_once(berth_operation& operation, int error) {
  operation.error = error;
  operation.bytes.connected = nullptr;
  return BERTH_DONE;
}

// What can be connected to, and nothing beside it that only a listener heeds.
bool can_be_connected_to(const Address& address) {
  if (address.scheme == Scheme::tcp) return address.port != 0;
  return address.scheme == Scheme::unix_socket && address.file == SocketFile{};
}

}  // namespace

ClientSet::ClientSet(Connection& session) : session_(session) {}

ClientSet::~ClientSet() = default;

int ClientSet::connect(berth_operation& operation) {
  if (operation.size < kConnectingOperationSize || operation.duration < 0) {
    return end_at_once(operation, EINVAL);
  }
  if (session_.is_cut_off()) return end_at_once(operation, ECANCELED);
  const std::size_t others = attempts_.size();
  int error = ENOMEM;
  try {
    const auto [text, size] = operation.bytes.address;
    auto address = parse_address({text, size});
    if (!address || !can_be_connected_to(*address)) return end_at_once(operation, EINVAL);
    ConnectAttempt& attempt = attempts_.emplace_back(session_, *this, operation);
    error = attempt.start(*address);
    if (error == EINPROGRESS) return BERTH_PENDING;
    if (error == 0) {
      operation.error = 0;
      operation.bytes.connected = attempt.take_connection();
      attempts_.pop_back();
      return BERTH_DONE;
    }
  } catch (const std::bad_alloc&) {
  }
  if (attempts_.size() > others) attempts_.pop_back();
  return end_at_once(operation, error);
}

int ClientSet::adopt(Fd socket, berth_connection*& adopted) {
  int type = 0;
  socklen_t length = sizeof type;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_TYPE, &type, &length) != 0) return errno;
  if (type != SOCK_STREAM) return EPROTOTYPE;
  sockaddr_storage storage{};
  length = sizeof storage;
  auto* const peer = reinterpret_cast<sockaddr*>(&storage);
  if (::getpeername(socket.get(), peer, &length) != 0) return errno;
  if (session_.is_cut_off()) return ECANCELED;
  (void)::fcntl(socket.get(), F_SETFD, FD_CLOEXEC);
  try {
    ClientConnection* const connection = add(std::move(socket), SocketAddress(peer, length));
    if (connection == nullptr) return errno;
    adopted = connection;
    return 0;
  } catch (const std::bad_alloc&) {
    return ENOMEM;
  }
}

ClientConnection* ClientSet::add(Fd socket, const SocketAddress& address) {
  // Who waits in the kernel for a socket that does not block is not let wait there (io_uring), and
  // everybody else says with each call that it is not to block.
  int non_blocking = 0;
  (void)::ioctl(socket.get(), FIONBIO, &non_blocking);
  const Peer peer = peer_of(socket.get(), address);
  auto connection = make(std::move(socket), peer);
  if (!connection) return nullptr;
  return connections_.emplace_back(std::move(connection)).get();
}

void ClientSet::close(ClientConnection& connection) {
  connection.close();
  to_be_swept_ = true;
}

void ClientSet::remove(ConnectAttempt& attempt) {
  attempts_.remove_if([&](const ConnectAttempt& one) { return &one == &attempt; });
}

bool ClientSet::waiting() const {
  return !attempts_.empty() ||
         std::any_of(connections_.begin(), connections_.end(),
                     [](const auto& one) { return one->reading() || one->writing(); });
}

bool ClientSet::drain_ends_a_read() const {
  return std::any_of(connections_.begin(), connections_.end(),
                     [](const auto& one) { return one->read_ends_on_drain(); });
}

void ClientSet::end_reads_on_drain() {
  for_each([](ClientConnection& one) { one.end_read_on_drain(); });
}

void ClientSet::cut_off() {
  for_each([](ClientConnection& one) { one.cut_off(); });
}

void ClientSet::cancel() {
  while (!attempts_.empty()) attempts_.front().end(ECANCELED);
  for_each([](ClientConnection& one) { one.break_off(ECANCELED); });
}

void ClientSet::sweep() {
  if (!std::exchange(to_be_swept_, false)) return;
  connections_.remove_if([](const auto& one) { return one->is_closed(); });
}

}  // namespace berth
