#include "certificates.hpp"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <atomic>
#include <stdexcept>

namespace certificates {

namespace {

using Key = std::shared_ptr<EVP_PKEY>;
using Certificate = std::shared_ptr<X509>;
using Memory = std::unique_ptr<BIO, decltype(&BIO_free)>;

void require(bool done, const char* what) {
  if (!done) throw std::runtime_error(std::string("cannot make a certificate: ") + what);
}

std::string text_of(BIO* memory) {
  char* text = nullptr;
  const long size = BIO_get_mem_data(memory, &text);
  return {text, static_cast<std::size_t>(size)};
}

std::string pem_of(X509* certificate) {
  const Memory memory(BIO_new(BIO_s_mem()), BIO_free);
  require(PEM_write_bio_X509(memory.get(), certificate) == 1, "PEM");
  return text_of(memory.get());
}

std::string pem_of(EVP_PKEY* key) {
  const Memory memory(BIO_new(BIO_s_mem()), BIO_free);
  require(PEM_write_bio_PrivateKey(memory.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1,
          "PEM");
  return text_of(memory.get());
}

Key make_key(bool rsa) {
  Key key(rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256"), EVP_PKEY_free);
  require(key != nullptr, "key");
  return key;
}

void extend(X509* certificate, X509* issuer, int which, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, which, value);
  require(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1, value);
  X509_EXTENSION_free(extension);
}

// Without an issuer it issues itself.
Certificate make(const Wish& wish, EVP_PKEY* key, X509* issuer, EVP_PKEY* issuer_key,
                 bool is_authority) {
  static std::atomic<long> serial{1};
  Certificate made(X509_new(), X509_free);
  X509* const certificate = made.get();
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
  X509_gmtime_adj(X509_getm_notBefore(certificate), 86'400L * wish.first_day);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 86'400L * wish.last_day);
  X509_set_pubkey(certificate, key);
  X509_NAME* const name = X509_get_subject_name(certificate);
  for (const auto& [field, value] : wish.subject) {
    X509_NAME_add_entry_by_txt(name, field.c_str(), MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(value.c_str()), -1, -1, 0);
  }
  X509* const signer = issuer != nullptr ? issuer : certificate;
  X509_set_issuer_name(certificate, X509_get_subject_name(signer));
  extend(certificate, signer, NID_basic_constraints,
         is_authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
  extend(certificate, signer, NID_key_usage,
         is_authority ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature");
  extend(certificate, signer, NID_subject_key_identifier, "hash");
  if (issuer != nullptr) extend(certificate, signer, NID_authority_key_identifier, "keyid");
  if (!is_authority) {
    extend(certificate, signer, NID_ext_key_usage, "serverAuth,clientAuth");
    extend(certificate, signer, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:::1");
  }
  require(X509_sign(certificate, issuer_key, EVP_sha256()) > 0, "signature");
  return made;
}

}  // namespace

Authority::Authority(const std::string& name) : key_(make_key(false)) {
  own_ = make({.subject = {{"CN", name}}}, key_.get(), nullptr, key_.get(), true);
  certificate_ = pem_of(own_.get());
}

Authority Authority::intermediate(const std::string& name) const {
  Authority other;
  other.key_ = make_key(false);
  other.own_ = make({.subject = {{"CN", name}}}, other.key_.get(), own_.get(), key_.get(), true);
  other.certificate_ = pem_of(other.own_.get());
  return other;
}

Issued Authority::issue(const Wish& wish) const {
  const Key key = make_key(wish.rsa);
  const Certificate certificate = make(wish, key.get(), own_.get(), key_.get(), false);
  return {pem_of(certificate.get()), pem_of(key.get())};
}

std::string encrypted(const std::string& key) {
  const Memory in(BIO_new_mem_buf(key.data(), static_cast<int>(key.size())), BIO_free);
  const Key read(PEM_read_bio_PrivateKey(in.get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
  const Memory out(BIO_new(BIO_s_mem()), BIO_free);
  const unsigned char passphrase[] = "secret";
  require(PEM_write_bio_PrivateKey(out.get(), read.get(), EVP_aes_128_cbc(), passphrase,
                                   sizeof passphrase - 1, nullptr, nullptr) == 1,
          "PEM");
  return text_of(out.get());
}

}  // namespace certificates
