#include "serve/acceptor.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <system_error>
#include <utility>

#include "base/format.hpp"
#include "net/socket.hpp"
#include "serve/batch_size.hpp"

namespace berth {

namespace {

// Connections taken in one go, so that neither a storm of new clients nor the old ones starve.
constexpr int kAcceptedAtOnce = 4;
// How soon accepting is tried again after descriptors ran out.
constexpr Duration kRetryAccept = std::chrono::milliseconds(100);
// Descriptors left to the handler below the end of what the demultiplexer can watch.
constexpr int kSpareDescriptors = 4;
// The longest queue there can be, for sockets whose kernel does not tell.
constexpr unsigned kLongestQueue = 65'535;

}  // namespace

AcceptFailure classify_accept_failure(int errno_value) {
  switch (errno_value) {
    case EAGAIN:
      return AcceptFailure::nothing_waits;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      return AcceptFailure::wait_for_room;
    case EBADF:
    case EINVAL:
    case ENOTSOCK:
      return AcceptFailure::broken;
    default:
      return AcceptFailure::try_next;
  }
}

// A listening socket and its watch.
class Acceptor::Listener final : public Watcher {
 public:
  Listener(Acceptor& acceptor, Socket socket) : acceptor_(acceptor), scheme_(socket.scheme) {
    if (!is_datagram(scheme_)) {
      socket_ = std::move(socket.socket);
      return;
    }
    EventLoop* const loop = acceptor.rules_.in_loop ? &acceptor.loop_ : nullptr;
    datagrams_ = std::make_shared<DatagramSocket>(std::move(socket.socket), loop);
  }
  void on_ready() override {
    if (acceptor_.paused_ != Pause::no) return;  // since the loop's wait has seen it
    acceptor_.accept_some(*this);
  }
  void watch(EventLoop& loop) {
    if (watch_.start(loop.demultiplexer(), socket(), *this)) return;
    throw std::system_error(errno, std::generic_category(), "cannot watch a listening socket");
  }
  void set_active(bool active) { watch_.set_active(active); }
  [[nodiscard]] int socket() const { return datagrams_ ? datagrams_->number() : socket_.get(); }
  // Null where connections are accepted.
  [[nodiscard]] const std::shared_ptr<DatagramSocket>& datagrams() const { return datagrams_; }
  [[nodiscard]] Scheme scheme() const { return scheme_; }

  BatchSize batch{DatagramReceiver::kBatch};

 private:
  Acceptor& acceptor_;
  Fd socket_;
  std::shared_ptr<DatagramSocket> datagrams_;
  Scheme scheme_;
  Watch watch_;
};

// While it lives, sessions that come to their end leave it to others to take the next.
class Acceptor::Filling {
 public:
  explicit Filling(bool& flag) : flag_(flag) { flag_ = true; }
  Filling(const Filling&) = delete;
  Filling& operator=(const Filling&) = delete;
  ~Filling() { flag_ = false; }

