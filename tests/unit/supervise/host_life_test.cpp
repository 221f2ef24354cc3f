// The host's policy, let loose on worlds that are made up at random: workers that become ready, die
// or fall silent, reloads of all kinds, checks that fail, addresses in use, new binaries that are
// none, and the order to stop at any moment.
#include "supervise/host_life.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <random>
#include <set>
#include <string>

#include "sanitized.hpp"

namespace berth {
namespace {

using Phase = ListenerPhase;
using State = WorkerState;
using Event = WorkerEvent;
using namespace std::chrono_literals;

constexpr unsigned kRuns = 100'000 / testing::kLessOften;

// What the host serves: listeners by their names, each in some version.
using WorldConfig = std::map<int, int>;

struct WorldWorker {
  bool alive = false;
  bool ready = false;
  bool serves = false;    // has been told to
  bool drains = false;    // likewise
  bool killed = false;    // its death is on its way
  bool restarts = false;  // the time to start it again will come
  bool given_up = false;
};

struct WorldListener {
  int name;
  int version;
  unsigned count;
  std::vector<WorldWorker> workers;
  bool sessions_left = false;
  bool leaves = false;     // begin_leaving was said
  bool suspended = false;  // by us
  std::optional<ListenerId> replaces = {};
};

// Carries out what the policy says, as the supervisor does, and breaks off at what must not be.
class World {
 public:
  explicit World(unsigned seed) : random_(seed) {
    for (int name = 0; name < 3; ++name) {
      if (chance(60)) config_[name] = pick(3);
    }
    served_ = config_;
    const Plan plan = plan_of(config_);
    listeners_ = std::exchange(planned_, {});
    follow(life_.start(plan));
  }

  void run() {
    const unsigned steps = 10 + pick(50);
    for (unsigned i = 0; i < steps && !ended_ && !faulty(); ++i) step();
    if (pick(3) == 0) {
      become_calm();
      check_calm();
    }
    stop();
  }

  std::string fault;  // "" as long as all is well
  unsigned changes = 0, failures = 0, upgrades = 0;

 private:
  // ---- Chance ----

  unsigned pick(unsigned count) { return static_cast<unsigned>(random_() % count); }
  bool chance(unsigned percent) { return pick(100) < percent; }
  [[nodiscard]] bool faulty() const { return !fault.empty(); }
  void must(bool holds, const char* what) {
    if (!holds && fault.empty()) fault = what;
  }

  // ---- What can happen ----

  void step() {
    now_ += std::chrono::milliseconds(pick(1500));
    switch (pick(20)) {
      case 0:
        return reload();
      case 1:
        if (chance(50)) return upgrade();
        return follow(life_.want(Wish::reload));
      case 2:
        return suspend_or_resume();
      case 3:
        if (chance(10)) return follow(life_.stop_now());
        if (chance(10)) return follow(life_.stop());
        return;
      case 4:
      case 5:
      case 6:
        return answer_check(chance(70));
      case 7:
        return some_sessions_end();
      default:
        return something_in_a_worker(chance(80));
    }
  }

  void reload() {
    if (life_.stopping()) return;
    for (int name = 0; name < 3; ++name) {
      if (chance(40)) continue;
      config_.erase(name);
      if (chance(75)) config_[name] = static_cast<int>(pick(3));
    }
    follow(life_.want(Wish::reload));
  }

  void upgrade() { follow(life_.want(Wish::upgrade)); }

  void suspend_or_resume() {
    if (life_.changing() || life_.stopping()) return;
    for (auto& [id, listener] : listeners_) {
      if (!life_.has(id) || chance(50)) continue;
      if (life_.phase(id) == Phase::current) {
        listener.suspended = true;
        return follow(life_.suspend(id));
      }
      if (life_.phase(id) == Phase::suspended) return resume(id);
    }
  }

