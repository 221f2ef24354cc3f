// The TLS of a client (berth send).
#pragma once

#include <filesystem>

#include "base/result.hpp"
#include "net/tls_context.hpp"

namespace berth {

struct TlsClientSettings {
  bool verify = true;                      // that the server is whom it is expected to be
  std::filesystem::path ca;                // the roots that are trusted; empty: the system's
  std::filesystem::path certificate, key;  // its own, for servers that ask; the key's file may be
                                           // the certificate's too
};

// The error names the file. Throws std::bad_alloc.
[[nodiscard]] Result<TlsContext> make_client_context(const TlsClientSettings& settings);

}  // namespace berth
