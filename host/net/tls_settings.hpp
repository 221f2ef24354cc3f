// What a listener says of TLS: plain values, with the texts of the files that it names. Nothing of
// OpenSSL is known here, so that the supervisor, which keeps these, need not know it.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "base/secret.hpp"
#include "base/source.hpp"

namespace berth {

// A file in PEM form, read once, by who checks the config.
struct TlsFile {
  std::filesystem::path path;  // absolute; empty: none is said
  Position where;              // where the config says it
  Secret text;
  // The same if it says the same, wherever it lies.
  bool operator==(const TlsFile& other) const { return text == other.text; }
};

enum class TlsVersion { v1_2, v1_3 };
// Whether clients are to show a certificate. One that is shown has to be good in either case.
enum class ClientCertificate { none, asked, required };

struct TlsSettings {
  TlsFile certificate;  // the listener's own, and those between it and a root
  TlsFile key;
  TlsFile client_ca;  // the roots of clients' certificates
  ClientCertificate client_certificate = ClientCertificate::none;
  std::vector<std::string> alpn;  // names of protocols, the best first; none: whatever clients say
  TlsVersion min_version = TlsVersion::v1_2;
  std::string ciphers;       // for TLS 1.2, as OpenSSL writes them; empty: the default
  std::string ciphersuites;  // for TLS 1.3

  struct Places {
    Position all;  // where `tls:` stands
    Position ciphers, ciphersuites;
    bool operator==(const Places&) const { return true; }
  } where;

  bool operator==(const TlsSettings&) const = default;
};

// Of what a listener's workers share to encrypt what clients are to be known by again.
inline constexpr std::size_t kTicketKeySize = 80;

}  // namespace berth
