// The TLS of a listener: its settings made into a TlsContext, and what is wrong with them. Made in
// the worker before its sessions; checked in a child that is thrown away.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "net/tls_context.hpp"
#include "net/tls_settings.hpp"

namespace berth {

struct TlsMistake {
  enum class In { certificate, key, client_ca, ciphers, ciphersuites } in;
  std::string message;
};
// What is wrong with settings whose files were read. None: make_server_context() succeeds, and the
// certificates are valid now.
[[nodiscard]] std::vector<TlsMistake> mistakes_in(const TlsSettings& settings);

// Certificates that have expired since they were checked are served all the same, since a worker
// that is started again is better than none. Throws std::bad_alloc.
[[nodiscard]] Result<TlsContext> make_server_context(const TlsSettings& settings);

// With these kTicketKeySize random bytes sessions are resumed by any worker that has the same ones,
// and by any of its sessions' processes: what a client needs to be known again it brings itself,
// encrypted with them (RFC 5077; RFC 8446, 4.6.1).
void set_ticket_keys(TlsContext& context, std::string_view keys);

// A handshake with itself, so that all that is made when it is first needed is there: a process
// that is forked for a session need not make it again.
void warm_up(const TlsContext& context);

}  // namespace berth
