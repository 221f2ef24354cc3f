// `fork`: a process for each connection, reaped with waitpid(2) as soon as it has ended.
#pragma once

#include <signal.h>

#include "base/fd.hpp"
#include "model/process_model.hpp"

namespace berth {

class ForkModel : public ProcessModel {
 public:
  // Throws std::system_error where the signals of children cannot be watched.
  explicit ForkModel(ModelContext context);

 protected:
  [[nodiscard]] bool watch_process(SlotIndex, pid_t) override { return true; }
  // A process that was not waited for keeps its number, so this one is surely a session's.
  void send_signal(SlotIndex index, int signal) override { ::kill(pid_of(index), signal); }

 private:
  void reap();

  Fd child_signals_;
  CallWatcher on_child_;
};

}  // namespace berth