 private:
  bool& flag_;
};

Acceptor::Acceptor(EventLoop& loop, Log& log, Rules rules, std::function<std::size_t()> sessions,
                   std::function<void(AcceptedConnection&&)> start)
    : loop_(loop),
      log_(log),
      rules_(rules),
      sessions_(std::move(sessions)),
      start_(std::move(start)),
      losses_(loop, log),
      retry_(loop.timers(), [this] { resume(); }) {}

Acceptor::~Acceptor() = default;

void Acceptor::listen(std::vector<Socket> sockets, Duration send_timeout) {
  send_timeout_ = send_timeout;
  for (Socket& socket : sockets) {
    if (!is_datagram(socket.scheme)) set_send_timeout(socket.socket.get(), send_timeout);
    listeners_.push_back(std::make_unique<Listener>(*this, std::move(socket)));
    if (const auto& datagrams = listeners_.back()->datagrams()) {
      if (!receiver_) receiver_ = std::make_unique<DatagramReceiver>();
      losses_.watch(datagrams);
    }
    listeners_.back()->watch(loop_);
  }
}

void Acceptor::accept_some(Listener& listener) {
  take_some(listener);
  if (rules_.often_full && sessions_() >= rules_.max_connections) pause(Pause::full);
}

void Acceptor::take_some(Listener& listener) {
  if (listener.datagrams()) {
    if (!may_accept()) return;
    // Since they are out of the queue then, no more than may be served.
    (void)receive_batch(listener, rules_.rate.room(loop_.now(), listener.batch.next()));
    return;
  }
  // One waits, as the loop has said; of further ones nobody knows.
  for (int taken = 0; taken < kAcceptedAtOnce; ++taken) {
    if (taken > 0 && !connection_waits(listener.socket())) return;
    if (!may_accept() || !accept_one(listener)) return;
  }
}

bool Acceptor::may_accept() {
  if (sessions_() >= rules_.max_connections) {
    pause(Pause::full);
  } else if (rules_.rate.next() > loop_.now()) {
    pause(Pause::too_fast);
  } else {
    return true;
  }
  return false;
}

bool Acceptor::accept_one(const Listener& listener) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  const int flags = SOCK_CLOEXEC | (rules_.blocking_sockets ? 0 : SOCK_NONBLOCK);
  Fd connection(
      ::accept4(listener.socket(), reinterpret_cast<sockaddr*>(&storage), &length, flags));
  if (!connection) return on_failure(errno);
  const SocketAddress from(reinterpret_cast<sockaddr*>(&storage), length);
  const Peer peer = peer_of(connection.get(), from);
  const bool has_header = rules_.headers != nullptr && rules_.headers->expects_from(peer);
  if (!has_header && !admits(peer)) return true;
  const int number = connection.get();
  if (from.is_unix()) set_send_timeout(number, send_timeout_);  // which these do not inherit
  AcceptedConnection accepted;
  accepted.socket = std::move(connection);
  accepted.peer = peer;
  accepted.scheme = listener.scheme();
  rules_.rate.count(loop_.now());
  has_header ? rules_.headers->start(std::move(accepted)) : start_or_close(std::move(accepted));
  // The kernel gives the lowest free number: those below are all taken.
  const bool near_the_end = number >= loop_.demultiplexer().end_of_range() - kSpareDescriptors;
  if (!near_the_end) return true;
  pause(Pause::try_later);
  say(
      formatted("descriptor {} is in use, and only those under {} can be watched: further "
                "clients wait {}",
                number, loop_.demultiplexer().end_of_range(), waiting_place()));
  return false;
}

void Acceptor::let_in(AcceptedConnection&& accepted) {
  if (admits(accepted.peer)) start_or_close(std::move(accepted));
}

// Where there is no memory for one more, the others go on.
void Acceptor::start_or_close(AcceptedConnection&& accepted) {
  const Peer peer = accepted.peer;
  accepted.id = ++accepted_;
  accepted.accepted = loop_.now();
  try {
    log_opened(log_, accepted);
    start_(std::move(accepted));
  } catch (const std::bad_alloc&) {
    log_.error("connection {} is closed: {}", accepted_, std::strerror(ENOMEM));
    if (rules_.admission != nullptr) rules_.admission->withdraw(peer);
  }
}

bool Acceptor::receive_batch(Listener& listener, std::size_t most) {
  const std::size_t sessions = sessions_();
  const std::size_t room = std::min<std::size_t>(
      most, rules_.max_connections - std::min<std::size_t>(sessions, rules_.max_connections));
  if (room == 0) return false;
  const int count = receiver_->receive(*listener.datagrams(), static_cast<unsigned>(room));
  if (count < 0) return on_failure(-count);
  for (int i = 0; i < count; ++i) start_datagram(listener, receiver_->arrived(i));
  listener.batch.on_taken(static_cast<unsigned>(room), static_cast<unsigned>(count));
  const bool may_be_more = static_cast<std::size_t>(count) == room;
  if (may_be_more && (room < most || room == DatagramReceiver::kBatch)) losses_.look_soon();
  return may_be_more;
}

void Acceptor::start_datagram(const Listener& listener, const DatagramReceiver::Arrived& arrived) {
  const Peer& peer = arrived.envelope.peer;
  if (arrived.envelope.is_broadcast && !rules_.takes_broadcasts) return;
  if (arrived.is_cut) return losses_.count_too_long();
  if (!admits(peer)) return;
  rules_.rate.count(loop_.now());
  AcceptedConnection accepted;
  accepted.peer = peer;
  accepted.scheme = listener.scheme();
  try {
    accepted.datagram = DatagramLayer::make(listener.datagrams(), arrived.envelope, arrived.bytes);
  } catch (const std::bad_alloc&) {
    log_.error("a datagram from {} is dropped: {}", peer.text(), std::strerror(ENOMEM));
    if (rules_.admission != nullptr) rules_.admission->withdraw(peer);
    return;
  }
  start_or_close(std::move(accepted));
}

