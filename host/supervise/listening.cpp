#include "supervise/listening.hpp"

#include <algorithm>
#include <cerrno>
#include <string>

#include "net/socket.hpp"

namespace berth {

namespace {

// Copies of the sockets that still listen (those of a worker that has failed do not), and as many
// more as there are workers. Where none listens any more the address is taken anew.
Result<BoundAddress> take_over(const BoundAddress& existing, const ListenerSettings& listener) {
  BoundAddress bound = {existing.requested, existing.actual, {}, true};
  for (const Fd& socket : existing.sockets) {
    if (!is_listening(socket.get())) continue;
    bound.sockets.push_back(duplicate(socket));
    if (!bound.sockets.back()) return system_error("cannot keep a listening socket", errno);
  }
  if (bound.sockets.empty()) {
    auto made = listen_together(existing.actual, listener.backlog, listener.workers);
    if (!made) return made.error();
    bound.sockets = std::move(*made);
  } else if (auto joined = bind_beside(bound.sockets, listener.workers); !joined) {
    return joined.error();
  }
  return bound;
}

Result<BoundAddress> listen_anew(const SocketAddress& requested, const ListenerSettings& listener) {
  auto made = listen_together(requested, listener.backlog, listener.workers);
  if (!made) return made.error();
  const SocketAddress actual = local_address(made->front().get());
  return BoundAddress{requested, actual, std::move(*made), false};
}

Result<BoundAddress> take_activated(ActivatedSocket activated, const ListenerSettings& listener) {
  auto made = listen_beside(std::move(activated.socket), listener.backlog, listener.workers);
  if (!made) return made.error();
  return BoundAddress{activated.address, activated.address, std::move(*made), false};
}

}  // namespace

std::vector<int> sockets_of(const ListeningSockets& listening, unsigned worker, unsigned workers) {
  std::vector<int> numbers;
  for (const BoundAddress& bound : listening) {
    for (std::size_t i = worker; i < bound.sockets.size(); i += workers) {
      numbers.push_back(bound.sockets[i].get());
    }
  }
  return numbers;
}

bool all_live_on(const ListeningSockets& listening,
                 const std::vector<const ListeningSockets*>& others) {
  return std::all_of(listening.begin(), listening.end(), [&](const BoundAddress& bound) {
    return std::any_of(others.begin(), others.end(), [&](const ListeningSockets* other) {
      return std::any_of(other->begin(), other->end(),
                         [&](const BoundAddress& there) { return there.actual == bound.actual; });
    });
  });
}

void tell_listening(const ListenerSettings& listener, const ListeningSockets& listening, Log& log) {
  for (const BoundAddress& bound : listening) {
    if (bound.taken_over) continue;
    log.info("listener '{}': listening on tcp://{} (model {}, handler {})", listener.name,
             bound.actual.text(), listener.model, listener.handler);
  }
  if (listener.backlog > longest_backlog()) {
    log.warn("listener '{}': the kernel cuts its backlog of {} to {} (net.core.somaxconn)",
             listener.name, listener.backlog, longest_backlog());
  }
}

ListeningSockets Binder::bind(const ListenerSettings& listener, const ListeningSockets* predecessor,
                              Diagnostics& problems) {
  ListeningSockets sockets;
  const std::string who = "listener '" + listener.name + "': ";
  if (take_named(listener, sockets, problems)) return sockets;
  for (std::size_t i = 0; i < listener.listen.size(); ++i) {
    const Position where = listener.where.listen[i];
    const auto addresses = resolve(listener.listen[i]);
    if (!addresses) {
      problems.add(where, who + addresses.error().message);
      continue;
    }
    for (const SocketAddress& requested : addresses.value()) {
      auto bound = bind_one(requested, listener, predecessor);
      if (!bound) {
        problems.add(where, who + bound.error().message);
        continue;
      }
      sockets.push_back(std::move(*bound));
    }
  }
  return sockets;
}

bool Binder::take_named(const ListenerSettings& listener, ListeningSockets& sockets,
                        Diagnostics& problems) {
  auto named = activated_.take_named(listener.name);
  for (ActivatedSocket& each : named) {
    auto bound = take_activated(std::move(each), listener);
    if (bound) {
      sockets.push_back(std::move(*bound));
    } else {
      problems.add(listener.where.name,
                   "listener '" + listener.name + "': " + bound.error().message);
    }
  }
  return !named.empty();
}

Result<BoundAddress> Binder::bind_one(const SocketAddress& requested,
                                      const ListenerSettings& listener,
                                      const ListeningSockets* predecessor) {
  if (const BoundAddress* const existing = find(requested, predecessor)) {
    return take_over(*existing, listener);
  }
  if (auto activated = activated_.take_at(requested)) {
    return take_activated(std::move(*activated), listener);
  }
  return listen_anew(requested, listener);
}

const BoundAddress* Binder::find(const SocketAddress& requested,
                                 const ListeningSockets* predecessor) {
  if (predecessor != nullptr) {
    if (const BoundAddress* found = take_from(*predecessor, requested)) return found;
  }
  if (requested.port() == 0) return nullptr;  // another one each time
  for (const ListeningSockets* listening : existing_) {
    if (const BoundAddress* found = take_from(*listening, requested)) return found;
  }
  return nullptr;
}

const BoundAddress* Binder::take_from(const ListeningSockets& listening,
                                      const SocketAddress& requested) {
  for (const BoundAddress& bound : listening) {
    if (bound.requested == requested && taken_.insert(&bound).second) return &bound;
  }
  return nullptr;
}

}  // namespace berth
