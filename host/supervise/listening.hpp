// The listening sockets of all listeners. The supervisor makes and keeps them; workers inherit
// them, so that a worker's death loses nothing that waits in a queue, and a generation takes over
// those of the one before it.
#pragma once

#include <memory>
#include <set>
#include <vector>

#include "base/fd.hpp"
#include "base/log.hpp"
#include "base/source.hpp"
#include "net/address.hpp"
#include "net/socket.hpp"
#include "net/unix_socket.hpp"
#include "serve/listener_settings.hpp"
#include "supervise/activated_sockets.hpp"

namespace berth {

// One address of a listener; a host name may stand for several.
struct BoundAddress {
  SocketAddress requested;  // with port 0 where any will do
  SocketAddress actual;
  // At least one for each worker: workers share the address, but no socket, so that each has queues
  // of its own. More where there were more workers once: what waits in a queue is never given up.
  // Of Unix sockets one, which all workers share. Of multicast groups the first is a member.
  std::vector<Fd> sockets;
  bool taken_over = false;  // from a listener that served here before
  // Of a Unix socket that was bound here. Shared with who takes it over; the last one removes it.
  std::shared_ptr<OwnSocketFile> file = nullptr;
  // As the config of whom it belongs to has it: the same socket can be taken over for another.
  Scheme scheme = Scheme::tcp;
  // The groups that it is to be in, and those that it is in: what was taken over follows in
  // adapt().
  Multicast wanted{}, joined{};
};
using ListeningSockets = std::vector<BoundAddress>;

// Those that a worker accepts from. Each socket is one worker's.
[[nodiscard]] std::vector<ListeningSocket> sockets_of(const ListeningSockets& listening,
                                                      unsigned worker, unsigned workers);

// Ends the listening of a worker that is not started again: who waits is reset, who comes is
// refused; a socket of UDP is closed. A Unix socket, which the workers share, ends with the last of
// them, when `all` are gone; one of a service manager's does not, since it could not be made to
// listen again.
void refuse_clients(ListeningSockets& listening, unsigned worker, unsigned workers, bool all);

// Gives the files of Unix sockets that were taken over the mode and owner that this listener says,
// and lets those of UDP join and leave groups, and bear their part; what cannot be done is told in
// the log. For when all workers serve, and nothing is given up any more.
void adapt(const ListenerSettings& listener, ListeningSockets& listening, Log& log);

// Whether clients can come to all of them: none of the Unix sockets has lost its file.
[[nodiscard]] bool all_reachable(const ListeningSockets& listening);

// Whether somebody else holds every address of `listening` too.
[[nodiscard]] bool all_live_on(const ListeningSockets& listening,
                               const std::vector<const ListeningSockets*>& others);

// Tells where the listener really listens, as far as that is new, and of a backlog that is too
// long.
void tell_listening(const ListenerSettings& listener, const ListeningSockets& listening, Log& log);

// Binds what one generation listens on, with what is there already. What is new listens when this
// is through; a socket that joins others at an address in use does so only when its worker calls
// listen(2), so that giving it up again loses nobody.
class Binder {
 public:
  // `existing` is what serves now; `activated` what was handed over by a service manager, which is
  // used in place of a socket bound here.
  Binder(std::vector<const ListeningSockets*> existing, ActivatedSockets& activated)
      : existing_(std::move(existing)), activated_(activated) {}

  // Every address of a listener; adds what goes wrong to `problems`, a line for each address, with
  // its place in the config. `predecessor` is what is taken over first, and alone what may have
  // port 0 in common; null: none.
  [[nodiscard]] ListeningSockets bind(const ListenerSettings& listener,
                                      const ListeningSockets* predecessor, Diagnostics& problems);

 private:
  // What bears the listener's name stands for all of its addresses. False if nothing does.
  [[nodiscard]] bool take_named(const ListenerSettings& listener, ListeningSockets& sockets,
                                Diagnostics& problems);
  [[nodiscard]] Result<BoundAddress> bind_one(const SocketAddress& requested,
                                              const Address& written,
                                              const ListenerSettings& listener,
                                              const ListeningSockets* predecessor);
  [[nodiscard]] const BoundAddress* find(const SocketAddress& requested,
                                         const ListeningSockets* predecessor);
  [[nodiscard]] const BoundAddress* take_from(const ListeningSockets& listening,
                                              const SocketAddress& requested);

  std::vector<const ListeningSockets*> existing_;
  ActivatedSockets& activated_;
  std::set<const BoundAddress*> taken_;
};

}  // namespace berth
