#include "supervise/worker_life.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <set>
#include <vector>

#include "supervise/restart_policy.hpp"

namespace berth {
namespace {

using State = WorkerState;
using Event = WorkerEvent;
using Action = WorkerAction;

const std::vector<State> kStates = {State::starting, State::serving, State::stuck,  State::draining,
                                    State::ending,   State::waiting, State::failed, State::over};
const std::vector<Event> kEvents = {Event::ready, Event::silent,  Event::died,   Event::restart,
                                    Event::drain, Event::overdue, Event::end_now};

bool has_process(State state) {
  return state == State::starting || state == State::serving || state == State::stuck ||
         state == State::draining || state == State::ending;
}

// The states that may follow, with the restart policy's verdict either way.
std::vector<State> following(State state, Event event) {
  const WorkerStep step = next_step(state, event);
  if (step.action == Action::ask_restart_policy) return {step.state, State::failed};
  return {step.state};
}

// Every state that can be reached from `first`, with the actions on the way.
void walk(State first, std::set<State>& reached, std::set<Action>& actions) {
  if (!reached.insert(first).second) return;
  for (const Event event : kEvents) {
    actions.insert(next_step(first, event).action);
    for (const State next : following(first, event)) walk(next, reached, actions);
  }
}

TEST_CASE("a worker that is over stays over and does nothing") {
  for (const Event event : kEvents) {
    CHECK(next_step(State::over, event).state == State::over);
    CHECK(next_step(State::over, event).action == Action::none);
  }
}

TEST_CASE("after an order to end or to drain no way leads to another start") {
  for (const Event order : {Event::drain, Event::end_now, Event::overdue}) {
    for (const State state : kStates) {
      CAPTURE(static_cast<int>(order));
      CAPTURE(static_cast<int>(state));
      std::set<State> reached;
      std::set<Action> actions = {next_step(state, order).action};
      for (const State next : following(state, order)) walk(next, reached, actions);
      CHECK(actions.count(Action::start) == 0);
      CHECK(actions.count(Action::ask_restart_policy) == 0);
      CHECK(reached.count(State::serving) == 0);
      CHECK(reached.count(State::over) == 1);
    }
  }
}

TEST_CASE("a death always leaves the states that have a process") {
  for (const State state : kStates) {
    CHECK_FALSE(has_process(next_step(state, Event::died).state));
  }
}

TEST_CASE(
    "nothing but a death takes a worker's process from it, and nothing but a start gives it") {
  for (const State state : kStates) {
    for (const Event event : kEvents) {
      CAPTURE(static_cast<int>(state));
      CAPTURE(static_cast<int>(event));
      const WorkerStep step = next_step(state, event);
      if (has_process(state) && event != Event::died) CHECK(has_process(step.state));
      if (!has_process(state)) {
        CHECK(has_process(step.state) == (step.action == Action::start));
      }
    }
  }
}

TEST_CASE("only a process that is there is ordered about or killed") {
  for (const State state : kStates) {
    for (const Event event : kEvents) {
      CAPTURE(static_cast<int>(state));
      CAPTURE(static_cast<int>(event));
      const Action action = next_step(state, event).action;
      const bool needs_process = action == Action::order_drain || action == Action::kill_worker ||
                                 action == Action::kill_group || action == Action::announce;
      if (needs_process) CHECK(has_process(state));
      if (action == Action::start) CHECK_FALSE(has_process(state));
    }
  }
}

TEST_CASE("every state can be reached, and all but the last can be left") {
  std::set<State> reached;
  std::set<Action> actions;
  walk(State::starting, reached, actions);
  CHECK(reached.size() == kStates.size());
  CHECK(actions.size() == 7);
  for (const State state : kStates) {
    const bool leaves = std::any_of(kEvents.begin(), kEvents.end(), [&](Event event) {
      return next_step(state, event).state != state;
    });
    CHECK(leaves == (state != State::over));
  }
}

TEST_CASE("a worker is announced once a start") {
  CHECK(next_step(State::starting, Event::ready).action == Action::announce);
  CHECK(next_step(State::serving, Event::ready).action == Action::none);
}

TEST_CASE("a silent worker loses its process and not its sessions, and is replaced") {
  const WorkerStep step = next_step(State::serving, Event::silent);
  CHECK(step.action == Action::kill_worker);
  CHECK(next_step(step.state, Event::died).action == Action::ask_restart_policy);
}

// A worker, its process, and the supervisor's timer, as the supervisor keeps them.
struct SimulatedWorker {
  State state = State::starting;
  bool alive = true;
  bool restart_due = false;
  bool ordered = false;  // to drain or to end
  int starts = 1;
  RestartPolicy policy;
  TimePoint now{};

  void tell(Event event) {
    if (event == Event::died) alive = false;
    if (event == Event::restart) restart_due = false;
    if (event == Event::drain || event == Event::end_now || event == Event::overdue) ordered = true;
    const WorkerStep step = next_step(state, event);
    state = step.state;
    if (step.action == Action::start) {
      CHECK_FALSE(alive);
      CHECK_FALSE(ordered);
      alive = true;
      ++starts;
    }
    if (step.action == Action::ask_restart_policy) {
      const auto delay = policy.on_death(now);
      restart_due = delay.has_value();
      if (!delay) state = State::failed;
    }
    CHECK(alive == has_process(state));
  }

  // What can happen now.
  std::vector<Event> possible() const {
    std::vector<Event> events = {Event::drain, Event::end_now, Event::overdue};
    if (alive) events.insert(events.end(), 60, Event::died);
    if (alive) events.insert(events.end(), {Event::ready, Event::silent, Event::ready});
    if (restart_due) events.insert(events.end(), 200, Event::restart);
    return events;
  }
};

TEST_CASE("a worker's life at random breaks no rule and ends when it is told to") {
  const unsigned first_seed = std::random_device{}();
  int restarts = 0, failures = 0;
  for (unsigned round = 0; round < 2000; ++round) {
    CAPTURE(first_seed + round);
    std::mt19937 random(first_seed + round);
    SimulatedWorker worker;
    for (int step = 0; step < 40; ++step) {
      worker.now += std::chrono::milliseconds(random() % 2000);
      const auto events = worker.possible();
      worker.tell(events[random() % events.size()]);
      if (worker.state == State::failed) ++failures;
    }
    worker.tell(Event::end_now);
    if (worker.alive) worker.tell(Event::died);
    CHECK(worker.state == State::over);
    restarts += worker.starts - 1;
  }
  CHECK(restarts > 0);
  CHECK(failures > 0);
}

}  // namespace
}  // namespace berth
