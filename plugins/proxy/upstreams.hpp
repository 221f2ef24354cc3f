// The servers that a proxy hands its clients on to, and which of them have failed of late. That
// lies in memory which the processes forked of a worker share, so that each session learns from the
// others under every model.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

// Throws std::invalid_argument where there are none, or one is plainly no address.
void check_upstreams(const std::vector<std::string>& addresses);

class Upstreams {
 public:
  using Duration = std::chrono::nanoseconds;

  // Checked ones. Throws std::system_error where there is no memory.
  Upstreams(std::vector<std::string> addresses, Duration retry_after);
  Upstreams(const Upstreams&) = delete;
  Upstreams& operator=(const Upstreams&) = delete;
  ~Upstreams();

  // All of them, in the order in which the session of that number is to try them: those that are
  // well take turns; the others come last, in case they all are not.
  [[nodiscard]] std::vector<std::size_t> order(std::uint64_t number) const;
  [[nodiscard]] const std::string& address(std::size_t index) const { return addresses_[index]; }

  // Whether that is news.
  bool note_failure(std::size_t index) const;
  bool note_success(std::size_t index) const;
  // Whether it is time to say that all have failed: once a second, however many are sent away.
  [[nodiscard]] bool may_complain() const;

 private:
  using Time = std::atomic<std::int64_t>;  // as the steady clock counts, in ns
  static_assert(Time::is_always_lock_free, "a lock would not be shared between processes");

  [[nodiscard]] static std::int64_t now();

  std::vector<std::string> addresses_;
  Duration retry_after_;
  Time* failed_until_;  // of each upstream, 0: it is well; and behind them when to complain again
};
