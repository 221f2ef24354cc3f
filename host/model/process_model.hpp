// The sessions of the fork models: each in a process of its own. What a session has to tell at its
// end lies in a slot of memory shared with the worker, so that a session that crashed can tell it
// too, and so that its process has little to do but to serve. How the worker learns that a process
// has ended is all in which the models differ: see fork.cpp and signal_fork.cpp.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <vector>

#include "model/model.hpp"
#include "serve/buffer_pool.hpp"
#include "serve/crash_note.hpp"
#include "serve/event_loop.hpp"

namespace berth {

class ProcessModel : public Model {
 public:
  explicit ProcessModel(ModelContext context);
  ~ProcessModel() override;
  void start(AcceptedConnection accepted) override;
  [[nodiscard]] std::size_t sessions() const override { return count_; }
  void begin_drain() override;
  void cancel_sessions() override;
  void kill_sessions() override;

 protected:
  using SlotIndex = std::size_t;

  // In the worker, after a session's process was started. False if its end could not be noticed:
  // it is then killed and its connection given up.
  [[nodiscard]] virtual bool watch_process(SlotIndex index, pid_t pid) = 0;
  // In the session's process, before the handler runs: undoes what is the worker's alone.
  virtual void leave_worker() {}
  // Sends to a process that is known not to have been reaped.
  virtual void send_signal(SlotIndex index, int signal) = 0;

  // The process of this slot is gone; `signal` is what killed it, 0 if nothing did or if it is not
  // known.
  void on_process_end(SlotIndex index, int signal);
  [[nodiscard]] pid_t pid_of(SlotIndex index) const { return sessions_[index].pid; }
  // One past the highest slot that was ever in use.
  [[nodiscard]] SlotIndex slots_used() const { return sessions_.size(); }

  ModelContext context_;

 private:
  struct Slot;
  class SharedSlots;
  // What the worker keeps of a session. Under session_timeout one is first told to end; if it has
  // not a moment later, its process is killed.
  struct Session {
    pid_t pid = 0;  // 0: the slot is free
    enum class Stage : std::uint8_t { running, told, killed } stage = Stage::running;
    TimePoint due = kNever;  // when the next stage comes
  };

  SlotIndex take_slot();
  void send_to_all(int signal);
  void end_old();
  void advance(SlotIndex index, TimePoint now);
  [[nodiscard]] bool try_to_watch(SlotIndex index, pid_t pid);
  // What is thrown there ends the session's process: the callers on its stack are the worker's.
  [[noreturn]] void serve_in_child(AcceptedConnection accepted, Slot& slot) noexcept;

  std::unique_ptr<SharedSlots> slots_;
  std::vector<Session> sessions_;  // by slot
  std::vector<SlotIndex> free_;
  std::size_t count_ = 0;  // of the sessions
  CallTimer next_end_;     // for session_timeout
  sigset_t no_signals_;
  BufferPool buffers_;  // holds the buffer that each session's process starts with
};

}  // namespace berth
