#include "supervise/worker_life.hpp"

#include <array>

namespace berth {

namespace {

using State = WorkerState;
using Event = WorkerEvent;
using Action = WorkerAction;

// In the order of WorkerState.
constexpr std::array<std::string_view, 8> kNames = {"starting", "serving", "stuck",  "draining",
                                                    "ending",   "waiting", "failed", "over"};

// Starting and serving differ in one event only.
WorkerStep while_running(State state, Event event) {
  switch (event) {
    case Event::ready:
      return {State::serving, Action::announce};
    case Event::silent:
      return {State::stuck, Action::kill_worker};
    case Event::died:
      return {State::waiting, Action::ask_restart_policy};
    case Event::drain:
      return {State::draining, Action::order_drain};
    case Event::end_now:
    case Event::overdue:
      return {State::ending, Action::kill_group};
    case Event::restart:
      return {state, Action::none};
  }
  return {state, Action::none};
}

WorkerStep while_stuck(Event event) {
  switch (event) {
    case Event::died:
      return {State::waiting, Action::ask_restart_policy};
    case Event::drain:
      return {State::ending, Action::none};
    case Event::end_now:
    case Event::overdue:
      return {State::ending, Action::kill_group};
    case Event::ready:
    case Event::silent:
    case Event::restart:
      return {State::stuck, Action::none};
  }
  return {State::stuck, Action::none};
}

WorkerStep while_going(State state, Event event) {
  switch (event) {
    case Event::died:
      return {State::over, Action::none};
    case Event::end_now:
    case Event::overdue:
      return {State::ending, Action::kill_group};
    case Event::ready:
    case Event::silent:
    case Event::restart:
    case Event::drain:
      return {state, Action::none};
  }
  return {state, Action::none};
}

WorkerStep while_dead(State state, Event event) {
  switch (event) {
    case Event::restart:
      if (state == State::waiting) return {State::starting, Action::start};
      return {state, Action::none};
    case Event::drain:
    case Event::end_now:
    case Event::overdue:
      return {State::over, Action::none};
    case Event::ready:
    case Event::silent:
    case Event::died:
      return {state, Action::none};
  }
  return {state, Action::none};
}

}  // namespace

std::string_view name_of(State state) { return kNames[static_cast<std::size_t>(state)]; }

std::optional<State> worker_state_of(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<State>(i);
  }
  return std::nullopt;
}

WorkerStep next_step(State state, Event event) {
  switch (state) {
    case State::starting:
      return while_running(state, event);
    case State::serving:
      if (event == Event::ready) return {state, Action::none};
      return while_running(state, event);
    case State::stuck:
      return while_stuck(event);
    case State::draining:
    case State::ending:
      return while_going(state, event);
    case State::waiting:
    case State::failed:
      return while_dead(state, event);
    case State::over:
      return {state, Action::none};
  }
  return {state, Action::none};
}

}  // namespace berth
