#include "net/tls_client.hpp"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <cerrno>
#include <new>
#include <utility>

#include "base/fd.hpp"
#include "base/secret.hpp"
#include "net/tls_pem.hpp"

namespace berth {

namespace {

constexpr std::size_t kLongestFile = std::size_t{4} << 20;  // a system's whole store is 200 KiB

Result<Secret> contents_of(const std::filesystem::path& file) {
  const Fd opened(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!opened) return system_error("cannot open " + file.string(), errno);
  auto text = Secret::read(opened.get(), kLongestFile);
  if (!text) return Error{"cannot read " + file.string() + ": " + text.error().message};
  return text;
}

Error wrong(const std::filesystem::path& file, const Error& why) {
  return Error{file.string() + " " + why.message};
}

Result<void> trust(SSL_CTX* context, const std::filesystem::path& file) {
  if (file.empty()) {
    if (SSL_CTX_set_default_verify_paths(context) == 1) return {};
    return Error{"the system's certificates cannot be read: " + last_words()};
  }
  const auto text = contents_of(file);
  if (!text) return text.error();
  const auto roots = certificates_in(text.value().text());
  if (!roots) return wrong(file, roots.error());
  X509_STORE* const store = SSL_CTX_get_cert_store(context);
  // Whatever stands there is trusted, be it a root or not.
  (void)X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
  for (const Certificate& root : roots.value()) {
    if (X509_STORE_add_cert(store, root.get()) != 1) throw std::bad_alloc();
  }
  return {};
}

Result<void> identify(SSL_CTX* context, const std::filesystem::path& certificate,
                      const std::filesystem::path& key_file) {
  const auto text = contents_of(certificate);
  if (!text) return text.error();
  const auto chain = certificates_in(text.value().text());
  if (!chain) return wrong(certificate, chain.error());
  const auto key_text = contents_of(key_file);
  if (!key_text) return key_text.error();
  const auto key = key_in(key_text.value().text());
  if (!key) return wrong(key_file, key.error());
  bool taken = SSL_CTX_use_certificate(context, chain.value().front().get()) == 1;
  for (std::size_t i = 1; taken && i < chain.value().size(); ++i) {
    taken = SSL_CTX_add1_chain_cert(context, chain.value()[i].get()) == 1;
  }
  if (!taken) return Error{certificate.string() + " cannot be used: " + last_words()};
  if (SSL_CTX_use_PrivateKey(context, key.value().get()) != 1) {
    return Error{key_file.string() + " does not go with " + certificate.string() + ": " +
                 last_words()};
  }
  return {};
}

}  // namespace

Result<TlsContext> make_client_context(const TlsClientSettings& settings) {
  TlsContext made(TlsContext::Side::client);
  SSL_CTX* const context = made.get();
  if (settings.verify) {
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    if (auto trusted = trust(context, settings.ca); !trusted) return trusted.error();
  }
  if (!settings.certificate.empty()) {
    const auto& key = settings.key.empty() ? settings.certificate : settings.key;
    if (auto known = identify(context, settings.certificate, key); !known) return known.error();
  }
  return made;
}

}  // namespace berth
