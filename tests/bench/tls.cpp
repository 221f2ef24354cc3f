#include "tls.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <cerrno>

#include "failure.hpp"

namespace berth::bench {
namespace {

// With all that OpenSSL has to say of it.
Failure tls_failure(const std::string& what) {
  std::string text = "TLS: " + what;
  while (const unsigned long error = ERR_get_error()) {
    text += std::string(": ") + ERR_reason_error_string(error);
  }
  return Failure(text);
}

void require(bool succeeded, const char* what) {
  if (!succeeded) throw tls_failure(what);
}

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Bytes = std::unique_ptr<BIO, decltype(&BIO_free)>;
using X509Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

std::string text_of(const Bytes& bytes) {
  char* start = nullptr;
  const long size = BIO_get_mem_data(bytes.get(), &start);
  return {start, static_cast<std::size_t>(size)};
}

void add_extension(X509* certificate, int kind, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> extension(
      X509V3_EXT_conf_nid(nullptr, &context, kind, value), X509_EXTENSION_free);
  require(extension && X509_add_ext(certificate, extension.get(), -1) == 1, value);
}

X509Certificate self_signed(EVP_PKEY* key) {
  constexpr long kVersion3 = 2, kAnHour = 3600;
  X509Certificate made(X509_new(), X509_free);
  require(made != nullptr, "X509_new");
  X509_set_version(made.get(), kVersion3);
  ASN1_INTEGER_set(X509_get_serialNumber(made.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(made.get()), -kAnHour);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), 24 * kAnHour);
  X509_set_pubkey(made.get(), key);
  X509_NAME* const name = X509_get_subject_name(made.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("berth_bench"), -1, -1, 0);
  X509_set_issuer_name(made.get(), name);
  add_extension(made.get(), NID_subject_alt_name, "IP:127.0.0.1");
  require(X509_sign(made.get(), key, EVP_sha256()) > 0, "X509_sign");
  return made;
}

class TlsChannel : public Channel {
 public:
  TlsChannel(Fd socket, SSL* tls) : Channel(std::move(socket)), tls_(tls) {
    SSL_set_fd(tls, Channel::socket());
    SSL_set_connect_state(tls);
  }
  ~TlsChannel() override { SSL_free(tls_); }
  TlsChannel(const TlsChannel&) = delete;
  TlsChannel& operator=(const TlsChannel&) = delete;

  bool open() override {
    return SSL_is_init_finished(tls_) == 1 || outcome(SSL_do_handshake(tls_)) > 0;
  }

  // OpenSSL writes one record at a time.
  ssize_t send(const char* bytes, std::size_t size) override {
    std::size_t sent = 0;
    do {
      const ssize_t some = outcome(SSL_write(tls_, bytes + sent, static_cast<int>(size - sent)));
      stuck_ = some < 0 && SSL_is_init_finished(tls_) == 1;
      if (some <= 0) return sent > 0 ? static_cast<ssize_t>(sent) : some;
      sent += static_cast<std::size_t>(some);
    } while (sent < size);
    return static_cast<ssize_t>(sent);
  }

  ssize_t receive(char* bytes, std::size_t size) override {
    return outcome(SSL_read(tls_, bytes, static_cast<int>(size)));
  }

  void end_sending() override {
    SSL_shutdown(tls_);
    ERR_clear_error();
    Channel::end_sending();
  }

  [[nodiscard]] std::uint32_t awaited() const override {
    return SSL_want_read(tls_) ? EPOLLIN : EPOLLOUT;
  }
  [[nodiscard]] bool has_received_more() const override { return SSL_has_pending(tls_) == 1; }
  [[nodiscard]] bool is_stuck() const override { return stuck_; }

 private:
  // As of a system call.
  ssize_t outcome(int result) const {
    if (result > 0) return result;
    const int system_error = errno;
    switch (SSL_get_error(tls_, result)) {
      case SSL_ERROR_ZERO_RETURN:
        return 0;
      case SSL_ERROR_WANT_READ:
      case SSL_ERROR_WANT_WRITE:
        errno = EAGAIN;
        return -1;
      case SSL_ERROR_SYSCALL:
        if (ERR_peek_error() == 0 && system_error != 0) {
          errno = system_error;
          return -1;
        }
        [[fallthrough]];
      default:
        throw tls_failure("the server broke the protocol");
    }
  }

  SSL* tls_;
  bool stuck_ = false;
};

}  // namespace

bool can_speak_tls() { return true; }

Certificate make_certificate(const TemporaryFolder& folder) {
  const Key key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  require(key != nullptr, "EVP_EC_gen");
  const Bytes key_text(BIO_new(BIO_s_mem()), BIO_free), text(BIO_new(BIO_s_mem()), BIO_free);
  require(PEM_write_bio_PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr,
                                   nullptr) == 1,
          "PEM_write_bio_PrivateKey");
  require(PEM_write_bio_X509(text.get(), self_signed(key.get()).get()) == 1, "PEM_write_bio_X509");
  return {folder.write("certificate.pem", text_of(text)),
          folder.write("key.pem", text_of(key_text), TemporaryFolder::Readers::owner)};
}

// One suite and one curve, so that all servers do the same arithmetic; what came in is read at one
// go, and not the length of a record first.
TlsClients::TlsClients(const Certificate& trusted)
    : context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free) {
  SSL_CTX* const context = context_.get();
  require(context != nullptr, "SSL_CTX_new");
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  require(SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256") == 1, "the cipher suite");
  require(SSL_CTX_set1_groups_list(context, "X25519") == 1, "the curve");
  require(SSL_CTX_load_verify_file(context, trusted.certificate.c_str()) == 1, "the certificate");
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context, 1);
}

std::unique_ptr<Channel> TlsClients::client_on(Fd socket) const {
  SSL* const tls = SSL_new(context_.get());
  require(tls != nullptr, "SSL_new");
  const int on = 1;  // what follows the last message of the handshake is not to wait for its ACK
  setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return std::make_unique<TlsChannel>(std::move(socket), tls);
}

}  // namespace berth::bench
