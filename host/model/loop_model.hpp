// The sessions of an event loop: all in the worker's one thread. Under it lies a demultiplexer,
// which is all in which `select` and its kin differ.
#pragma once

#include <list>
#include <map>
#include <unordered_map>

#include "model/model.hpp"
#include "serve/hold_up_policy.hpp"
#include "serve/loop_connection.hpp"
#include "serve/write_progress.hpp"

namespace berth {

class LoopModel final : public Model, private LoopConnection::Owner {
 public:
  explicit LoopModel(ModelContext context);
  ~LoopModel() override;
  void start(AcceptedConnection&& accepted) override;
  [[nodiscard]] std::size_t sessions() const override { return connections_.size(); }
  [[nodiscard]] bool at_rest() const override { return !background_.busy(); }
  [[nodiscard]] bool serves_in_loop() const override { return true; }
  void begin_drain() override;
  void cancel_sessions() override;

 private:
  void moved(LoopConnection& connection) override;
  void over(LoopConnection& connection) override;
  void write_waits() override;
  void limit_life(LoopConnection& connection);
  void end_silent();
  void end_stuck();
  void end_old();
  void on_long_turn(Duration length);
  template <class Call>
  void for_each(Call call);

  ModelContext context_;
  // The longest silent first: each that moves goes to the end, so that one timer, for the first,
  // serves the idle_timeout of all and costs nothing per message.
  std::list<LoopConnection> connections_;
  BackgroundPool background_;  // ends first: what it still calls belongs to a connection
  CallTimer idle_;
  // Those whose write was waiting when they were last looked at: for write_timeout, and lest one
  // that takes its bytes slowly is held for idle.
  std::unordered_map<LoopConnection*, WriteProgress> stuck_;
  CallTimer look_for_stuck_;
  // For session_timeout: by their numbers, and so the oldest first. Empty without one.
  std::map<std::uint64_t, LoopConnection*> by_age_;
  CallTimer end_of_oldest_;
  HoldUpPolicy hold_ups_;
};

}  // namespace berth
