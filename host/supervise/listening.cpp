#include "supervise/listening.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "net/multicast.hpp"
#include "net/socket.hpp"

namespace berth {

namespace {

Result<BoundAddress> listen_anew(const SocketAddress& requested, const Address& written,
                                 const ListenerSettings& listener) {
  if (requested.is_unix()) {
    auto made = listen_on_unix(requested, written.file, listener.backlog);
    if (!made) return made.error();
    BoundAddress bound = {requested, requested, {}, false, std::move(made->file)};
    bound.sockets.push_back(std::move(made->socket));
    return bound;
  }
  auto made = listen_together(requested, listener.backlog, listener.workers);
  if (!made) return made.error();
  if (auto joined = join_groups(made->front().get(), written.multicast); !joined) {
    return Error{requested.url() + ": " + joined.error().message};
  }
  const SocketAddress actual = local_address(made->front().get());
  BoundAddress bound = {requested, actual, std::move(*made), false};
  bound.wanted = bound.joined = written.multicast;
  return bound;
}

// Whether clients can still come to it: the file of a Unix socket can be removed by anyone.
bool is_reachable(const BoundAddress& bound) { return !bound.file || bound.file->is_in_place(); }

// Copies of the sockets that still listen (those of a worker that has failed do not), and as many
// more as there are workers. Where none listens any more the address is taken anew.
Result<BoundAddress> take_over(const BoundAddress& existing, const Address& written,
                               const ListenerSettings& listener) {
  BoundAddress bound = {existing.requested, existing.actual, {}, true, existing.file};
  bound.wanted = written.multicast;
  bound.joined = existing.joined;
  if (auto possible = try_to_join(existing.actual.family(), written.multicast); !possible) {
    return Error{existing.requested.url() + ": " + possible.error().message};
  }
  for (const Fd& socket : existing.sockets) {
    if (!is_listening(socket.get()) || !is_reachable(existing)) continue;
    bound.sockets.push_back(duplicate(socket));
    if (!bound.sockets.back()) return system_error("cannot keep a listening socket", errno);
  }
  if (bound.sockets.empty()) {
    auto anew = listen_anew(existing.actual, written, listener);
    if (anew) anew->requested = existing.requested;
    return anew;
  }
  auto joined = existing.actual.is_datagram() ? add_unbound(bound.sockets, listener.workers)
                                              : bind_beside(bound.sockets, listener.workers);
  if (!joined) return joined.error();
  return bound;
}

Result<BoundAddress> take_activated(ActivatedSocket activated, const Multicast& groups,
                                    const ListenerSettings& listener) {
  auto made = listen_beside(std::move(activated.socket), listener.backlog, listener.workers);
  if (!made) return made.error();
  if (auto joined = join_groups(made->front().get(), groups); !joined) {
    return Error{activated.address.url() + ": " + joined.error().message};
  }
  BoundAddress bound = {activated.address, activated.address, std::move(*made), false};
  bound.scheme = plain_scheme(activated.address);
  bound.wanted = bound.joined = groups;
  return bound;
}

// Of groups beside a host name: whether each has an address of its kind to be joined on.
Result<void> groups_fit(const Address& written, const std::vector<SocketAddress>& addresses) {
  for (const std::string& group : written.multicast.groups) {
    const int family = group.find(':') == std::string::npos ? AF_INET : AF_INET6;
    const bool fits =
        std::any_of(addresses.begin(), addresses.end(),
                    [&](const SocketAddress& address) { return address.family() == family; });
    if (fits) continue;
    return Error{"cannot join the group " + group + ": '" + written.host +
                 "' has no address of its kind (0.0.0.0 takes groups of IPv4, [::] those of IPv6)"};
  }
  return {};
}

std::vector<ListeningSocket> sockets_of(const BoundAddress& bound, unsigned worker,
                                        unsigned workers) {
  const bool is_shared = bound.actual.is_unix();
  std::vector<ListeningSocket> sockets;
  for (std::size_t i = is_shared ? 0 : worker; i < bound.sockets.size(); i += workers) {
    sockets.push_back({bound.sockets[i].get(), bound.scheme});
  }
  return sockets;
}

}  // namespace

std::vector<ListeningSocket> sockets_of(const ListeningSockets& listening, unsigned worker,
                                        unsigned workers) {
  std::vector<ListeningSocket> all;
  for (const BoundAddress& bound : listening) {
    const std::vector<ListeningSocket> some = sockets_of(bound, worker, workers);
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

namespace {

void refuse(const ListeningSocket& socket) {
  if (!is_datagram(socket.scheme)) {
    (void)::shutdown(socket.number, SHUT_RDWR);
    return;
  }
  // In its place there is one that is bound to nothing, so that the others' places stay theirs.
  const Fd unbound(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (unbound) (void)::dup3(unbound.get(), socket.number, O_CLOEXEC);
}

}  // namespace

void refuse_clients(ListeningSockets& listening, unsigned worker, unsigned workers, bool all) {
  for (BoundAddress& bound : listening) {
    if (bound.actual.is_unix()) {
      const bool is_managers = !bound.file && !bound.actual.path().empty();
      if (all && !is_managers) {
        bound.file.reset();
        bound.sockets.clear();
      }
      continue;
    }
    for (const ListeningSocket& socket : sockets_of(bound, worker, workers)) {
      refuse(socket);
    }
  }
}

namespace {

void set_mode(const ListenerSettings& listener, const BoundAddress& bound, Log& log) {
  for (const Address& written : listener.listen) {
    if (written.host != bound.file->path()) continue;
    if (const auto done = bound.file->become(written.file); !done) {
      log.error("listener '{}': {}", listener.name, done.error().message);
    }
  }
}

Result<void> change_groups(BoundAddress& bound) {
  if (bound.wanted == bound.joined) return {};
  const int first = bound.sockets[0].get();
  leave_groups(first, bound.joined, bound.wanted);
  bound.joined = bound.wanted;
  if (auto done = join_groups(first, bound.wanted); !done) {
    return Error{bound.actual.url() + ": " + done.error().message};
  }
  return {};
}

}  // namespace

void adapt(const ListenerSettings& listener, ListeningSockets& listening, Log& log) {
  for (BoundAddress& bound : listening) {
    if (!bound.taken_over) continue;
    if (bound.file != nullptr) set_mode(listener, bound, log);
    if (bound.actual.is_unix() || !bound.actual.is_datagram()) continue;
    for (const auto& done : {bind_added(bound.sockets), change_groups(bound)}) {
      if (!done) log.error("listener '{}': {}", listener.name, done.error().message);
    }
  }
}

bool all_reachable(const ListeningSockets& listening) {
  return std::all_of(listening.begin(), listening.end(), is_reachable);
}

bool all_live_on(const ListeningSockets& listening,
                 const std::vector<const ListeningSockets*>& others) {
  return std::all_of(listening.begin(), listening.end(), [&](const BoundAddress& bound) {
    return std::any_of(others.begin(), others.end(), [&](const ListeningSockets* other) {
      return std::any_of(other->begin(), other->end(), [&](const BoundAddress& there) {
        return there.actual == bound.actual && there.file == bound.file;
      });
    });
  });
}

void tell_listening(const ListenerSettings& listener, const ListeningSockets& listening, Log& log) {
  for (const BoundAddress& bound : listening) {
    if (bound.taken_over) continue;
    log.info("listener '{}': listening on {} (model {}, handler {})", listener.name,
             bound.actual.url(), listener.model, listener.handler);
  }
  for (const BoundAddress& bound : listening) {
    for (const Address& written : listener.listen) {
      const bool is_managers = !bound.file && bound.actual.path() == written.host;
      if (!is_managers || written.file == SocketFile{}) continue;
      log.warn(
          "listener '{}': {} was handed over: its mode and owner are those of its unit "
          "(SocketMode=, SocketUser=, SocketGroup=)",
          listener.name, bound.actual.url());
    }
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
    if (auto fits = groups_fit(listener.listen[i], addresses.value()); !fits) {
      problems.add(where, who + fits.error().message);
      continue;
    }
    for (const SocketAddress& requested : addresses.value()) {
      auto bound = bind_one(requested, listener.listen[i], listener, predecessor);
      if (!bound) {
        problems.add(where, who + bound.error().message);
        continue;
      }
      bound->scheme = listener.listen[i].scheme;
      sockets.push_back(std::move(*bound));
    }
  }
  return sockets;
}

bool Binder::take_named(const ListenerSettings& listener, ListeningSockets& sockets,
                        Diagnostics& problems) {
  auto named = activated_.take_named(listener.name);
  for (ActivatedSocket& each : named) {
    auto bound = take_activated(std::move(each), {}, listener);
    if (bound) {
      sockets.push_back(std::move(*bound));
    } else {
      problems.add(listener.where.name,
                   "listener '" + listener.name + "': " + bound.error().message);
    }
  }
  return !named.empty();
}

Result<BoundAddress> Binder::bind_one(const SocketAddress& requested, const Address& written,
                                      const ListenerSettings& listener,
                                      const ListeningSockets* predecessor) {
  if (const BoundAddress* const existing = find(requested, predecessor)) {
    return take_over(*existing, written, listener);
  }
  if (auto activated = activated_.take_at(requested)) {
    return take_activated(std::move(*activated), written.multicast, listener);
  }
  return listen_anew(requested, written, listener);
}

const BoundAddress* Binder::find(const SocketAddress& requested,
                                 const ListeningSockets* predecessor) {
  if (predecessor != nullptr) {
    if (const BoundAddress* found = take_from(*predecessor, requested)) return found;
  }
  if (!requested.is_unix() && requested.port() == 0) return nullptr;  // another one each time
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
