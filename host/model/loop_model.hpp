// The sessions of an event loop: all in the worker's one thread. Under it lies a demultiplexer,
// which is all in which `select` and its kin differ.
#pragma once

#include <list>

#include "model/model.hpp"
#include "serve/hold_up_policy.hpp"
#include "serve/loop_connection.hpp"

namespace berth {

class LoopModel final : public Model, private LoopConnection::Owner {
 public:
  explicit LoopModel(ModelContext context);
  ~LoopModel() override;
  void start(AcceptedConnection accepted) override;
  [[nodiscard]] std::size_t sessions() const override { return connections_.size(); }
  void begin_drain() override;
  void cancel_sessions() override;

 private:
  void moved(LoopConnection& connection) override;
  void over(LoopConnection& connection) override;
  void end_silent();
  void on_long_turn(Duration length);
  template <class Call>
  void for_each(Call call);

  ModelContext context_;
  // The longest silent first: each that moves goes to the end, so that one timer, for the first,
  // serves the idle_timeout of all and costs nothing per message.
  std::list<LoopConnection> connections_;
  BackgroundPool background_;  // ends first: what it still calls belongs to a connection
  CallTimer idle_;
  HoldUpPolicy hold_ups_;
};

}  // namespace berth
