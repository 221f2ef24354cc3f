#include "net/tls_context.hpp"

#include <openssl/bio.h>
#include <openssl/ssl.h>

#include <new>

#include "net/tls_memory.hpp"
#include "net/tls_transport.hpp"

namespace berth {

namespace {

// Of TLS 1.2 only what has forward secrecy and authenticated encryption; AES first, which
// processors do by themselves, though a client that prefers ChaCha20 has its reason.
constexpr const char* kCiphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr const char* kGroups = "X25519:P-256:P-384";

constexpr std::uint64_t kOptions = SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                                   SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION;

// OpenSSL as it is, whatever the system's openssl.cnf says: that may load modules which bring a
// second OpenSSL with them, and this one is linked from its archive.
void start_openssl() {
  (void)keep_room_for_records();  // first: it must precede all that OpenSSL allocates
  (void)OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr);
}

// The first of the server's names that the client has too. Where there is none the client is told
// so by an alert, since what it would say next would not be understood (RFC 7301, 3.2).
int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* length,
                    const unsigned char* theirs, unsigned int their_size, void* ours) {
  const auto& names = *static_cast<const std::string*>(ours);
  unsigned char* found = nullptr;
  const int outcome =
      SSL_select_next_proto(&found, length, reinterpret_cast<const unsigned char*>(names.data()),
                            static_cast<unsigned>(names.size()), theirs, their_size);
  *chosen = found;
  return outcome == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

}  // namespace

void TlsContext::Free::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }
void TlsContext::Free::operator()(bio_method_st* method) const { BIO_meth_free(method); }

TlsContext::TlsContext(Side side) : side_(side) {
  start_openssl();
  transport_.reset(make_transport_method());
  context_.reset(SSL_CTX_new(side == Side::server ? TLS_server_method() : TLS_client_method()));
  SSL_CTX* const context = context_.get();
  if (context == nullptr || transport_ == nullptr) throw std::bad_alloc();
  SSL_CTX_set_options(context, kOptions);
  // A connection that waits keeps no room for records.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  // Neither of what is fixed here can fail but for want of memory.
  if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
      SSL_CTX_set_cipher_list(context, kCiphers) != 1 ||
      SSL_CTX_set1_groups_list(context, kGroups) != 1) {
    throw std::bad_alloc();
  }
}

void TlsContext::set_alpn(const std::vector<std::string>& names) {
  if (names.empty()) return;
  alpn_ = std::make_unique<std::string>();
  for (const std::string& name : names) {
    *alpn_ += static_cast<char>(name.size());
    *alpn_ += name;
  }
  SSL_CTX_set_alpn_select_cb(context_.get(), choose_protocol, alpn_.get());
}

}  // namespace berth
