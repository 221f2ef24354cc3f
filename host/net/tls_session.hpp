// One side of one TLS connection, moving no bytes itself: what comes in is taken from a
// TlsTransport and what goes out is given to it. Used on one thread at a time.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "net/tls_context.hpp"
#include "net/tls_failure.hpp"
#include "net/tls_transport.hpp"

struct ssl_st;

namespace berth {

class TlsSession {
 public:
  enum class Step {
    done,
    wants_input,  // the transport has to have more first
    ended,        // the other side has nothing more to write (close_notify)
    failed        // for good: failure() says why; the other side has been told
  };

  // The transport outlives it. Throws std::bad_alloc, as all that follows may.
  TlsSession(const TlsContext& context, TlsTransport& transport);
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;
  ~TlsSession();

  // Of a client, before the handshake: whom it expects, a name or an IP address.
  void expect(const std::string& host);

  [[nodiscard]] Step handshake();
  // Up to `room` bytes; `done` says that `count` of them, at least one, were read. Of one record at
  // most. Fails where the other side has long sent nothing but what TLS says of itself.
  [[nodiscard]] Step read(char* to, std::size_t room, std::size_t& count);
  // Whether bytes lie ready of a record that read() had no room for.
  [[nodiscard]] bool has_rest() const;
  // All of it, at least one byte.
  [[nodiscard]] Step write(std::string_view bytes);
  // Tells the other side that nothing more will be written.
  void close_write();

  [[nodiscard]] TlsFailure failure() const { return failure_; }
  // The subject of the other side's certificate, which has been verified, in the form of RFC 2253:
  // "CN=alice,O=Example"; "" where it has none.
  [[nodiscard]] std::string peer_subject() const;
  // "TLSv1.3", and whether the handshake was a short one since the two know each other.
  [[nodiscard]] std::string version() const;
  [[nodiscard]] bool resumed() const;
  // The protocol that was agreed upon by ALPN; "" if none was.
  [[nodiscard]] std::string protocol() const;

 private:
  Step conclude(int result);
  // Of OpenSSL's, which tells each message that it takes or gives.
  static void on_message(int is_ours, int version, int content, const void* bytes, std::size_t size,
                         ssl_st* ssl, void* session);

  struct Free {
    void operator()(ssl_st* session) const;
  };
  TransportEnd end_;
  std::unique_ptr<ssl_st, Free> ssl_;
  TlsFailure failure_;
  unsigned handshake_messages_ = 0;  // of the other side, since it last sent something else
};

}  // namespace berth
