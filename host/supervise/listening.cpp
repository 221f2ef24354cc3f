#include "supervise/listening.hpp"

#include "net/socket.hpp"

namespace berth {

namespace {

// To each worker its socket of an address.
void hand_out(std::vector<Fd> made, ListeningSockets& sockets) {
  for (std::size_t i = 0; i < made.size(); ++i) sockets[i].push_back(std::move(made[i]));
}

// What bears the listener's name stands for all of its addresses. False if nothing does.
bool take_named(const ListenerSettings& listener, ActivatedSockets& activated,
                ListeningSockets& sockets, Diagnostics& problems) {
  auto named = activated.take_named(listener.name);
  for (ActivatedSocket& each : named) {
    auto made = listen_beside(std::move(each.socket), listener.backlog, listener.workers);
    if (made) {
      hand_out(std::move(made.value()), sockets);
    } else {
      problems.add(listener.where.name,
                   "listener '" + listener.name + "': " + made.error().message);
    }
  }
  return !named.empty();
}

// Adds what goes wrong to `problems`.
void bind_address(const ListenerSettings& listener, std::size_t index, ActivatedSockets& activated,
                  ListeningSockets& sockets, Diagnostics& problems) {
  const Position where = listener.where.listen[index];
  const std::string who = "listener '" + listener.name + "': ";
  const auto addresses = resolve(listener.listen[index]);
  if (!addresses) return problems.add(where, who + addresses.error().message);
  for (const SocketAddress& address : addresses.value()) {
    auto handed = activated.take_at(address);
    auto made = handed
                    ? listen_beside(std::move(handed->socket), listener.backlog, listener.workers)
                    : listen_together(address, listener.backlog, listener.workers);
    if (made) {
      hand_out(std::move(made.value()), sockets);
    } else {
      problems.add(where, who + made.error().message);
    }
  }
}

std::vector<std::string> names_of(const std::vector<ListenerSettings>& listeners) {
  std::vector<std::string> names;
  for (const ListenerSettings& listener : listeners) names.push_back(listener.name);
  return names;
}

}  // namespace

Result<std::vector<ListeningSockets>> bind_all(const HostSettings& settings, Log& log,
                                               ActivatedSockets activated) {
  activated.keep_for(names_of(settings.listeners));
  Diagnostics problems(settings.file.string());
  std::vector<ListeningSockets> all;
  for (const ListenerSettings& listener : settings.listeners) {
    ListeningSockets& sockets = all.emplace_back(listener.workers);
    if (take_named(listener, activated, sockets, problems)) continue;
    for (std::size_t i = 0; i < listener.listen.size(); ++i) {
      bind_address(listener, i, activated, sockets, problems);
    }
  }
  for (const ActivatedSocket& each : activated.take_rest()) log.warn("{}", not_wanted(each));
  if (!problems.empty()) return Error{problems.to_text()};
  for (std::size_t i = 0; i < all.size(); ++i) {
    const ListenerSettings& listener = settings.listeners[i];
    for (const Fd& socket : all[i][0]) {
      log.info("listener '{}': listening on tcp://{} (model {}, handler {})", listener.name,
               local_address(socket.get()).text(), listener.model, listener.handler);
    }
    if (listener.backlog > longest_backlog()) {
      log.warn("listener '{}': the kernel cuts its backlog of {} to {} (net.core.somaxconn)",
               listener.name, listener.backlog, longest_backlog());
    }
  }
  return all;
}

}  // namespace berth
