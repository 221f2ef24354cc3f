#include "serve/io_uring_demultiplexer.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <new>
#include <system_error>
#include <utility>

#include "base/fd.hpp"

namespace berth {

namespace {

constexpr unsigned kRequests = 1024;     // before they have to be submitted
constexpr unsigned kCompletions = 8192;  // before the kernel has to queue them elsewhere
// A stream that nobody reads is received from until so much is kept for it.
constexpr std::size_t kMostUnread = 16;

// The most that the running kernel understands, of these.
int make_ring(io_uring& ring) {
  constexpr unsigned kAlways = IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL;
  int failure = 0;
  for (const unsigned flags : {// Linux 6.1: work is done when this thread asks for it.
                               IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
                               // Linux 5.19: or when it enters the kernel.
                               IORING_SETUP_COOP_TASKRUN, 0u}) {
    io_uring_params parameters{};
    parameters.flags = kAlways | flags;
    parameters.cq_entries = kCompletions;
    failure = io_uring_queue_init_params(kRequests, &ring, &parameters);
    if (failure != -EINVAL) return failure;
  }
  return failure;
}

// kind, generation and descriptor, from the highest bits to the lowest.
constexpr int kKindShift = 60, kGenerationShift = 32;
constexpr std::uint32_t kGenerations = 1u << (kKindShift - kGenerationShift);

}  // namespace

IoUringDemultiplexer::Ring::Ring() {
  const int failure = make_ring(ring);
  if (failure < 0) throw std::system_error(-failure, std::generic_category(), "io_uring_setup");
  (void)io_uring_register_ring_fd(&ring);  // spares a look-up a call, where the kernel can
}

IoUringDemultiplexer::IoUringDemultiplexer() : buffers_(ring_.ring) {}

IoUringDemultiplexer::~IoUringDemultiplexer() = default;

int IoUringDemultiplexer::end_of_range() const { return INT_MAX; }

// ---- Requests ----

std::uint64_t IoUringDemultiplexer::tag(Kind kind, int fd) {
  return std::uint64_t{static_cast<std::uint8_t>(kind)} << kKindShift |
         std::uint64_t{slot_of(fd).generation} << kGenerationShift | static_cast<std::uint32_t>(fd);
}

void IoUringDemultiplexer::submit() {
  const int submitted = io_uring_submit(&ring_.ring);
  // The kernel may be short of memory, or busy with completions that nobody has taken: it is asked
  // again at the next submission.
  if (submitted >= 0 || submitted == -EINTR || submitted == -EAGAIN || submitted == -EBUSY) {
    forget_submitted();
    return;
  }
  throw std::system_error(-submitted, std::generic_category(), "io_uring_submit");
}

void IoUringDemultiplexer::forget_submitted() {
  if (io_uring_sq_ready(&ring_.ring) == 0) gathered_.clear();
}

io_uring_sqe& IoUringDemultiplexer::request() {
  for (int tries = 0; tries < 1000; ++tries) {
    if (io_uring_sqe* const free = io_uring_get_sqe(&ring_.ring)) return *free;
    submit();
  }
  throw std::system_error(EBUSY, std::generic_category(), "io_uring takes no requests");
}

void IoUringDemultiplexer::arm(Kind kind, int fd) {
  io_uring_sqe& sqe = request();
  if (kind == Kind::watch) {
    io_uring_prep_poll_add(&sqe, fd, POLLIN);
  } else {
    io_uring_prep_recv_multishot(&sqe, fd, nullptr, 0, 0);
    sqe.flags |= IOSQE_BUFFER_SELECT;
    sqe.buf_group = ProvidedBuffers::kGroup;
  }
  io_uring_sqe_set_data64(&sqe, tag(kind, fd));
  slot_of(fd).armed = true;
  slot_of(fd).disarming = false;
}

void IoUringDemultiplexer::disarm(Kind kind, int fd) {
  Slot& slot = slot_of(fd);
  if (!slot.armed || std::exchange(slot.disarming, true)) return;
  io_uring_sqe& sqe = request();
  io_uring_prep_cancel64(&sqe, tag(kind, fd), 0);
  sqe.flags |= IOSQE_CQE_SKIP_SUCCESS;
  io_uring_sqe_set_data64(&sqe, 0);
}

void IoUringDemultiplexer::occupy(int fd, void* who) {
  const auto index = static_cast<std::size_t>(fd);
  if (index >= slots_.size()) slots_.resize(index + 1);
  Slot& slot = slots_[index];
  const std::uint32_t generation = (slot.generation + 1) % kGenerations;
  slot = {};
  slot.generation = generation;
  slot.who = who;
}

void IoUringDemultiplexer::vacate(int fd, Kind armed_for) {
  Slot& slot = slot_of(fd);
  if (slot.armed) {
    // A request that is not yet submitted would be for whatever has this number by then.
    if (io_uring_sq_ready(&ring_.ring) > 0) submit();
    disarm(armed_for, fd);
  }
  slot.who = nullptr;
  slot.unread.reset();
}

// ---- Descriptors ----

bool IoUringDemultiplexer::add(int fd, Watcher& watcher) {
  if (::fcntl(fd, F_GETFD) < 0) return false;
  occupy(fd, &watcher);
  arm(Kind::watch, fd);
  return true;
}

void IoUringDemultiplexer::remove(int fd) { vacate(fd, Kind::watch); }

void IoUringDemultiplexer::set_active(int fd, bool active) {
  slot_of(fd).active = active;
  if (!active) {
    disarm(Kind::watch, fd);
  } else if (!slot_of(fd).armed) {
    arm(Kind::watch, fd);
  }
}

// A poll tells once: asked again, it tells at once if there is still something to read.
void IoUringDemultiplexer::on_watch(int fd, const Completion& completion) {
  const std::uint32_t generation = slot_of(fd).generation;
  slot_of(fd).armed = false;
  if (slot_of(fd).active && completion.res != -ECANCELED) {
    static_cast<Watcher*>(slot_of(fd).who)->on_ready();
  }
  const Slot& slot = slot_of(fd);
  const bool is_there = slot.who != nullptr && slot.generation == generation;
  if (is_there && slot.active && !slot.armed) arm(Kind::watch, fd);
}

// ---- Streams ----

bool IoUringDemultiplexer::add(Stream& stream) {
  occupy(stream.socket(), &stream);
  return true;
}

void IoUringDemultiplexer::remove(Stream& stream) {
  cancel_send(stream);
  vacate(stream.socket(), Kind::receive);
}

ssize_t IoUringDemultiplexer::receive(Stream& stream, Lent& bytes) {
  const int fd = stream.socket();
  if (arrived_on_ == fd) {
    arrived_on_ = -1;
    bytes = std::move(arrived_.bytes);
    return arrived_.result;
  }
  Slot& slot = slot_of(fd);
  if (slot.unread) {
    Received first = std::move(slot.unread->front());
    slot.unread->pop_front();
    if (slot.unread->empty()) slot.unread.reset();
    bytes = std::move(first.bytes);
    return first.result;
  }
  if (slot.torn) return -ENOMEM;
  if (!slot.armed) arm(Kind::receive, fd);
  return kNotYet;
}

auto IoUringDemultiplexer::received(const Completion& completion) -> Received {
  if (completion.res <= 0) return {completion.res, {}};
  const auto size = static_cast<std::size_t>(completion.res);
  try {
    return {completion.res, buffers_.lend(completion.flags, size)};
  } catch (const std::bad_alloc&) {
    return {-ENOMEM, {}};
  }
}

void IoUringDemultiplexer::on_receive(int fd, const Completion& completion) {
  Slot& slot = slot_of(fd);
  if ((completion.flags & IORING_CQE_F_MORE) == 0) slot.armed = false;
  auto& stream = *static_cast<Stream*>(slot.who);
  // It has ended for want of buffers, or because nobody read: whoever reads meanwhile starts it
  // again.
  if (completion.res == -ENOBUFS || completion.res == -ECANCELED) return stream.on_input();
  Received what = received(completion);
  if (slot.unread || slot.torn) return keep_unread(fd, std::move(what));
  const std::uint32_t generation = slot.generation;
  arrived_on_ = fd;
  arrived_ = std::move(what);
  stream.on_input();
  if (arrived_on_ != fd) return;
  arrived_on_ = -1;
  what = std::move(arrived_);
  const Slot& after_call = slot_of(fd);
  const bool is_there = after_call.who == &stream && after_call.generation == generation;
  if (is_there) keep_unread(fd, std::move(what));
}

void IoUringDemultiplexer::keep_unread(int fd, Received what) {
  Slot& slot = slot_of(fd);
  if (slot.torn) return;
  try {
    if (!slot.unread) slot.unread = std::make_unique<std::deque<Received>>();
    slot.unread->push_back(std::move(what));
  } catch (const std::bad_alloc&) {
    if (slot.unread && slot.unread->empty()) slot.unread.reset();
    slot.torn = true;
    return;
  }
  std::size_t bytes = 0;
  for (const Received& one : *slot.unread)
    bytes += one.result > 0 ? static_cast<std::size_t>(one.result) : 0;
  if (slot.unread->size() >= kMostUnread || bytes >= BufferPool::kBufferSize) {
    disarm(Kind::receive, fd);
  }
}

ssize_t IoUringDemultiplexer::send(Stream& stream, Pieces pieces) {
  const int fd = stream.socket();
  if (pieces.size() == 1) {
    io_uring_sqe& sqe = request();
    io_uring_prep_send(&sqe, fd, pieces.front().data, pieces.front().size, MSG_NOSIGNAL);
    io_uring_sqe_set_data64(&sqe, tag(Kind::send, fd));
  } else {
    auto copy = std::make_unique<berth_bytes[]>(pieces.size());
    std::copy(pieces.begin(), pieces.end(), copy.get());
    io_uring_sqe& sqe = request();  // before the message is kept: this may forget what is submitted
    Gathered& gathered = gathered_.emplace_back();
    gathered.pieces = std::move(copy);
    gathered.message.msg_iov = as_iovec({gathered.pieces.get(), pieces.size()});
    gathered.message.msg_iovlen = pieces.size();
    io_uring_prep_sendmsg(&sqe, fd, &gathered.message, MSG_NOSIGNAL);
    io_uring_sqe_set_data64(&sqe, tag(Kind::send, fd));
  }
  slot_of(fd).sending = true;
  return kNotYet;
}

void IoUringDemultiplexer::on_send(int fd, const Completion& completion) {
  if (!std::exchange(slot_of(fd).sending, false)) return;
  static_cast<Stream*>(slot_of(fd).who)->on_sent(completion.res);
}

void IoUringDemultiplexer::cancel_send(Stream& stream) {
  const int fd = stream.socket();
  if (!std::exchange(slot_of(fd).sending, false)) return;
  submit();
  io_uring_sync_cancel_reg until_cancelled{};
  until_cancelled.addr = tag(Kind::send, fd);
  until_cancelled.timeout = {-1, -1};
  (void)io_uring_register_sync_cancel(&ring_.ring, &until_cancelled);
}

// ---- A turn ----

void IoUringDemultiplexer::wait(Duration timeout) {
  if (timeout == Duration::zero() || io_uring_cq_ready(&ring_.ring) > 0) {
    (void)io_uring_submit_and_get_events(&ring_.ring);
  } else if (timeout == kUnlimited) {
    (void)io_uring_submit_and_wait(&ring_.ring, 1);
  } else {
    __kernel_timespec limit{timeout.count() / 1'000'000'000, timeout.count() % 1'000'000'000};
    io_uring_cqe* first = nullptr;
    (void)io_uring_submit_and_wait_timeout(&ring_.ring, &first, 1, &limit, nullptr);
  }
  forget_submitted();
}

void IoUringDemultiplexer::dispatch() {
  // Those that come meanwhile wait for the next turn, so that timers have theirs.
  for (unsigned left = io_uring_cq_ready(&ring_.ring); left > 0; --left) {
    io_uring_cqe* next = nullptr;
    if (io_uring_peek_cqe(&ring_.ring, &next) != 0) return;
    const Completion completion = *next;
    io_uring_cqe_seen(&ring_.ring, next);
    tell(completion);
  }
}

void IoUringDemultiplexer::tell(const Completion& completion) {
  const auto kind = static_cast<Kind>(completion.user_data >> kKindShift);
  if (kind == Kind::none) return;
  const int fd = static_cast<int>(static_cast<std::uint32_t>(completion.user_data));
  const std::uint32_t generation =
      static_cast<std::uint32_t>(completion.user_data >> kGenerationShift) % kGenerations;
  const bool is_there = slot_of(fd).who != nullptr && slot_of(fd).generation == generation;
  if (!is_there) {
    // What has come for somebody who is gone.
    if (kind == Kind::receive && completion.res > 0) (void)received(completion);
    return;
  }
  switch (kind) {
    case Kind::none:
      return;
    case Kind::watch:
      return on_watch(fd, completion);
    case Kind::receive:
      return on_receive(fd, completion);
    case Kind::send:
      return on_send(fd, completion);
  }
}

// ---- Whether it can be had ----

namespace {

// Receives as the ring above does, from a socket that has something.
bool receives_many_times() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return false;
  const Fd served(ends[0]), client(ends[1]);
  struct Probe final : Stream {
    using Stream::Stream;
    void on_input() override {}
    void on_sent(ssize_t) override {}
  } probe(served.get());
  IoUringDemultiplexer demultiplexer;
  (void)!::write(client.get(), "x", 1);
  if (!demultiplexer.add(probe)) return false;
  Lent bytes;
  ssize_t result = demultiplexer.receive(probe, bytes);
  for (int turns = 0; turns < 2 && result == kNotYet; ++turns) {
    demultiplexer.wait(std::chrono::seconds(1));
    demultiplexer.dispatch();
    result = demultiplexer.receive(probe, bytes);
  }
  demultiplexer.remove(probe);
  return result == 1;
}

}  // namespace

std::optional<std::string> objection_to_io_uring() {
  try {
    if (receives_many_times()) return std::nullopt;
    return "io_uring of this kernel cannot receive many times by one request (Linux 6.0 can): "
           "choose "
           "epoll";
  } catch (const std::system_error& failure) {
    const int error = failure.code().value();
    const char* const why =
        error == EPERM || error == EACCES
            ? " (kernel.io_uring_disabled, or the seccomp filter of a container, forbids it)"
        : error == ENOSYS ? " (this kernel was built without it)"
        : error == EINVAL ? " (it takes Linux 6.0)"
                          : "";
    return "io_uring cannot be used here: " + failure.code().message() + why + ": choose epoll";
  }
}

}  // namespace berth