  void resume(ListenerId resumed) {
    Plan plan;
    planned_.clear();
    for (auto& [id, listener] : listeners_) {
      if (!in_service(id)) continue;
      plan.push_back(id == resumed ? fresh(listener.name, listener.version, resumed)
                                   : PlannedListener{.id = id, .replaces = {}});
    }
    checked_ = served_;
    follow(life_.change(plan));
  }

  void answer_check(bool well) {
    if (checks_config_) {
      checks_config_ = false;
      if (!well) return follow(life_.on_check_failed());
      checked_ = config_;
      return follow(life_.on_checked(plan_of(config_)));
    }
    if (checks_binary_) {
      checks_binary_ = false;
      return follow(well ? life_.on_binary_checked() : life_.on_check_failed());
    }
  }

  void some_sessions_end() {
    for (auto& [id, listener] : listeners_) {
      if (!listener.sessions_left || chance(50)) continue;
      listener.sessions_left = false;
      return follow(life_.on_sessions_gone(id));
    }
  }

  void something_in_a_worker(bool well) {
    std::vector<WorkerId> all;
    for (auto& [id, listener] : listeners_) {
      for (unsigned i = 0; i < listener.count; ++i) all.push_back({id, i});
    }
    if (all.empty()) return;
    const WorkerId id = all[pick(static_cast<unsigned>(all.size()))];
    WorldWorker& worker = at(id);
    if (worker.restarts) return restart(id);
    if (!worker.alive) return;
    if (worker.killed || worker.drains) return die(id);
    if (!worker.ready && well) return become_ready(id);
    if (well) return;
    if (chance(30)) return follow(life_.on_worker(id, Event::silent, now_));
    die(id);
  }

  void become_ready(WorkerId id) {
    at(id).ready = true;
    follow(life_.on_worker(id, Event::ready, now_));
  }

  void restart(WorkerId id) {
    at(id).restarts = false;
    follow(life_.on_worker(id, Event::restart, now_));
  }

  void die(WorkerId id) {
    at(id) = {};
    WorldListener& listener = listeners_.at(id.listener);
    if (chance(20)) {
      listener.sessions_left = true;
      life_.on_sessions_left(id.listener);
    }
    follow(life_.on_worker(id, Event::died, now_));
  }

  // ---- What is to be done ----

  WorldWorker& at(WorkerId id) { return listeners_.at(id.listener).workers.at(id.index); }

  void follow(HostLife::Actions actions) {
    to_do_.insert(to_do_.end(), actions.begin(), actions.end());
    if (doing_) return;
    doing_ = true;
    while (!to_do_.empty() && !faulty()) {
      const HostAction action = to_do_.front();
      to_do_.pop_front();
      must(!ended_, "something is to be done after the end");
      carry_out(action);
    }
    doing_ = false;
    check_always();
  }

