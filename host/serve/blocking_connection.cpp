#include "serve/blocking_connection.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>

#include "net/socket.hpp"
#include "serve/blocking_client.hpp"
#include "serve/crash_note.hpp"

namespace berth {

namespace {

// What a session waits for in poll(2) beside its client connections.
constexpr std::size_t kOwnPolled = 3;

constexpr Duration kLingerTime = std::chrono::seconds(2);

// The shortest timeout that a socket can have.
constexpr Duration kAtOnce = std::chrono::microseconds(1);

// As ppoll(2) takes it; nothing for ever.
const timespec* until(TimePoint when, timespec& storage) {
  if (when == kNever) return nullptr;
  const auto left = std::max(Duration::zero(), Duration(when - Clock::now()));
  storage.tv_sec = static_cast<time_t>(left.count() / 1'000'000'000);
  storage.tv_nsec = static_cast<long>(left.count() % 1'000'000'000);
  return &storage;
}

}  // namespace

constinit thread_local BlockingConnection* BlockingConnection::on_this_thread = nullptr;

[[gnu::hot]] void BlockingConnection::serve() {
  if (has_layer() && !open_in_time()) {
    if (must_linger()) linger();
    return;
  }
  set_current_session(&report());
  begin();
  end_if_forgotten();
  while (!finished()) {
    wait_for_one();
    end_if_forgotten();
  }
  clients_.reset();
  set_current_session(nullptr);
  if (must_linger()) linger();
}

// False where it came to nothing.
bool BlockingConnection::open_in_time() {
  const TimePoint end = after(report().accepted, context_.settings.handshake_timeout);
  for (;;) {
    const ssize_t result = cancelled() ? -ECANCELED : open();
    if (result == 0) return true;
    if (!is_not_yet(result)) {
      give_up(static_cast<int>(-result));
      return false;
    }
    (void)context_.stop.make_events();
    if (Clock::now() >= end) {
      give_up(ETIMEDOUT, SessionLimit::handshake);
      return false;
    }
    const short events = layer_->wants_room() ? POLLOUT : POLLIN;
    std::array<pollfd, 2> polled = {
        {{socket_.get(), events, 0}, {context_.stop.cancel_event(), POLLIN, 0}}};
    timespec storage;
    (void)::ppoll(polled.data(), polled.size(), until(end, storage), nullptr);
  }
}

void BlockingConnection::interrupt() {
  interrupted_ = true;
  (void)::shutdown(socket_.get(), SHUT_RDWR);
}

void BlockingConnection::end_if_silent() {
  if (!wait_.is_given_up()) return;
  given_up_ = true;
  set_receive_timeout(socket_.get(), kAtOnce);
}

void BlockingConnection::watch_silence() {
  watches_itself_ = true;
  given_up_ = false;
  set_receive_timeout(socket_.get(), context_.settings.idle_timeout);
}

[[gnu::hot]] ssize_t BlockingConnection::receive(Lent& bytes) {
  if (!bytes) bytes = buffers_.take();  // which may throw, and so before the wait is noted
  wait_.begin();
  const int flags = may_block_ ? 0 : MSG_DONTWAIT;
  const ssize_t result = receive_from(socket_.get(), bytes, flags);
  wait_.end();
  if (given_up_) [[unlikely]] {
    if (!is_not_yet(result)) wait_after_all();
  }
  return result;
}

// The client was not silent, though it had been given up.
void BlockingConnection::wait_after_all() {
  given_up_ = false;
  set_receive_timeout(socket_.get(), kUnlimited);
  if (watches_itself_) watch_silence();  // the worker has died meanwhile
}

[[gnu::hot]] ssize_t BlockingConnection::send(Pieces pieces) {
  // What a layer has to say by itself does not hold a read up.
  const bool waits = may_block_ && writing();
  return send_pieces(socket_.get(), pieces, waits ? 0 : MSG_DONTWAIT);
}

[[gnu::hot]] void BlockingConnection::wait_for_one() {
  // Looked at after an operation became pending and before waiting; an interrupt() that comes later
  // makes the system call return. Whoever cancels all sessions interrupts each.
  if (interrupted_) [[unlikely]]
    return break_off(ECANCELED);
  if (std::exchange(goes_on_, false)) [[unlikely]]
    return go_on();
  if (clients_ != nullptr) [[unlikely]] {
    clients_->sweep();
    if (!clients_->empty()) return poll_for_first();
  }
  const bool alone = timers_.next() == kNever && reading() != writing() && socket_;
  if (!alone || read_ends_on_drain() || half_close_waits()) [[unlikely]] {
    return poll_for_first();
  }
  may_block_ = true;
  const bool writes = writing();
  ssize_t result;
  if (writes) [[unlikely]] {
    result = carry_on_write();
  } else {
    result = carry_on_read();
  }
  may_block_ = false;
  if (writes && result == kNotYet && !cancelled()) return on_no_room();
  after_call(result);
}

void BlockingConnection::go_on() {
  if (writing()) carry_on_write();
  if (reading()) carry_on_read();
  if (clients_ != nullptr) clients_->for_each([](ClientConnection& one) { one.go_on(); });
}

void BlockingConnection::after_call(ssize_t result) {
  if (!is_not_yet(result)) {
    silent_for_ = Duration::zero();
  } else if (result == kNotYet && !cancelled()) {
    break_off(ETIMEDOUT, SessionLimit::idle);
  }
}

// A blocking send has ended at the socket's own timeout.
void BlockingConnection::on_no_room() {
  const ListenerSettings& settings = context_.settings;
  const Duration stuck = progress_.stuck_for_now(socket_.get(), report().bytes_out, Clock::now());
  if (stuck >= settings.write_timeout) return break_off(ETIMEDOUT, SessionLimit::write);
  if (stuck >= settings.idle_timeout) break_off(ETIMEDOUT, SessionLimit::idle);
}

void BlockingConnection::poll_for_first() {
  // Without events, at worst a drain is noticed late.
  (void)context_.stop.make_events();
  if (cancelled()) return break_off(ECANCELED);
  if (context_.stop.draining() && drain_ends_a_read()) return end_reads_on_drain();

  // What the layer holds, poll(2) knows nothing of.
  const bool has_input = reading() && layer_ && layer_->has_input();
  short events = 0;
  if (reading()) events |= POLLIN;
  if (writing() || half_close_waits()) events |= POLLOUT;
  const int drain_event = drain_ends_a_read() ? context_.stop.drain_event() : -1;
  std::array<pollfd, kOwnPolled> own = {{{events != 0 ? socket_.get() : -1, events, 0},
                                         {context_.stop.cancel_event(), POLLIN, 0},
                                         {drain_event, POLLIN, 0}}};
  const std::span<pollfd> polled = with_clients(own);
  const TimePoint start = Clock::now();
  const TimePoint idle_end =
      events == 0 ? kNever : after(start, context_.settings.idle_timeout - silent_for_);
  const TimePoint last_end = end_of_session(context_.settings, report().accepted);
  TimePoint wake = std::min({timers_.next(), idle_end, last_end});
  if (writing()) wake = std::min(wake, after(start, WriteProgress::interval(context_.settings)));
  // The socket of a datagram is not its own, and whether there is room for its receiver not to be
  // seen there.
  const bool is_tried = writing() && !socket_;
  if (is_tried) wake = std::min(wake, after(start, layer_->retry_after()));
  if (has_input) wake = start;
  timespec storage;
  const int ready = ::ppoll(polled.data(), polled.size(), until(wake, storage), nullptr);
  if (cancelled()) return break_off(ECANCELED);
  carry_on_half_close();
  short happened = ready > 0 ? polled[0].revents : short{0};
  if (has_input) happened |= POLLIN;
  if (is_tried) happened |= POLLOUT;
  bool moved = happened != 0 && move_what_is_ready(happened);
  if (ready > 0) move_ready_clients();
  const TimePoint now = Clock::now();
  Duration stuck{0};
  if (writing()) {
    stuck = progress_.stuck_for_now(socket_.get(), report().bytes_out, now);
    moved = moved || stuck == Duration::zero();
  }
  if (moved) {
    silent_for_ = Duration::zero();
  } else if (events != 0) {
    silent_for_ += now - start;  // also over reads that end by a time of their own
  }
  timers_.fire_due(now);
  if (finished()) return;
  if (now >= last_end) return break_off(ECANCELED);
  if (!moved && now >= idle_end) return break_off(ETIMEDOUT, SessionLimit::idle);
  if (writing() && stuck >= context_.settings.write_timeout) {
    break_off(ETIMEDOUT, SessionLimit::write);
  }
}

// Whether any byte went in or out, or an operation came to its end.
bool BlockingConnection::move_what_is_ready(short events) {
  const std::uint64_t before = report().bytes_out;
  bool moved = false;
  if (events != 0 && writing())
    moved = !is_not_yet(carry_on_write()) || report().bytes_out != before;
  if ((events & ~POLLOUT) != 0 && reading()) moved = !is_not_yet(carry_on_read()) || moved;
  return moved;
}

// ---- Client connections ----

ClientSet& BlockingConnection::make_clients() {
  if (!clients_) clients_ = std::make_unique<BlockingClientSet>(*this);
  return *clients_;
}

// So that polling, where nobody could be told that there is no memory, needs none.
void BlockingConnection::reserve_polled(std::size_t clients) {
  polled_.reserve(kOwnPolled + clients);
  polled_clients_.reserve(clients);
}

std::span<pollfd> BlockingConnection::with_clients(std::span<pollfd> own) {
  polled_clients_.clear();
  if (clients_ == nullptr || clients_->empty()) return own;
  polled_.assign(own.begin(), own.end());
  clients_->for_each([this](ClientConnection& one) {
    short events = 0;
    if (one.reading()) events |= POLLIN;
    if (one.writing()) events |= POLLOUT;
    if (events == 0) return;  // or its end would be told of again and again
    polled_.push_back({static_cast<BlockingClient&>(one).socket(), events, 0});
    polled_clients_.push_back(&one);
  });
  return polled_;
}

// By numbers, since the handler may make further connections meanwhile; and those that it closes
// stay until they are tidied away.
void BlockingConnection::move_ready_clients() {
  for (std::size_t i = 0; i < polled_clients_.size(); ++i) {
    if (finished()) return;
    if (polled_[kOwnPolled + i].revents != 0) polled_clients_[i]->go_on();
  }
}

void BlockingConnection::linger() {
  if (!half_close_in_time()) return;
  const TimePoint end = after(Clock::now(), kLingerTime);
  while (Clock::now() < end && !drop_input() && !cancelled()) {
    pollfd polled = {socket_.get(), POLLIN, 0};
    timespec storage;
    (void)::ppoll(&polled, 1, until(end, storage), nullptr);
  }
}

// What a layer has to say last waits for room like a write: false where none came in time.
bool BlockingConnection::half_close_in_time() {
  const TimePoint end = after(Clock::now(), context_.settings.idle_timeout);
  while (!half_close()) {
    if (cancelled() || Clock::now() >= end) return false;
    std::array<pollfd, 2> polled = {
        {{socket_.get(), POLLOUT, 0}, {context_.stop.cancel_event(), POLLIN, 0}}};
    timespec storage;
    (void)::ppoll(polled.data(), polled.size(), until(end, storage), nullptr);
  }
  return true;
}

// Reads and drops what the client still sends; true when it has closed, or can wait no longer.
bool BlockingConnection::drop_input() {
  try {
    for (int rounds = 0; rounds < 16; ++rounds) {
      Lent dropped;
      const ssize_t count = receive(dropped);
      if (is_not_yet(count)) return false;
      if (count <= 0) return true;
    }
    return false;
  } catch (const std::bad_alloc&) {
    return true;
  }
}

}  // namespace berth
