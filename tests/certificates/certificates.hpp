// An authority that issues certificates for one run of the tests: none, and no key, lies in a file
// of the project's, where it would expire or be taken for one to be used.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

struct evp_pkey_st;
struct x509_st;

namespace certificates {

// In PEM form.
struct Issued {
  std::string certificate, key;
};

struct Wish {
  std::vector<std::pair<std::string, std::string>> subject = {{"CN", "localhost"}};
  int first_day = -1, last_day = 30;  // from today on
  bool rsa = false;                   // else ECDSA with P-256
};

class Authority {
 public:
  explicit Authority(const std::string& name);
  // One that this one has issued, and that issues others.
  [[nodiscard]] Authority intermediate(const std::string& name) const;

  [[nodiscard]] const std::string& certificate() const { return certificate_; }
  // For localhost, 127.0.0.1 and ::1.
  [[nodiscard]] Issued issue(const Wish& wish = {}) const;

 private:
  Authority() = default;

  std::shared_ptr<evp_pkey_st> key_;
  std::shared_ptr<x509_st> own_;
  std::string certificate_;
};

// The same key in PEM form, encrypted with a passphrase.
[[nodiscard]] std::string encrypted(const std::string& key);

}  // namespace certificates
