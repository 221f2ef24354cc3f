#include "tls_end.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <system_error>

#include "certificates.hpp"
#include "temp_folder.hpp"
#include "wait_for.hpp"

namespace e2e {

namespace {

std::string words_of_openssl() {
  std::string words;
  while (const unsigned long error = ERR_get_error()) {
    const char* const reason = ERR_reason_error_string(error);
    words += (words.empty() ? "" : "; ") + std::string(reason != nullptr ? reason : "?");
  }
  return words.empty() ? "no reason given" : words;
}

void require(bool done) {
  if (!done) throw std::runtime_error("TLS of the test: " + words_of_openssl());
}

std::shared_ptr<SSL> make_ssl(const TlsWish& wish) {
  const std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  if (!wish.ca.empty()) {
    require(SSL_CTX_load_verify_file(context.get(), wish.ca.c_str()) == 1);
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  }
  if (!wish.certificate.empty()) {
    require(SSL_CTX_use_certificate_chain_file(context.get(), wish.certificate.c_str()) == 1);
    require(SSL_CTX_use_PrivateKey_file(context.get(), wish.key.c_str(), SSL_FILETYPE_PEM) == 1);
  }
  if (wish.max_version != 0) SSL_CTX_set_max_proto_version(context.get(), wish.max_version);
  if (!wish.ciphers.empty()) {
    require(SSL_CTX_set_cipher_list(context.get(), wish.ciphers.c_str()) == 1);
  }
  std::string protocols;
  for (const std::string& name : wish.alpn) {
    protocols += static_cast<char>(name.size());
    protocols += name;
  }
  if (!protocols.empty()) {
    SSL_CTX_set_alpn_protos(context.get(), reinterpret_cast<const unsigned char*>(protocols.data()),
                            static_cast<unsigned>(protocols.size()));
  }
  std::shared_ptr<SSL> made(SSL_new(context.get()), SSL_free);
  require(made != nullptr);
  SSL_set_connect_state(made.get());
  SSL_set_bio(made.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  if (wish.session) require(SSL_set_session(made.get(), wish.session.get()) == 1);
  return made;
}

}  // namespace

const TlsFiles& tls_files() {
  static const TempFolder folder;
  static const TlsFiles files = [] {
    const certificates::Authority authority("Authority of the tests");
    const certificates::Issued server = authority.issue();
    const certificates::Issued alice =
        authority.issue({.subject = {{"O", "Example"}, {"CN", "alice"}}});
    const auto put = [](const std::string& name, const std::string& text) {
      write_file(folder / name, text);
      std::filesystem::permissions(folder / name, std::filesystem::perms::owner_read);
      return (folder / name).string();
    };
    return TlsFiles{put("ca.pem", authority.certificate()),
                    put("server.pem", server.certificate),
                    put("server.key", server.key),
                    put("alice.pem", alice.certificate),
                    put("alice.key", alice.key),
                    folder.path().string()};
  }();
  return files;
}

std::string tls_keys(const std::string& further) {
  return "listen: tls://127.0.0.1:0\n    tls: {certificate: " + tls_files().certificate +
         ", key: " + tls_files().key + (further.empty() ? "" : ", " + further) + "}";
}

TlsEnd::TlsEnd(int socket, const TlsWish& wish) : socket_(socket), ssl_(make_ssl(wish)) {
  (void)carry_out([this] { return SSL_do_handshake(ssl_.get()); });
  const std::scoped_lock lock(mutex_);
  (void)move();
}

TlsEnd::~TlsEnd() = default;

bool TlsEnd::move() {
  BIO* const made = SSL_get_wbio(ssl_.get());
  std::array<char, 65536> buffer;
  for (int count; (count = BIO_read(made, buffer.data(), buffer.size())) > 0;) {
    out_.append(buffer.data(), static_cast<std::size_t>(count));
  }
  if (!out_.empty()) {
    const ssize_t sent = ::send(socket_, out_.data(), out_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) out_.erase(0, static_cast<std::size_t>(sent));
    if (sent < 0 && errno != EAGAIN) out_.clear();  // what comes in tells why
  }
  const ssize_t got = ::recv(socket_, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got > 0) BIO_write(SSL_get_rbio(ssl_.get()), buffer.data(), static_cast<int>(got));
  if (got == 0 || (got < 0 && errno != EAGAIN)) in_ended_ = true;
  return got > 0;
}

void TlsEnd::wait() const {
  pollfd polled{socket_, static_cast<short>(out_.empty() ? POLLIN : POLLIN | POLLOUT), 0};
  // Not for ever: another thread may have left something to be sent.
  (void)::poll(&polled, 1, 20);
}

void TlsEnd::fail(int result) {
  if (SSL_get_error(ssl_.get(), result) == SSL_ERROR_WANT_READ && in_ended_) {
    throw std::system_error(ECONNRESET, std::generic_category(), "cut off without close_notify");
  }
  throw std::runtime_error("TLS: " + words_of_openssl());
}

template <class Call>
int TlsEnd::carry_out(Call call) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  for (;;) {
    {
      const std::scoped_lock lock(mutex_);
      ERR_clear_error();
      const int result = call();
      const int error = SSL_get_error(ssl_.get(), result);
      if (error == SSL_ERROR_NONE) return result;
      if (error == SSL_ERROR_ZERO_RETURN) return 0;
      if (error != SSL_ERROR_WANT_READ) {
        const std::string words = words_of_openssl();
        (void)move();  // the alert
        throw std::runtime_error("TLS: " + words);
      }
      if (move()) continue;
      if (in_ended_ && BIO_pending(SSL_get_rbio(ssl_.get())) == 0) fail(result);
    }
    if (std::chrono::steady_clock::now() > end) throw std::runtime_error("TLS: nothing comes");
    wait();
  }
}

void TlsEnd::ask_for_keys(int times) {
  for (int i = 0; i < times; ++i) {
    (void)carry_out([this] {
      (void)SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_REQUESTED);
      return SSL_do_handshake(ssl_.get());
    });
    const std::scoped_lock lock(mutex_);
    (void)move();
  }
}

