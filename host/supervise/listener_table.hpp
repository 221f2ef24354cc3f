// All listeners that there are, of all generations, by their numbers; and how the next generation
// is made from a config: which listeners stay, which are replaced, with which sockets.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "supervise/hand_over.hpp"
#include "supervise/host_life.hpp"
#include "supervise/served_listener.hpp"

namespace berth {

class ListenerTable {
 public:
  // What listeners tell of, with their numbers.
  struct Events {
    std::function<void(WorkerId worker, WorkerEvent event)> worker;
    std::function<void(ListenerId)> sessions_left;
    std::function<void(ListenerId)> sessions_gone;
    std::function<void(ListenerId)> overdue;
  };

  // Listens with what of `activated` belongs to the listeners of the first generation.
  ListenerTable(EventLoop& loop, Log& log, ActivatedSockets activated, Events events);

  // The next generation: every listener of `config`. One that is there already, healthy, with the
  // same settings and the same plugin, is kept as it is, unless `log_changes`, since its workers
  // write to the log as it was.
  [[nodiscard]] Plan plan(const CheckedConfig& config, const HostLife& life, bool log_changes);
  // The listeners of `life` that are served now or suspended, with a new one in place of
  // `replaced`.
  [[nodiscard]] Plan plan_instead_of(ListenerId replaced, const HostLife& life);
  // The change that was planned has come about: what was taken over becomes as its new listeners
  // say.
  void settle(const Plan& plan);
  // Makes the new listeners of the last plan, with their sockets, or none: the error tells all
  // addresses that failed, a line each, with their places in the config.
  [[nodiscard]] Result<void> bind(const Plan& plan, const SharedGeneration& generation,
                                  const HostLife& life);

  [[nodiscard]] ServedListener& at(ListenerId id) { return *listeners_.at(id); }
  [[nodiscard]] const ServedListener& at(ListenerId id) const { return *listeners_.at(id); }
  // How many there are under a name: those served now or suspended.
  [[nodiscard]] std::size_t in_service(const HostLife& life) const;
  // Those that the listeners were made from.
  [[nodiscard]] std::set<SharedGeneration> generations() const;
  // The one that is served now, or suspended, under this name.
  [[nodiscard]] std::optional<ListenerId> find(const std::string& name, const HostLife& life) const;

  // Whether others that serve now accept from all its sockets too.
  [[nodiscard]] bool is_handed_over(ListenerId id, const HostLife& life) const;
  void forget(ListenerId id);
  // A child of ours has ended.
  void on_death(pid_t pid, int status);
  void reopen_logs();

  // For another binary, and from one.
  [[nodiscard]] std::vector<HandedOver::Listener> hand_over(const HostLife& life) const;
  [[nodiscard]] Result<ListenerId> adopt(const HandedOver::Listener& former,
                                         const SharedGeneration& generation, HostLife& life);

 private:
  [[nodiscard]] Result<void> make_listeners(std::map<ListenerId, ListeningSockets> bound,
                                            const SharedGeneration& generation);
  [[nodiscard]] bool can_stay(const ServedListener& listener, ListenerId id, const HostLife& life,
                              const CheckedConfig& config, std::size_t place) const;
  [[nodiscard]] ServedListener::Events events_of(ListenerId id);
  [[nodiscard]] std::vector<const ListeningSockets*> sockets_in_use(const HostLife& life) const;

  EventLoop& loop_;
  Log& log_;
  ActivatedSockets activated_;
  Events events_;
  ListenerId next_ = 1;
  std::map<ListenerId, std::size_t> places_;  // of the new ones in the last plan
  std::map<ListenerId, std::unique_ptr<ServedListener>> listeners_;
  // Forgotten, and maybe still at work: an event of theirs has led to it.
  std::vector<std::unique_ptr<ServedListener>> forgotten_;
  CallTimer bury_;
};

}  // namespace berth
