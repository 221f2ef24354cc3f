// io_uring(7), through liburing: the kernel accepts, receives and sends by itself and tells what it
// has done. Requests are collected and submitted together, by the system call that waits.
//
// What comes in on a stream is received by one request that serves many times. Listening sockets
// are only watched: a request that accepts many times would take clients out of the queue for whom
// there is no room, or who would be lost with this process, and tells no addresses. Made in the
// process and on the thread that uses it. Sockets are left to block: a request on a non-blocking
// one would not wait.
#pragma once

#include <liburing.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "serve/demultiplexer.hpp"
#include "serve/provided_buffers.hpp"

namespace berth {

class IoUringDemultiplexer final : public Demultiplexer {
 public:
  // Throws std::system_error where the kernel refuses.
  IoUringDemultiplexer();
  ~IoUringDemultiplexer() override;

  [[nodiscard]] bool add(int fd, Watcher& watcher) override;
  void remove(int fd) override;
  void set_active(int fd, bool active) override;
  [[nodiscard]] bool add(Stream& stream) override;
  void remove(Stream& stream) override;
  [[nodiscard]] ssize_t receive(Stream& stream, Lent& bytes) override;
  [[nodiscard]] ssize_t send(Stream& stream, Pieces pieces) override;
  void cancel_send(Stream& stream) override;
  void wait(Duration timeout) override;
  void dispatch() override;
  [[nodiscard]] int end_of_range() const override;

 private:
  // What a request is for; part of what its completions carry.
  enum class Kind : std::uint8_t { none, watch, receive, send };

  // What has come in on a stream, as receive() gives it.
  struct Received {
    ssize_t result = kNotYet;
    Lent bytes;
  };
  // What a descriptor number stands for now. The generation tells completions for what has been
  // removed from those for what has the same number later.
  struct Slot {
    void* who = nullptr;  // a Watcher or a Stream
    std::uint32_t generation = 0;
    bool armed = false;      // a poll or a receive is under way
    bool disarming = false;  // and has been told to end
    bool active = true;      // the watcher is to be called
    bool sending = false;    // a send is under way
    bool torn = false;       // some of what came in could not be kept, for want of memory
    // What has come in while nobody asked for it.
    std::unique_ptr<std::deque<Received>> unread;
  };
  // A gathered send as sendmsg(2) takes it; the kernel copies it when it is submitted.
  struct Gathered {
    msghdr message{};
    std::unique_ptr<berth_bytes[]> pieces;
  };
  using Completion = io_uring_cqe;

  [[nodiscard]] Slot& slot_of(int fd) { return slots_[static_cast<std::size_t>(fd)]; }
  void occupy(int fd, void* who);
  void vacate(int fd, Kind armed_for);
  [[nodiscard]] std::uint64_t tag(Kind kind, int fd);
  [[nodiscard]] io_uring_sqe& request();
  void submit();
  void forget_submitted();
  void arm(Kind kind, int fd);
  void disarm(Kind kind, int fd);

  void tell(const Completion& completion);
  void on_watch(int fd, const Completion& completion);
  void on_receive(int fd, const Completion& completion);
  void on_send(int fd, const Completion& completion);
  [[nodiscard]] Received received(const Completion& completion);
  void keep_unread(int fd, Received what);

  struct Ring {
    Ring();
    Ring(const Ring&) = delete;
    Ring& operator=(const Ring&) = delete;
    ~Ring() { io_uring_queue_exit(&ring); }
    io_uring ring{};
  };

  Ring ring_;
  ProvidedBuffers buffers_;
  std::vector<Slot> slots_;        // by descriptor
  std::deque<Gathered> gathered_;  // since the last submission; a deque does not move them
  int arrived_on_ = -1;            // the stream that is being called about
  Received arrived_;               // this, unless it has taken it
};

// Why io_uring cannot be used on this machine, with the remedy; nothing if it can.
[[nodiscard]] std::optional<std::string> objection_to_io_uring();

}  // namespace berth
