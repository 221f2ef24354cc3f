#include "serve/blocking_connection.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "serve/crash_note.hpp"

namespace berth {

namespace {

constexpr Duration kLingerTime = std::chrono::seconds(2);

// As ppoll(2) takes it; nothing for ever.
const timespec* until(TimePoint when, timespec& storage) {
  if (when == kNever) return nullptr;
  const auto left = std::max(Duration::zero(), Duration(when - Clock::now()));
  storage.tv_sec = static_cast<time_t>(left.count() / 1'000'000'000);
  storage.tv_nsec = static_cast<long>(left.count() % 1'000'000'000);
  return &storage;
}

}  // namespace

void BlockingConnection::serve(TimerQueue& timers) {
  set_current_session(&report());
  begin();
  end_if_forgotten();
  while (!finished()) {
    wait_for_one(timers);
    end_if_forgotten();
  }
  set_current_session(nullptr);
  if (must_linger()) linger();
}

void BlockingConnection::interrupt() { (void)::shutdown(socket_.get(), SHUT_RDWR); }

void BlockingConnection::wait_for_one(TimerQueue& timers) {
  // Looked at after an operation became pending and before waiting; an interrupt() that comes later
  // makes the system call return.
  if (context_.stop.cancelled()) return break_off(ECANCELED);
  const bool alone = timers.next() == kNever && reading() != writing();
  if (alone && writing()) return after_progress(carry_on_write(0));
  if (alone && !read_ends_on_drain()) return after_progress(carry_on_read(0));
  poll_for_first(timers);
}

void BlockingConnection::after_progress(Progress progress) {
  if (context_.stop.cancelled()) {
    if (!finished()) break_off(ECANCELED);
  } else if (progress == Progress::blocked) {
    break_off(ETIMEDOUT);  // the socket's own timeout
  } else if (progress == Progress::made) {
    silent_for_ = Duration::zero();
  }
}

void BlockingConnection::poll_for_first(TimerQueue& timers) {
  // Without events, at worst a drain is noticed late.
  (void)context_.stop.make_events();
  if (context_.stop.cancelled()) return;
  if (context_.stop.draining() && read_ends_on_drain()) return end_read_on_drain();

  short events = 0;
  if (reading()) events |= POLLIN;
  if (writing()) events |= POLLOUT;
  const int drain_event = read_ends_on_drain() ? context_.stop.drain_event() : -1;
  std::array<pollfd, 3> polled = {{{events != 0 ? socket_.get() : -1, events, 0},
                                   {context_.stop.cancel_event(), POLLIN, 0},
                                   {drain_event, POLLIN, 0}}};
  const TimePoint start = Clock::now();
  const TimePoint idle_end =
      events == 0 ? kNever : after(start, context_.settings.idle_timeout - silent_for_);
  timespec storage;
  const int ready = ::ppoll(polled.data(), polled.size(),
                            until(std::min(timers.next(), idle_end), storage), nullptr);
  if (context_.stop.cancelled()) return;
  Progress progress = Progress::blocked;
  if (ready > 0 && polled[0].revents != 0) {
    if (writing()) progress = carry_on_write(MSG_DONTWAIT);
    if (reading() && (polled[0].revents & ~POLLOUT) != 0) progress = carry_on_read(MSG_DONTWAIT);
  }
  const TimePoint now = Clock::now();
  if (progress == Progress::made) {
    silent_for_ = Duration::zero();
  } else if (events != 0) {
    silent_for_ += now - start;  // also over reads that end by a time of their own
  }
  timers.fire_due(now);
  if (now >= idle_end && progress != Progress::made && !finished()) break_off(ETIMEDOUT);
}

// Nobody else is held up by it.
Connection::Called BlockingConnection::make_call(berth_operation& operation) {
  operation.bytes.call.function(operation.bytes.call.argument);
  return Called::at_once;
}

void BlockingConnection::linger() {
  half_close();
  const TimePoint end = after(Clock::now(), kLingerTime);
  while (Clock::now() < end && !drop_input() && !context_.stop.cancelled()) {
    pollfd polled = {socket_.get(), POLLIN, 0};
    timespec storage;
    (void)::ppoll(&polled, 1, until(end, storage), nullptr);
  }
}

}  // namespace berth
