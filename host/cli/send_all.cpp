#include "cli/send_all.hpp"

#include <algorithm>
#include <cerrno>
#include <deque>
#include <system_error>
#include <vector>

namespace berth {

namespace {

// How often progress is told when nothing happens.
constexpr auto kTick = std::chrono::seconds(1);

class Sending {
 public:
  Sending(const SendPlan& plan, SendObserver& observer) : plan_(plan), observer_(observer) {
    for (std::size_t i = 0; i < plan.clients; ++i) {
      clients_.emplace_back(plan, [this, i](std::string_view reply) {
        last_event_ = Clock::now();
        observer_.on_reply(i + 1, reply);
      });
    }
  }

  bool run() {
    started_ = last_event_ = Clock::now();
    for (std::size_t i = 0; i < clients_.size(); ++i) {
      running_.push_back(i);
      clients_[i].start(started_);
    }
    settle_finished();
    while (!running_.empty()) {
      turn();
      settle_finished();
      tell_progress();
    }
    return failed_ == 0;
  }

 private:
  void turn() {
    interests_.clear();
    TimePoint wake_up = Clock::now() + kTick;
    for (const std::size_t i : running_) {
      interests_.push_back(clients_[i].interest());
      wake_up = std::min(wake_up, clients_[i].deadline());
    }
    // Rounded up: a deadline is not to be polled for in a loop during its last millisecond.
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(wake_up - Clock::now());
    const int timeout_ms = static_cast<int>(std::max<long>(0, wait.count()));
    if (poll(interests_.data(), interests_.size(), timeout_ms) < 0 && errno != EINTR) {
      throw std::system_error(errno, std::generic_category(), "poll");
    }
    const TimePoint now = Clock::now();
    for (std::size_t k = 0; k < running_.size(); ++k) {
      SendClient& client = clients_[running_[k]];
      if (interests_[k].revents != 0) {
        client.on_ready(now);
      } else if (client.deadline() <= now) {
        client.on_deadline(now);
      }
    }
  }

  void settle_finished() {
    std::erase_if(running_, [this](std::size_t i) {
      const SendClient& client = clients_[i];
      if (client.finished() && !client.failure().empty()) {
        ++failed_;
        last_event_ = Clock::now();
        observer_.on_failure(i + 1, client.failure());
      }
      return client.finished();
    });
  }

  void tell_progress() {
    SendProgress progress;
    for (const SendClient& client : clients_) progress.replies += client.answered();
    progress.expected = plan_.words.size() * plan_.clients;
    progress.elapsed = Clock::now() - started_;
    progress.quiet = Clock::now() - last_event_;
    observer_.on_progress(progress);
  }

  const SendPlan& plan_;
  SendObserver& observer_;
  std::deque<SendClient> clients_;  // they hand out their own addresses and must not move
  std::vector<std::size_t> running_;
  std::vector<pollfd> interests_;  // parallel to running_
  std::size_t failed_ = 0;
  TimePoint started_;
  TimePoint last_event_;
};

}  // namespace

bool send_all(const SendPlan& plan, SendObserver& observer) {
  return Sending(plan, observer).run();
}

}  // namespace berth
