// A constant load on a listener whose handler sends back what it receives (`echo` with `reply:
// verbatim`): short connections, so many at once, and beside them long ones that are always in the
// middle of a message. Every connection is accounted for, and every byte of every reply compared.
//
// It runs on a thread of its own, so that the test can meanwhile do to the host what must not be
// noticed by any client. Bounded by its count of connections, and by patience with each.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>
#include <thread>
#include <vector>

namespace e2e {

// Whom to connect to: any address of a stream socket.
struct LoadTarget {
  sockaddr_storage address{};
  socklen_t size = 0;
};
[[nodiscard]] LoadTarget tcp_target(std::uint16_t port);  // of 127.0.0.1

struct LoadPlan {
  std::uint64_t connections = 1000;  // short ones; with the last of them the load ends
  std::size_t at_once = 16;
  std::size_t message = 64;  // bytes, of each exchange

  std::size_t long_lived = 0;         // at once, beside the short ones
  std::uint64_t exchanges = 20;       // of a long one; then another takes its place
  std::chrono::milliseconds rest{5};  // in the middle of each of its messages
};

struct LoadTally {
  // Connections by their ends. `whole`: everything came back, and then the end of the stream.
  std::uint64_t whole = 0;
  std::uint64_t refused = 0;  // could not connect
  std::uint64_t cut = 0;      // ended or was reset too early
  std::uint64_t wrong = 0;    // other bytes came than were sent, or more
  std::uint64_t late = 0;     // patience was at its end

  std::uint64_t exchanges = 0;  // answered, over all of them
  std::string first_loss;       // what happened to the first that was lost
  // Of the short ones, from their first attempt to connect to the whole reply; sorted.
  std::vector<std::uint32_t> microseconds;

  [[nodiscard]] std::uint64_t lost() const { return refused + cut + wrong + late; }
  [[nodiscard]] std::uint64_t connections() const { return whole + lost(); }
  // The time that the given share of the short ones did not exceed, 0.99; 0 where there are none.
  [[nodiscard]] std::uint32_t quantile(double share) const;
};

class Load {
 public:
  // Starts it.
  Load(LoadTarget target, LoadPlan plan);
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;
  // Gives up whatever is still open.
  ~Load();

  // Short connections that are over, lost ones included.
  [[nodiscard]] std::uint64_t done() const { return done_; }
  // Connections that have had an answer, of either kind.
  [[nodiscard]] std::uint64_t answered() const { return answered_; }
  // Starts no further connections; those that are open come to their ends.
  void finish() { finishing_ = true; }
  [[nodiscard]] bool over() const { return over_; }
  // Until all are over. Throws what kept it from going on: a lack of ports or descriptors here.
  [[nodiscard]] LoadTally wait();

 private:
  class Loop;

  std::atomic<std::uint64_t> done_ = 0;
  std::atomic<std::uint64_t> answered_ = 0;
  std::atomic<bool> over_ = false;
  std::atomic<bool> finishing_ = false;
  std::atomic<bool> giving_up_ = false;
  LoadTally tally_;
  std::exception_ptr failure_;
  std::thread thread_;
};

}  // namespace e2e
