// Certificates and keys out of PEM texts. Private to net/tls_*.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace berth {

struct FreeCertificate {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
using Certificate = std::unique_ptr<X509, FreeCertificate>;
struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using PrivateKey = std::unique_ptr<EVP_PKEY, FreeKey>;

// All that stand in it, at least one, in their order. The errors here are the ends of sentences
// that begin with the name of a file.
[[nodiscard]] Result<std::vector<Certificate>> certificates_in(std::string_view text);
// The first that stands in it.
[[nodiscard]] Result<PrivateKey> key_in(std::string_view text);

// "CN=localhost"; in the form of RFC 2253.
[[nodiscard]] std::string subject_of(const X509* certificate);
// Why OpenSSL has refused what it was last asked for, in its words; empties its list of errors.
[[nodiscard]] std::string last_words();

}  // namespace berth
