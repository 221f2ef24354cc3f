#include "net/tls_session.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <new>

#include "net/address_text.hpp"
#include "net/tls_pem.hpp"

namespace berth {

namespace {

// Why a call has failed, of which the queue of errors may have more than one word to say: that of
// TLS itself is what people look for.
TlsFailure failure_of(const SSL* session) {
  int reason = 0;
  while (const unsigned long error = ERR_get_error()) {
    if (ERR_GET_LIB(error) == ERR_LIB_SSL) reason = ERR_GET_REASON(error);
  }
  if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
    return TlsFailure::of_certificate(SSL_get_verify_result(session));
  }
  return TlsFailure::of_reason(reason);
}

// SSL_get_error(3) wants the queue of errors to be empty before what it is asked about. To look is
// cheaper than to empty it.
void forget_errors() {
  if (ERR_peek_error() != 0) ERR_clear_error();
}

// More than any handshake takes. Afterwards TLS lets the other side ask for new keys, or for
// another handshake, as often as it likes: each takes little to ask for and much to answer.
constexpr unsigned kMostHandshakeMessages = 32;

}  // namespace

void TlsSession::Free::operator()(ssl_st* session) const { SSL_free(session); }

TlsSession::TlsSession(const TlsContext& context, TlsTransport& transport)
    : end_{.transport = &transport}, ssl_(SSL_new(context.get())) {
  BIO* const bio = ssl_ ? make_transport_bio(context.transport(), end_) : nullptr;
  if (bio == nullptr) {
    ERR_clear_error();
    throw std::bad_alloc();
  }
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_msg_callback(ssl_.get(), on_message);
  SSL_set_msg_callback_arg(ssl_.get(), this);
  context.side() == TlsContext::Side::server ? SSL_set_accept_state(ssl_.get())
                                             : SSL_set_connect_state(ssl_.get());
}

TlsSession::~TlsSession() = default;

void TlsSession::expect(const std::string& host) {
  // Neither fails but for want of memory; if one did, anybody's certificate would do.
  const bool is_expected =
      family_of(host) != AF_UNSPEC
          ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), host.c_str()) == 1
          : SSL_set_tlsext_host_name(ssl_.get(), host.c_str()) == 1 &&
                SSL_set1_host(ssl_.get(), host.c_str()) == 1;
  if (!is_expected) throw std::bad_alloc();
}

void TlsSession::on_message(int is_ours, int, int content, const void*, std::size_t, ssl_st*,
                            void* session) {
  if (is_ours != 0 || content != SSL3_RT_HANDSHAKE) return;
  ++static_cast<TlsSession*>(session)->handshake_messages_;
}

TlsSession::Step TlsSession::conclude(int result) {
  if (end_.failed) throw std::bad_alloc();
  if (result > 0) return Step::done;
  const int error = SSL_get_error(ssl_.get(), result);
  switch (error) {
    case SSL_ERROR_WANT_READ:
      return Step::wants_input;
    case SSL_ERROR_ZERO_RETURN:
      return Step::ended;
    default:
      failure_ = failure_of(ssl_.get());
      return Step::failed;
  }
}

TlsSession::Step TlsSession::handshake() {
  if (failure_) return Step::failed;
  forget_errors();
  return conclude(SSL_do_handshake(ssl_.get()));
}

TlsSession::Step TlsSession::read(char* to, std::size_t room, std::size_t& count) {
  if (failure_) return Step::failed;
  forget_errors();
  const Step step = conclude(SSL_read_ex(ssl_.get(), to, room, &count));
  if (step == Step::done) handshake_messages_ = 0;
  if (handshake_messages_ <= kMostHandshakeMessages) return step;
  failure_ = TlsFailure::of_endless_handshakes();
  return Step::failed;
}

bool TlsSession::has_rest() const { return SSL_pending(ssl_.get()) > 0; }

TlsSession::Step TlsSession::write(std::string_view bytes) {
  if (failure_) return Step::failed;
  forget_errors();
  std::size_t written = 0;
  // The transport takes all there is, so that this never stops halfway.
  return conclude(SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &written));
}

void TlsSession::close_write() {
  if (failure_ || SSL_in_init(ssl_.get()) != 0) return;
  forget_errors();
  (void)SSL_shutdown(ssl_.get());
  if (end_.failed) throw std::bad_alloc();
}

std::string TlsSession::peer_subject() const {
  const X509* const certificate = SSL_get0_peer_certificate(ssl_.get());
  if (certificate == nullptr) return "";
  return subject_of(certificate);
}

std::string TlsSession::version() const { return SSL_get_version(ssl_.get()); }

bool TlsSession::resumed() const { return SSL_session_reused(ssl_.get()) == 1; }

std::string TlsSession::protocol() const {
  const unsigned char* name = nullptr;
  unsigned length = 0;
  SSL_get0_alpn_selected(ssl_.get(), &name, &length);
  return {reinterpret_cast<const char*>(name), length};
}

}  // namespace berth
