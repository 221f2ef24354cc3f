#include "config/tls_reader.hpp"

#include <vector>

#include "config/map_reader.hpp"
#include "config/value_reader.hpp"

namespace berth {

namespace {

// A name of a protocol travels behind one byte that tells its length (RFC 7301).
constexpr std::size_t kLongestProtocol = 255;

const KnownKeys& keys_of_tls() {
  static const KnownKeys known = {
      "'tls'",
      {"certificate", "key", "client_ca", "client_certificate", "alpn", "min_version", "ciphers",
       "ciphersuites"},
      {{"max_version", "there is no 'max_version': TLS 1.3 is always offered"},
       {"cert", "unknown key 'cert': write 'certificate'"},
       {"ca", "unknown key 'ca': the roots of clients' certificates are 'client_ca'"}}};
  return known;
}

class TlsReader {
 public:
  TlsReader(const YamlNode& node, const std::filesystem::path& folder, TlsSettings& settings,
            Diagnostics& problems)
      : keys_(node, keys_of_tls(), problems),
        folder_(folder),
        settings_(settings),
        problems_(problems) {}

  // Whether all of it was understood.
  [[nodiscard]] bool read() {
    read_file("certificate", "a file with a certificate", settings_.certificate);
    read_file("key", "a file with a private key", settings_.key);
    read_file("client_ca", "a file with certificates", settings_.client_ca);
    read_client_certificate();
    read_alpn();
    read_min_version();
    read_list("ciphers", settings_.ciphers, settings_.where.ciphers);
    read_list("ciphersuites", settings_.ciphersuites, settings_.where.ciphersuites);
    return keys_.is_map() && !keys_.is_unclear() && understood_;
  }

 private:
  // The value of a key; null if there is none. One that could not be had leaves doubts.
  const YamlNode* find(const char* key) {
    const YamlNode* const node = keys_.find(key);
    if (node == nullptr && keys_.attempted(key)) understood_ = false;
    return node;
  }

  void read_file(const char* key, const char* what, TlsFile& file) {
    const YamlNode* const node = find(key);
    if (node == nullptr) return;
    const auto text = read_text(*node, key, what, problems_);
    if (!text || text->find('\0') != std::string::npos) {
      if (text) problems_.add(node->where, "a path cannot have a NUL character in it");
      understood_ = false;
      return;
    }
    // Instead of the file one may well paste what is in it.
    if (text->find("-----BEGIN") != std::string::npos) {
      problems_.add(node->where, "'" + std::string(key) +
                                     "' is the path of a file, not what stands in it: a config is "
                                     "no place for keys");
      understood_ = false;
      return;
    }
    file.path = (folder_ / *text).lexically_normal();
    file.where = node->where;
  }

  void read_client_certificate() {
    const YamlNode* const node = find("client_certificate");
    if (node != nullptr) {
      const auto index = read_choice(*node, "client_certificate", {"required", "asked"}, problems_);
      if (!index) understood_ = false;
      settings_.client_certificate =
          index == std::size_t{1} ? ClientCertificate::asked : ClientCertificate::required;
    } else if (keys_.find("client_ca") != nullptr &&
               settings_.client_certificate == ClientCertificate::none) {
      settings_.client_certificate = ClientCertificate::required;
    }
  }

  void read_alpn() {
    const YamlNode* const node = find("alpn");
    if (node == nullptr) return;
    settings_.alpn.clear();
    for (const YamlNode* item :
         read_one_or_more(*node, "alpn", "the name of a protocol, like h2", problems_)) {
      const auto name = read_text(*item, "alpn", "the name of a protocol, like h2", problems_);
      if (name && name->size() <= kLongestProtocol) {
        settings_.alpn.push_back(*name);
        continue;
      }
      understood_ = false;
      if (name) {
        problems_.add(item->where, "the name of a protocol has at most " +
                                       std::to_string(kLongestProtocol) + " bytes, not " +
                                       std::to_string(name->size()));
      }
    }
    if (settings_.alpn.empty()) understood_ = false;
  }

  void read_min_version() {
    const YamlNode* const node = find("min_version");
    if (node == nullptr) return;
    const std::string given = node->kind == YamlNode::Kind::scalar ? node->scalar : "";
    for (const char* const old : {"1.0", "1.1", "1", "3.0", "ssl3"}) {
      if (given != old) continue;
      problems_.add(node->where,
                    "'min_version' is 1.2 or 1.3: what came before has been broken, "
                    "and is not offered (RFC 8996)");
      understood_ = false;
      return;
    }
    const auto index = read_choice(*node, "min_version", {"1.2", "1.3"}, problems_);
    if (!index) understood_ = false;
    if (index) settings_.min_version = *index == 0 ? TlsVersion::v1_2 : TlsVersion::v1_3;
  }

  void read_list(const char* key, std::string& list, Position& where) {
    const YamlNode* const node = find(key);
    if (node == nullptr) return;
    where = node->where;
    const auto text = read_text(*node, key, "a list of ciphers with ':' between them", problems_);
    if (text && text->find('\0') == std::string::npos) {
      list = *text;
      return;
    }
    if (text) problems_.add(node->where, "a cipher's name cannot have a NUL character in it");
    understood_ = false;
  }

  MapReader keys_;
  const std::filesystem::path& folder_;
  TlsSettings& settings_;
  Diagnostics& problems_;
  bool understood_ = true;
};

}  // namespace

bool read_tls(const YamlNode& node, const std::filesystem::path& folder,
              std::optional<TlsSettings>& settings, Diagnostics& problems) {
  if (!settings) settings.emplace();
  settings->where.all = node.where;
  return TlsReader(node, folder, *settings, problems).read();
}

std::string objection_to_tls(const TlsSettings& settings) {
  for (const auto& [file, key] :
       {std::pair(&settings.certificate, "certificate"), std::pair(&settings.key, "key")}) {
    if (file->path.empty()) {
      return "'tls' has no '" + std::string(key) +
             ":'; it needs both, as in tls: {certificate: chain.pem, key: key.pem}";
    }
  }
  if (settings.client_certificate != ClientCertificate::none && settings.client_ca.path.empty()) {
    return "'client_certificate' needs 'client_ca:', the file with the roots by which clients' "
           "certificates are verified";
  }
  if (settings.min_version == TlsVersion::v1_3 && !settings.ciphers.empty()) {
    return "'ciphers' are those of TLS 1.2, which 'min_version: 1.3' does not offer: those of TLS "
           "1.3 are 'ciphersuites'";
  }
  return "";
}

}  // namespace berth
