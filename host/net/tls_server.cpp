#include "net/tls_server.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <memory>
#include <new>
#include <utility>

#include "net/tls_client.hpp"
#include "net/tls_pem.hpp"
#include "net/tls_session.hpp"

namespace berth {

namespace {

using In = TlsMistake::In;

// Sessions of another service than this are not resumed here (man 3
// SSL_CTX_set_session_id_context); the keys of tickets see to it that those of another listener are
// not.
constexpr std::string_view kSessionContext = "berth";

// "Jun  1 12:00:00 2026 GMT"
std::string text_of(const ASN1_TIME* time) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> memory(BIO_new(BIO_s_mem()), BIO_free);
  if (!memory) throw std::bad_alloc();
  (void)ASN1_TIME_print(memory.get(), time);
  char* text = nullptr;
  const long length = BIO_get_mem_data(memory.get(), &text);
  return length > 0 ? std::string(text, static_cast<std::size_t>(length)) : "";
}

// Makes a context and notes whatever is wrong on the way.
class Maker {
 public:
  explicit Maker(const TlsSettings& settings) : settings_(settings) {
    SSL_CTX* const context = context_.get();
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);  // tickets do
    (void)SSL_CTX_set_session_id_context(
        context, reinterpret_cast<const unsigned char*>(kSessionContext.data()),
        static_cast<unsigned>(kSessionContext.size()));
    if (settings.min_version == TlsVersion::v1_3) {
      (void)SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
    }
    context_.set_alpn(settings.alpn);
    take_certificate();
    take_key();
    take_client_ca();
    take_ciphers();
  }

  // Beyond what it takes to make it.
  void check_dates() {
    for (const Certificate& certificate : chain_) {
      check_dates(In::certificate, settings_.certificate, certificate.get());
    }
    for (const Certificate& certificate : client_ca_) {
      check_dates(In::client_ca, settings_.client_ca, certificate.get());
    }
  }

  [[nodiscard]] std::vector<TlsMistake> mistakes() && { return std::move(mistakes_); }
  [[nodiscard]] Result<TlsContext> context() && {
    if (!mistakes_.empty()) return Error{mistakes_.front().message};
    return std::move(context_);
  }

 private:
  void note(In in, const TlsFile& file, const std::string& what) {
    mistakes_.push_back({in, file.path.string() + " " + what});
  }

  void take_certificate() {
    auto chain = certificates_in(settings_.certificate.text.text());
    if (!chain) return note(In::certificate, settings_.certificate, chain.error().message);
    chain_ = std::move(*chain);
    for (std::size_t i = 1; i < chain_.size(); ++i) check_order(i);
    if (SSL_CTX_use_certificate(context_.get(), chain_.front().get()) != 1) {
      return note(In::certificate, settings_.certificate,
                  "has a certificate that cannot be used: " + last_words());
    }
    for (std::size_t i = 1; i < chain_.size(); ++i) {
      if (SSL_CTX_add1_chain_cert(context_.get(), chain_[i].get()) == 1) continue;
      note(In::certificate, settings_.certificate,
           "has a certificate that cannot be used (number " + std::to_string(i + 1) +
               " in it): " + last_words());
    }
  }

  void check_order(std::size_t i) {
    if (X509_check_issued(chain_[i].get(), chain_[i - 1].get()) == X509_V_OK) return;
    note(In::certificate, settings_.certificate,
         "is not in order: certificate " + std::to_string(i + 1) + " in it (" +
             subject_of(chain_[i].get()) + ") has not issued the one before it (" +
             subject_of(chain_[i - 1].get()) +
             "); the listener's own comes first, then the one that issued it, and so on");
  }

  void take_key() {
    const auto key = key_in(settings_.key.text.text());
    if (!key) return note(In::key, settings_.key, key.error().message);
    if (chain_.empty()) return;
    if (X509_check_private_key(chain_.front().get(), key.value().get()) != 1) {
      ERR_clear_error();
      return note(In::key, settings_.key,
                  "has another key than the certificate in " + settings_.certificate.path.string() +
                      " (" + subject_of(chain_.front().get()) + ") is for");
    }
    if (SSL_CTX_use_PrivateKey(context_.get(), key.value().get()) != 1) {
      note(In::key, settings_.key, "has a key that cannot be used: " + last_words());
    }
  }

