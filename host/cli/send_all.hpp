// Drives the clients of `berth send`, all at once, on one thread with poll(2).
#pragma once

#include <cstddef>
#include <string_view>

#include "base/clock.hpp"
#include "cli/send_client.hpp"

namespace berth {

struct SendProgress {
  std::size_t replies = 0;   // words answered so far, by all clients together
  std::size_t expected = 0;  // words to be answered
  Duration elapsed{};        // since the start
  Duration quiet{};          // since the last reply or failure, or since the start
};

// Told what happens; `client` counts from 1.
class SendObserver {
 public:
  virtual ~SendObserver() = default;
  virtual void on_reply(std::size_t client, std::string_view reply) = 0;
  virtual void on_failure(std::size_t client, std::string_view why) = 0;
  // After everything that happens, and at least once a second.
  virtual void on_progress(const SendProgress& progress) = 0;
};

// True if every word of every client was answered. Blocks until all clients are finished; the
// plan's timeout bounds how long any of them can go without progress.
[[nodiscard]] bool send_all(const SendPlan& plan, SendObserver& observer);

}  // namespace berth