  void carry_out(const HostAction& action) {
    const WorkerId id = {action.listener, action.worker};
    switch (action.kind) {
      case HostAction::start_worker:
        must(!at(id).alive, "a worker that lives is started");
        must(!listeners_.at(id.listener).leaves, "a worker of a listener that leaves is started");
        at(id) = {.alive = true};
        return;
      case HostAction::order_serve:
        must(at(id).alive && at(id).ready, "a worker that is not ready is told to serve");
        must(life_.phase(id.listener) != Phase::candidate, "a candidate is told to serve");
        at(id).serves = true;
        return;
      case HostAction::order_drain:
        must(at(id).alive, "a worker that is dead is told to drain");
        must(listeners_.at(id.listener).leaves, "a worker drains and its listener does not");
        at(id).drains = true;
        return;
      case HostAction::kill_worker:
      case HostAction::kill_group:
        must(at(id).alive, "a worker that is dead is killed");
        at(id).killed = true;
        return;
      case HostAction::kill_sessions:
        return;
      case HostAction::restart_later:
        must(!at(id).alive, "a worker that lives is to be restarted");
        at(id).restarts = true;
        return;
      case HostAction::give_up:
        at(id).given_up = true;
        return;
      case HostAction::begin_leaving:
        must(!listeners_.at(id.listener).leaves, "a listener begins to leave twice");
        listeners_.at(id.listener).leaves = true;
        return;
      case HostAction::out_of_service:
        must(listeners_.at(id.listener).suspended, "a listener is out of service by itself");
        must(is_over(listeners_.at(id.listener)), "what is left is out of service");
        return;
      case HostAction::forget:
        must(is_over(listeners_.at(id.listener)),
             "a listener is forgotten while something is left");
        listeners_.erase(id.listener);
        return;
      case HostAction::check_config:
        must(!checks_config_ && !checks_binary_, "two checks at a time");
        checks_config_ = true;
        return;
      case HostAction::check_binary:
        must(!checks_config_ && !checks_binary_, "two checks at a time");
        checks_binary_ = true;
        return;
      case HostAction::bind:
        return follow(life_.on_bound(bind()));
      case HostAction::replace_binary:
        for (auto& [number, listener] : listeners_) {
          must(!listener.leaves || is_over(listener), "a listener that drains is handed over");
        }
        ++upgrades;
        return follow(life_.on_check_failed());  // as if exec had failed
      case HostAction::change_done:
        ++changes;
        served_ = checked_;
        return;
      case HostAction::change_failed:
        ++failures;
        checks_config_ = checks_binary_ = false;
        return;
      case HostAction::end:
        must(listeners_.empty(), "the end, and something is left");
        ended_ = true;
        return;
    }
  }

  bool bind() {
    if (chance(20) && !calm_) return false;
    for (auto& listener : planned_) listeners_.insert(std::move(listener));
    planned_.clear();
    return true;
  }

  // ---- Plans ----

  [[nodiscard]] bool in_service(ListenerId id) const {
    return life_.has(id) &&
           (life_.phase(id) == Phase::current || life_.phase(id) == Phase::suspended);
  }

  PlannedListener fresh(int name, int version, std::optional<ListenerId> replaces) {
    const unsigned count = 1 + pick(3);
    const ListenerId id = next_++;
    WorldListener listener = {name, version, count, std::vector<WorldWorker>(count)};
    listener.replaces = replaces;
    planned_.emplace(id, listener);
    return {.id = id, .is_new = true, .workers = count, .replaces = replaces};
  }

  Plan plan_of(const WorldConfig& config) {
    Plan plan;
    planned_.clear();
    for (const auto& [name, version] : config) {
      std::optional<ListenerId> before;
      for (const auto& [id, listener] : listeners_) {
        if (listener.name == name && in_service(id)) before = id;
      }
      const bool stays =
          before && listeners_.at(*before).version == version && !life_.any(*before, State::failed);
      plan.push_back(stays ? PlannedListener{.id = *before, .replaces = {}}
                           : fresh(name, version, before));
    }
    return plan;
  }

  // ---- What must hold ----

  static bool is_over(const WorldListener& listener) {
    return !listener.sessions_left && std::none_of(listener.workers.begin(), listener.workers.end(),
                                                   [](const auto& it) { return it.alive; });
  }

  // That is still there.
  [[nodiscard]] std::optional<ListenerId> predecessor(ListenerId id) const {
    const auto before = listeners_.at(id).replaces;
    return before && listeners_.contains(*before) ? before : std::nullopt;
  }

  void check_always() {
    std::map<int, int> in_place;
    for (const auto& [id, listener] : listeners_) {
      if (!life_.has(id)) {
        must(false, "a listener that is not known is still there");
        continue;
      }
      const Phase phase = life_.phase(id);
      if (const auto before = predecessor(id)) {
        must(!predecessor(*before), "a listener has three generations");
      }
      if (phase == Phase::current || phase == Phase::suspended) ++in_place[listener.name];
      must((phase == Phase::leaving || phase == Phase::suspended) == listener.leaves,
           "a listener leaves and does not know it");
      for (unsigned i = 0; i < listener.count; ++i) check_worker({id, i}, phase);
    }
    for (const auto& [name, count] : in_place) must(count == 1, "a listener stands twice");
    if (life_.stopping()) return;
    WorldConfig there;
    for (const auto& [id, listener] : listeners_) {
      if (in_service(id)) there[listener.name] = listener.version;
    }
    must(there == served_, "what serves is not what the last change has made");
  }

