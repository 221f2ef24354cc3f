// Something that is done in a child process while the supervisor goes on: the child's answer is
// read as it comes, and told when it has ended. One at a time.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

#include "base/clock.hpp"
#include "base/fd.hpp"
#include "base/result.hpp"
#include "serve/event_loop.hpp"

namespace berth {

class ChildJob {
 public:
  // The error says how the child ended otherwise than with status 0: by a signal, by another status
  // with what it had to say, or not in time.
  using Done = std::function<void(Result<std::string> answer)>;

  explicit ChildJob(EventLoop& loop);
  ChildJob(const ChildJob&) = delete;
  ChildJob& operator=(const ChildJob&) = delete;
  ~ChildJob();

  // Forks. The child has a process group of its own, default dispositions of signals, none blocked,
  // and of the caller's descriptors only 0 to 2, those in `kept`, and the one that its answer is to
  // be written to; it ends with what `work` returns. After `limit` it is killed with its group.
  // The error tells why there is no child; `done` is not called then.
  [[nodiscard]] Result<void> start(std::vector<int> kept, std::function<int(int answer)> work,
                                   Duration limit, Done done);
  // False if the process is not the job's.
  bool on_death(pid_t pid, int status);
  [[nodiscard]] bool running() const { return pid_ != 0; }
  // Kills the child; its end will not be told.
  void cancel();

 private:
  void read_answer();
  void on_time_up();

  EventLoop& loop_;
  pid_t pid_ = 0;
  Fd answer_;
  std::string text_;
  Duration limit_ = Duration::zero();
  bool in_time_ = true;
  Done done_;
  CallWatcher watcher_;
  CallTimer timer_;
};

}  // namespace berth