// The answer is accept_one()'s.
bool Acceptor::on_failure(int error) {
  switch (classify_accept_failure(error)) {
    case AcceptFailure::nothing_waits:
      return false;
    case AcceptFailure::try_next:
      return true;
    case AcceptFailure::wait_for_room:
      break;
    case AcceptFailure::broken:
      throw std::system_error(error, std::generic_category(), "cannot accept any more");
  }
  pause(Pause::try_later);
  say(std::string("cannot accept: ") + std::strerror(error) + "; clients wait " + waiting_place() +
      " (ulimit -n raises the limit on descriptors)");
  return false;
}

void Acceptor::pause(Pause why) {
  if (std::exchange(paused_, why) == Pause::no) {
    for (const auto& listener : listeners_) listener->set_active(false);
  }
  losses_.look_soon();
  switch (why) {
    case Pause::no:
      return;
    case Pause::full:
      retry_.disarm();  // it is a session's end that goes on
      if (rules_.often_full) return;
      return say(formatted("{} connections, as many as there may be: further clients wait {}",
                           sessions_(), waiting_place()));
    case Pause::too_fast:
      retry_.arm(rules_.rate.next());
      return say("as many connections as 'rate' allows at a time: further ones wait " +
                 waiting_place());
    case Pause::try_later:
      retry_.arm(after(loop_.now(), kRetryAccept));
  }
}

// At first for those who wait already: of several listeners the loop would tell of the same one
// first each time, and that one might take all the room there is.
void Acceptor::resume() {
  paused_ = Pause::no;
  retry_.disarm();
  (void)fill_room();
  if (paused_ != Pause::no) return;
  for (const auto& listener : listeners_) listener->set_active(true);
}

void Acceptor::on_session_end() {
  // A connection may come to its end within the call that takes it.
  if (filling_ || take_waiting() == Taken::full) return;
  // The rate is not waiting for room.
  if (paused_ == Pause::full || paused_ == Pause::try_later) resume();
}

Taken Acceptor::take_waiting() {
  if (!rules_.often_full || paused_ != Pause::full) return Taken::not_now;
  if (fill_room()) return Taken::nobody;
  return paused_ == Pause::full ? Taken::full : Taken::not_now;
}

// Takes who waits without asking the loop who that is, which does not watch meanwhile: true where
// there is still room then. The listeners that had to be asked are the last the next time.
bool Acceptor::fill_room() {
  const Filling filling(filling_);
  const Pause paused = paused_;
  auto next = listeners_.begin();
  bool has_room = true;
  while (has_room && next != listeners_.end()) {
    Listener& listener = **next++;
    if (listener.datagrams() || connection_waits(listener.socket())) accept_some(listener);
    has_room = paused_ == paused && sessions_() < rules_.max_connections;
  }
  std::rotate(listeners_.begin(), next, listeners_.end());
  return has_room;
}

void Acceptor::close(Queues queues) {
  const Filling filling(filling_);  // in an order of its own
  for (const auto& listener : listeners_) {
    if (queues == Queues::left) break;
    if (listener->datagrams()) {
      empty_queue(*listener);
      continue;
    }
    // Of those who come meanwhile no end need be in sight.
    for (unsigned left = queue_length(listener->socket()).value_or(kLongestQueue); left > 0;
         --left) {
      if (sessions_() >= rules_.max_connections || !accept_one(*listener)) break;
    }
  }
  retry_.disarm();
  losses_.stop();
  listeners_.clear();
}

// As close() says. Sessions that only have to send make room when they do.
void Acceptor::empty_queue(Listener& listener) {
  for (unsigned left = kLongestQueue / DatagramReceiver::kBatch; left > 0; --left) {
    const bool may_be_more = receive_batch(listener, DatagramReceiver::kBatch);
    if (DatagramOutbox* const outbox = listener.datagrams()->outbox()) outbox->flush();
    if (!may_be_more) return;
  }
}

std::string Acceptor::waiting_place() const {
  const bool all_datagrams =
      std::all_of(listeners_.begin(), listeners_.end(),
                  [](const auto& listener) { return listener->datagrams() != nullptr; });
  return all_datagrams ? "in the socket's queue" : "in the backlog";
}

void Acceptor::say(std::string text) {
  if (last_said_ != TimePoint::min() && loop_.now() < after(last_said_, kQuietTime)) return;
  last_said_ = loop_.now();
  log_.warn("{}", text);
}

}  // namespace berth
