// Sockets made the way this host needs them. All are close-on-exec.
#pragma once

#include <optional>
#include <vector>

#include "base/clock.hpp"
#include "base/fd.hpp"
#include "base/result.hpp"
#include "net/address.hpp"

namespace berth {

// A bound and listening TCP socket, non-blocking itself. What accepted sockets inherit is set here
// once: TCP_NODELAY. `[::]` takes IPv6 alone, so that `0.0.0.0` can stand beside it. The error
// names the address, the system's words and the remedy (a port under 1024, a port in use).
// Of an address of UDP: a bound socket, which takes what is sent there from then on; here and below
// a `backlog` means nothing to it.
[[nodiscard]] Result<Fd> listen_on(const SocketAddress& address, int backlog);

// The last step of that, for a socket that is bound to `address`.
[[nodiscard]] Result<void> start_listening(const Fd& socket, const SocketAddress& address,
                                           int backlog);

// `count` of them on one address, port 0 included, each with a queue of its own: the kernel spreads
// new connections evenly over those that listen (SO_REUSEPORT). An address that anyone else listens
// on, be it another host of the same user, is refused as by listen_on().
[[nodiscard]] Result<std::vector<Fd>> listen_together(const SocketAddress& address, int backlog,
                                                      unsigned count);

// Binds as many more as are missing to `count` at the address of those given, which listen there;
// they are to listen(2) later. Of Unix sockets there is but one at an address, for all workers.
[[nodiscard]] Result<void> bind_beside(std::vector<Fd>& sockets, unsigned count);

// The same of UDP, in two steps, since sockets of UDP take their part as soon as they are bound.
[[nodiscard]] Result<void> add_unbound(std::vector<Fd>& sockets, unsigned count);
[[nodiscard]] Result<void> bind_added(const std::vector<Fd>& sockets);

// A listening socket by its number, and what its address in the config begins with.
struct ListeningSocket {
  int number = -1;
  Scheme scheme = Scheme::tcp;
};

// A stream socket that connects to `address`, or is connected already: `error` is 0 or EINPROGRESS
// then, else what socket(2) or connect(2) says; EAGAIN where the backlog of a Unix socket is full.
// Non-blocking, TCP_NODELAY.
struct ConnectingSocket {
  Fd socket{};
  int error = 0;
};
[[nodiscard]] ConnectingSocket start_to_connect(const SocketAddress& address);

// How long a receive, or a send, waits that blocks; it ends with EAGAIN then. 0 < `limit`, or
// kUnlimited. Sockets that are accepted later inherit both, but for those of Unix sockets
// (SO_RCVTIMEO, SO_SNDTIMEO; man 7 socket). Async-signal-safe.
void set_receive_timeout(int socket, Duration limit);
void set_send_timeout(int socket, Duration limit);

// Whether clients can come to a socket: it listens (SO_ACCEPTCONN, man 7 socket), or takes
// datagrams at an address.
[[nodiscard]] bool is_listening(int socket);

// Who is at the other end of a connection that accept(2) gave, from `address`: of a Unix socket the
// credentials as they were when it was connected (SO_PEERCRED, man 7 unix).
[[nodiscard]] Peer peer_of(int connection, const SocketAddress& address);

// `count` of them as above, the first being one that is bound already, by a service manager say.
// All but it take a host that runs as the user who made it.
[[nodiscard]] Result<std::vector<Fd>> listen_beside(Fd bound, int backlog, unsigned count);

// Where a bound socket really listens (port 0 replaced by the port it got).
[[nodiscard]] SocketAddress local_address(int socket);

// How many connections wait in the queue of a listening TCP socket; nothing where the kernel does
// not tell.
[[nodiscard]] std::optional<unsigned> queue_length(int socket);

// Whether a connection waits in the queue of a listening socket, or the socket has failed. Asking
// costs a twentieth of an accept(2) that finds none, which makes a socket first and then destroys
// it. Where the kernel cannot be asked the answer is true.
[[nodiscard]] bool connection_waits(int socket);

// The kernel's upper bound for a backlog (net.core.somaxconn); it cuts longer ones silently.
[[nodiscard]] int longest_backlog();

}  // namespace berth
