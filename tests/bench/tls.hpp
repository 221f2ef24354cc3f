// TLS as the benchmark needs it: a certificate for the servers under test, and clients that ask for
// a full handshake of TLS 1.3 with this certificate each time. OpenSSL is behind it; a benchmark
// built without (no_tls.cpp) measures the rest.
#pragma once

#include <memory>
#include <string>

#include "channel.hpp"
#include "temporary_folder.hpp"

struct ssl_ctx_st;

namespace berth::bench {

// Paths of files in PEM.
struct Certificate {
  std::string certificate, key;
};

bool can_speak_tls();

// For 127.0.0.1, ECDSA on P-256, signed by itself; throws Failure.
Certificate make_certificate(const TemporaryFolder& folder);

class TlsClients {
 public:
  explicit TlsClients(const Certificate& trusted);  // throws Failure
  // On a socket that is connected, or about to be. What it does throws Failure where the server
  // breaks the protocol, the missing goodbye at its end included.
  [[nodiscard]] std::unique_ptr<Channel> client_on(Fd socket) const;

 private:
  std::shared_ptr<ssl_ctx_st> context_;  // shared for its deleter, not for its owners
};

}  // namespace berth::bench
