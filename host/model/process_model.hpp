// The models whose sessions have a process each. What a session has to tell at its end lies in a
// slot of memory shared with the worker, so that a session that crashed can tell it too, and so
// that its process has little to do but to serve. Each process has one slot for as long as it
// lives. The models differ in how the worker learns that a process has ended (fork.cpp,
// signal_fork.cpp), and in whether it serves one connection or many (prefork.cpp).
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <optional>

#include "base/pages.hpp"
#include "model/model.hpp"
#include "serve/buffer_pool.hpp"
#include "serve/crash_note.hpp"
#include "serve/event_loop.hpp"
#include "serve/idle_watch.hpp"

namespace berth {

class ProcessModel : public Model {
 public:
  explicit ProcessModel(ModelContext context);
  ~ProcessModel() override;
  void start(AcceptedConnection&& accepted) override;
  [[nodiscard]] std::size_t sessions() const override { return count_; }
  void begin_drain() override;
  void cancel_sessions() override;
  void kill_sessions() override;

 protected:
  using SlotIndex = std::size_t;
  static constexpr SlotIndex kNoSlot = static_cast<SlotIndex>(-1);

  // In the worker, before a process is started. False with errno set where it could serve only the
  // connection that it is started with.
  [[nodiscard]] virtual bool prepare_process(SlotIndex) { return true; }
  // In the worker, after that. False with errno set where its end could not be noticed: it is then
  // killed, and its connection given up.
  [[nodiscard]] virtual bool watch_process(SlotIndex index, pid_t pid) = 0;
  // In the process, before the handler runs: undoes what is the worker's alone.
  [[gnu::hot]] virtual void leave_worker(SlotIndex) {}
  // In the process, which has served so many: waits for its next connection. Nothing: it ends.
  [[nodiscard]] virtual std::optional<AcceptedConnection> next_connection(unsigned /*served*/) {
    return {};
  }
  // Whether there are processes that serve several.
  [[nodiscard, gnu::hot]] virtual bool keeps_processes() const { return false; }
  // In the worker: gives a connection to a process that waits for one. False if there is none.
  [[nodiscard]] virtual bool give_to_ready(AcceptedConnection&) { return false; }
  // In the worker: the process of this slot, which is about to be free, has ended.
  virtual void on_process_gone(SlotIndex, int /*signal*/) {}
  // Sends to a process that is known not to have been reaped.
  virtual void send_signal(SlotIndex index, int signal) = 0;

  // Starts a process without a connection. False with errno set where that cannot be done.
  [[nodiscard]] bool start_ready(SlotIndex& index);
  // A session begins in the process of this slot; before the process learns of its connection.
  void begin_session(SlotIndex index, const AcceptedConnection& accepted);
  // It came to nothing, and has not been counted as one.
  void undo_session(SlotIndex index);
  // It is over, as its slot tells it.
  void end_session(SlotIndex index);
  // A session that was told to end is not to be followed by another in that process.
  [[nodiscard]] bool was_told_to_end(SlotIndex index) const {
    return sessions_[index].stage != Session::Stage::running;
  }
  // The process of this slot is gone; `signal` is what killed it, 0 if nothing did or if it is not
  // known.
  void on_process_end(SlotIndex index, int signal);
  [[nodiscard]] pid_t pid_of(SlotIndex index) const { return sessions_[index].pid; }
  [[nodiscard]] bool has_session(SlotIndex index) const { return sessions_[index].open; }
  // One past the highest slot that was ever in use.
  [[nodiscard]] SlotIndex slots_used() const { return slots_used_; }

  ModelContext context_;

 private:
  struct Slot;
  // What the worker keeps of a process and its session. Under session_timeout one is first told to
  // end; if it has not a moment later, its process is killed.
  struct Session {
    pid_t pid = 0;      // 0: the slot is free
    bool open = false;  // it has a connection
    enum class Stage : std::uint8_t { running, told, killed } stage = Stage::running;
    TimePoint due = kNever;  // when the next stage comes
    SeenWait seen = {};
    SlotIndex next_free = kNoSlot;
  };

  [[nodiscard]] std::optional<SlotIndex> take_slot();
  void give_back(SlotIndex index);
  [[nodiscard]] bool start_process(SlotIndex index, AcceptedConnection* first);
  void send_to_all(int signal);
  void end_old();
  [[nodiscard]] bool end_silent(Duration limit, TimePoint now);
  void advance(SlotIndex index, TimePoint now);
  [[nodiscard]] bool try_to_watch(SlotIndex index, pid_t pid);
  // What is thrown there ends the session's process: the callers on its stack are the worker's.
  [[noreturn]] void serve_in_child(SlotIndex index, AcceptedConnection* first) noexcept;
  void serve(AcceptedConnection&& accepted, Slot& slot, TimerQueue& timers, BufferPool& buffers);

  PagedArray<Slot> slots_;
  PagedArray<Session> sessions_;  // by slot; those from slots_used_ on have never been set
  SlotIndex first_free_ = kNoSlot;
  SlotIndex slots_used_ = 0;
  std::size_t count_ = 0;  // of the sessions
  CallTimer next_end_;     // for session_timeout
  IdleWatch idle_watch_;
  sigset_t no_signals_;
  BufferPool buffers_;  // holds the buffer that each session's process starts with
};

}  // namespace berth
