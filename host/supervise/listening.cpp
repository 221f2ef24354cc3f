#include "supervise/listening.hpp"

#include "net/socket.hpp"

namespace berth {

namespace {

// Adds what goes wrong to `problems`.
void bind_address(const ListenerSettings& listener, std::size_t index, ListeningSockets& sockets,
                  Diagnostics& problems) {
  const Position where = listener.where.listen[index];
  const std::string who = "listener '" + listener.name + "': ";
  const auto addresses = resolve(listener.listen[index]);
  if (!addresses) return problems.add(where, who + addresses.error().message);
  for (const SocketAddress& address : addresses.value()) {
    auto made = listen_together(address, listener.backlog, listener.workers);
    if (!made) {
      problems.add(where, who + made.error().message);
      continue;
    }
    for (std::size_t i = 0; i < made->size(); ++i) sockets[i].push_back(std::move((*made)[i]));
  }
}

}  // namespace

Result<std::vector<ListeningSockets>> bind_all(const HostSettings& settings, Log& log) {
  Diagnostics problems(settings.file.string());
  std::vector<ListeningSockets> all;
  for (const ListenerSettings& listener : settings.listeners) {
    ListeningSockets& sockets = all.emplace_back(listener.workers);
    for (std::size_t i = 0; i < listener.listen.size(); ++i) {
      bind_address(listener, i, sockets, problems);
    }
  }
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