void TlsEnd::send(std::string_view bytes) {
  constexpr std::size_t kPiece = 65536;
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, kPiece);
    (void)carry_out(
        [&] { return SSL_write(ssl_.get(), piece.data(), static_cast<int>(piece.size())); });
    bytes.remove_prefix(piece.size());
    const auto end = std::chrono::steady_clock::now() + kPatience;
    for (;;) {
      {
        const std::scoped_lock lock(mutex_);
        (void)move();
        if (out_.empty()) break;
      }
      if (std::chrono::steady_clock::now() > end) throw std::runtime_error("nothing is taken");
      wait();
    }
  }
}

std::string TlsEnd::read_some(std::size_t at_most) {
  std::string bytes(at_most, '\0');
  const int count =
      carry_out([&] { return SSL_read(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())); });
  bytes.resize(static_cast<std::size_t>(count));
  return bytes;
}

bool TlsEnd::has_input() {
  const std::scoped_lock lock(mutex_);
  char byte;
  for (;;) {
    if (SSL_peek(ssl_.get(), &byte, 1) > 0) return true;
    if (!move()) return false;
  }
}

bool TlsEnd::is_closed() {
  if (has_input()) return false;
  const std::scoped_lock lock(mutex_);
  return in_ended_ || (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
}

void TlsEnd::close_write() {
  const std::scoped_lock lock(mutex_);
  (void)SSL_shutdown(ssl_.get());
  (void)move();
}

std::string TlsEnd::version() const { return SSL_get_version(ssl_.get()); }

std::string TlsEnd::protocol() const {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_.get(), &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

bool TlsEnd::resumed() const { return SSL_session_reused(ssl_.get()) == 1; }

std::shared_ptr<ssl_session_st> TlsEnd::session() const {
  return {SSL_get1_session(ssl_.get()), SSL_SESSION_free};
}

}  // namespace e2e