  void take_client_ca() {
    if (settings_.client_certificate == ClientCertificate::none) return;
    auto roots = certificates_in(settings_.client_ca.text.text());
    if (!roots) return note(In::client_ca, settings_.client_ca, roots.error().message);
    client_ca_ = std::move(*roots);
    X509_STORE* const store = SSL_CTX_get_cert_store(context_.get());
    for (const Certificate& root : client_ca_) {
      if (X509_STORE_add_cert(store, root.get()) != 1 ||
          SSL_CTX_add_client_CA(context_.get(), root.get()) != 1) {
        throw std::bad_alloc();
      }
    }
    const bool required = settings_.client_certificate == ClientCertificate::required;
    SSL_CTX_set_verify(context_.get(),
                       SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), nullptr);
  }

  void take_ciphers() {
    if (!settings_.ciphers.empty()) {
      take_list(In::ciphers, settings_.ciphers, SSL_CTX_set_cipher_list,
                "'ciphers' are those of TLS 1.2 in words of OpenSSL, with ':' between them, and "
                "openssl ciphers -v -tls1_2 lists them");
    }
    if (!settings_.ciphersuites.empty()) {
      take_list(In::ciphersuites, settings_.ciphersuites, SSL_CTX_set_ciphersuites,
                "'ciphersuites' are those of TLS 1.3: TLS_AES_128_GCM_SHA256, "
                "TLS_AES_256_GCM_SHA384, TLS_CHACHA20_POLY1305_SHA256, with ':' between them");
    }
  }

  // OpenSSL passes over names that it does not know as long as there is one that it knows: so each
  // is tried alone.
  void take_list(In in, const std::string& list, int (*set)(SSL_CTX*, const char*),
                 const std::string& remedy) {
    TlsContext trial(TlsContext::Side::server);
    for (std::size_t begin = 0; begin <= list.size();) {
      const std::size_t end = std::min(list.find_first_of(":, ", begin), list.size());
      std::string name = list.substr(begin, end - begin);
      begin = end + 1;
      const bool is_command = !name.empty() && name.front() == '@';
      name.erase(0, name.find_first_not_of("!-+"));
      if (name.empty() || is_command || set(trial.get(), name.c_str()) == 1) continue;
      ERR_clear_error();
      mistakes_.push_back({in, "there is no cipher '" + name.append("': ") + remedy});
      return;
    }
    if (set(context_.get(), list.c_str()) == 1) return refuse_unprotected(in, list, remedy);
    mistakes_.push_back({in, "'" + list + "' leaves no cipher (" + last_words() + "): " + remedy});
  }

  // What encrypts nothing, or asks nobody who he is, is no TLS, and only in a list by mistake.
  void refuse_unprotected(In in, const std::string& list, const std::string& remedy) {
    const STACK_OF(SSL_CIPHER)* const all = SSL_CTX_get_ciphers(context_.get());
    for (int i = 0; i < sk_SSL_CIPHER_num(all); ++i) {
      const SSL_CIPHER* const cipher = sk_SSL_CIPHER_value(all, i);
      const bool is_plain = SSL_CIPHER_get_cipher_nid(cipher) == NID_undef;
      if (!is_plain && SSL_CIPHER_get_auth_nid(cipher) != NID_auth_null) continue;
      std::string message = "'" + list + "' has ";
      message.append(SSL_CIPHER_get_name(cipher));
      message += is_plain ? ", which encrypts nothing: " : ", which has no certificate: ";
      mistakes_.push_back({in, message + remedy});
      return;
    }
  }

  void check_dates(In in, const TlsFile& file, const X509* certificate) {
    const ASN1_TIME* const begin = X509_get0_notBefore(certificate);
    const ASN1_TIME* const end = X509_get0_notAfter(certificate);
    if (X509_cmp_current_time(end) < 0) {
      note(in, file,
           "has a certificate that has expired (" + subject_of(certificate) + ", on " +
               text_of(end) + "): renew it");
    } else if (X509_cmp_current_time(begin) > 0) {
      note(in, file,
           "has a certificate that is not valid yet (" + subject_of(certificate) + ", from " +
               text_of(begin) + " on): is the clock right?");
    }
  }

  const TlsSettings& settings_;
  TlsContext context_{TlsContext::Side::server};
  std::vector<Certificate> chain_, client_ca_;
  std::vector<TlsMistake> mistakes_;
};

// One end of two in the same memory.
class Loop final : public TlsTransport {
 public:
  explicit Loop(std::string& in, std::string& out) : in_(in), out_(out) {}
  std::size_t take_in(char* to, std::size_t most) override {
    const std::size_t count = in_.copy(to, most);
    in_.erase(0, count);
    return count;
  }
  void give_out(std::string_view bytes) override { out_ += bytes; }

 private:
  std::string& in_;
  std::string& out_;
};

}  // namespace

std::vector<TlsMistake> mistakes_in(const TlsSettings& settings) {
  Maker maker(settings);
  maker.check_dates();
  return std::move(maker).mistakes();
}

Result<TlsContext> make_server_context(const TlsSettings& settings) {
  return Maker(settings).context();
}

void set_ticket_keys(TlsContext& context, std::string_view keys) {
  // It takes them as they are, and writes nothing there.
  (void)SSL_CTX_set_tlsext_ticket_keys(context.get(), const_cast<char*>(keys.data()),
                                       static_cast<long>(keys.size()));
}

void warm_up(const TlsContext& context) {
  TlsClientSettings anybody;
  anybody.verify = false;
  auto peer = make_client_context(anybody);
  if (!peer) return;
  std::string to_server, to_client;
  Loop server_end(to_server, to_client), client_end(to_client, to_server);
  TlsSession server(context, server_end), client(peer.value(), client_end);
  // Where it comes to nothing (a certificate of the client is required), most of it was done.
  for (int rounds = 0; rounds < 4; ++rounds) {
    if (client.handshake() == TlsSession::Step::failed) break;
    if (server.handshake() == TlsSession::Step::failed) break;
  }
}

}  // namespace berth