  void check_worker(WorkerId id, Phase phase) {
    const WorldWorker& worker = at(id);
    const State state = life_.state(id);
    if (phase == Phase::candidate) must(!worker.serves, "a candidate accepts");
    if (phase != Phase::current) return;
    // It has its process, or another will be started, or it was given up after many deaths.
    must(worker.alive || worker.restarts || (worker.given_up && state == State::failed),
         "a current listener lacks a worker");
    must(!worker.drains, "a worker of a current listener drains");
    if (state == State::serving)
      must(worker.serves, "a worker that is ready was not told to serve");
  }

  // ---- The ends ----

  // No further mishap: all that goes on comes to its end.
  void become_calm() {
    calm_ = true;
    if (!life_.stopping()) follow(life_.want(Wish::reload));
    for (int turn = 0; turn < 400 && !faulty(); ++turn) {
      now_ += 30s;
      answer_check(true);
      some_sessions_end();
      let_all_workers_act();
    }
  }

  void let_all_workers_act() {
    std::vector<WorkerId> all;
    for (auto& [id, listener] : listeners_) {
      for (unsigned i = 0; i < listener.count; ++i) all.push_back({id, i});
    }
    for (const WorkerId id : all) {
      if (!listeners_.contains(id.listener) || faulty()) continue;
      const WorldWorker worker = at(id);
      if (worker.restarts)
        restart(id);
      else if (worker.alive && (worker.killed || worker.drains))
        die(id);
      else if (worker.alive && !worker.ready)
        become_ready(id);
    }
  }

  void check_calm() {
    if (life_.stopping()) return;
    must(!life_.changing(), "a change does not come to an end");
    must(served_ == config_, "the last config is not the one that serves");
    must(life_.settled(), "a worker never comes to serve");
    for (const ListenerId id : life_.listeners()) {
      must(in_service(id), "an old generation never ends");
      if (life_.phase(id) == Phase::current) must(life_.all(id, State::serving), "one has failed");
    }
  }

  void stop() {
    follow(life_.stop());
    for (int turn = 0; turn < 400 && !ended_ && !faulty(); ++turn) {
      if (turn == 300) follow(life_.stop_now());
      now_ += 30s;
      some_sessions_end();
      let_all_workers_act();
    }
    must(ended_, "the host does not end");
  }

  std::mt19937 random_;
  HostLife life_;
  TimePoint now_{};
  std::map<ListenerId, WorldListener> listeners_;
  std::map<ListenerId, WorldListener> planned_;
  WorldConfig config_;   // the file
  WorldConfig checked_;  // what the change under way is about
  WorldConfig served_;
  ListenerId next_ = 1;
  std::deque<HostAction> to_do_;
  bool doing_ = false;
  bool checks_config_ = false;
  bool checks_binary_ = false;
  bool calm_ = false;
  bool ended_ = false;
};

TEST_CASE("in no world does the host's policy break its rules") {
  const unsigned first = std::random_device{}();
  unsigned changes = 0, failures = 0, upgrades = 0;
  for (unsigned run = 0; run < kRuns; ++run) {
    const unsigned seed = first + run;
    CAPTURE(seed);
    World world(seed);
    world.run();
    REQUIRE(world.fault == "");
    changes += world.changes;
    failures += world.failures;
    upgrades += world.upgrades;
  }
  // That the worlds were no idle ones.
  CHECK(changes > kRuns / 10);
  CHECK(failures > kRuns / 10);
  CHECK(upgrades > kRuns / 100);
}

}  // namespace
}  // namespace berth
