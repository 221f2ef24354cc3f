// `tls:` in a config: what it comes to, and each mistake at its place.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "certificates.hpp"
#include "config/check_tls.hpp"
#include "config/load.hpp"
#include "scratch.hpp"

namespace berth {
namespace {

namespace fs = std::filesystem;
using testing::load;

std::string listener(const std::string& listen, const std::string& rest = "") {
  return "listeners:\n  - name: a\n    listen: " + listen +
         "\n    model: fork\n    handler: echo\n" + rest;
}

TEST_CASE("what `tls:` says is what a listener has") {
  const auto loaded = load(listener("tls://h:1",
                                    "    tls:\n      certificate: own.pem\n      key: /k/own.key\n"
                                    "      client_ca: ../ca.pem\n      alpn: [h2, http/1.1]\n"
                                    "      min_version: 1.3\n      ciphersuites: A:B\n"));
  REQUIRE(loaded.mistakes == "");
  const TlsSettings& tls = *loaded.settings.listeners.at(0).tls;
  CHECK(tls.certificate.path == "/nonexistent-berth/conf/own.pem");
  CHECK(tls.key.path == "/k/own.key");
  CHECK(tls.client_ca.path == "/nonexistent-berth/ca.pem");
  CHECK(tls.client_certificate == ClientCertificate::required);
  CHECK(tls.alpn == std::vector<std::string>{"h2", "http/1.1"});
  CHECK(tls.min_version == TlsVersion::v1_3);
  CHECK(tls.ciphersuites == "A:B");
}

TEST_CASE("`tls:` of the defaults is for those listeners that have a use for it, key by key") {
  const auto loaded = load(
      "defaults: {model: fork, handler: echo, tls: {certificate: a.pem, key: a.key}}\n"
      "listeners:\n"
      "  - {name: one, listen: 'tls://h:1'}\n"
      "  - {name: two, listen: 'tls://h:2', tls: {key: b.key, alpn: x}}\n"
      "  - {name: three, listen: 'tcp://h:3'}\n");
  REQUIRE(loaded.mistakes == "");
  CHECK(loaded.settings.listeners[0].tls->key.path.filename() == "a.key");
  CHECK(loaded.settings.listeners[1].tls->certificate.path.filename() == "a.pem");
  CHECK(loaded.settings.listeners[1].tls->key.path.filename() == "b.key");
  CHECK_FALSE(loaded.settings.listeners[2].tls);
}

TEST_CASE("each mistake in `tls:` is told at its place") {
  const std::string good = "certificate: c, key: k";
  const auto check = [&](const std::string& yaml, const std::string& expected) {
    CAPTURE(yaml);
    CHECK(load(yaml).mistakes == expected);
  };
  const auto tls = [&](const std::string& keys) {
    return listener("tls://h:1", "    tls: {" + keys + "}\n");
  };
  check(listener("tls://h:1"),
        "3:13: tls://h:1 needs a certificate: add tls: {certificate: chain.pem, key: key.pem} to "
        "the listener, or to 'defaults:'\n");
  check(listener("tcp://h:1", "    tls: {" + good + "}\n"),
        "6:10: 'tls' means nothing without an address that begins with tls://: tcp://h:1 is served "
        "without it\n");
  check(tls("key: k"),
        "6:10: listener 'a': 'tls' has no 'certificate:'; it needs both, as in tls: {certificate: "
        "chain.pem, key: key.pem}\n");
  check(tls(good + ", client_certificate: asked"),
        "6:10: listener 'a': 'client_certificate' needs 'client_ca:', the file with the roots by "
        "which clients' certificates are verified\n");
  check(tls(good + ", client_ca: ca, client_certificate: maybe"),
        "6:70: 'client_certificate' must be 'required' or 'asked', not 'maybe'\n");
  check(tls(good + ", min_version: '1.1'"),
        "6:48: 'min_version' is 1.2 or 1.3: what came before has been broken, and is not offered "
        "(RFC 8996)\n");
  check(tls(good + ", min_version: 1.3, ciphers: X"),
        "6:10: listener 'a': 'ciphers' are those of TLS 1.2, which 'min_version: 1.3' does not "
        "offer: those of TLS 1.3 are 'ciphersuites'\n");
  check(tls(good + ", cert: x"), "6:35: unknown key 'cert': write 'certificate'\n");
  check(listener("tls://h:1", "    tls: true\n"),
        "6:10: 'tls' is a map of 'key: value' lines, not text\n");
  check(listener("[tcp://h:1, tls://h:1]", "    tls: {" + good + "}\n"),
        "3:25: tls://h:1 is listened on in line 3 already, as tcp://h:1\n");
  check(listener("tls://h:1",
                 "    tls:\n      key: k\n      certificate: |\n"
                 "        -----BEGIN CERTIFICATE-----\n"),
        "8:20: 'certificate' is the path of a file, not what stands in it: a config is no place "
        "for keys\n");
}

// A file of this mode in it.
fs::path put(const testing::Scratch& folder, const std::string& name, const std::string& text,
             mode_t mode = 0600) {
  fs::path file = folder.file(name, text);
  ::chmod(file.c_str(), mode);
  return file;
}

struct Checked {
  std::string problems, warnings;
  ConfigFiles files;
};

Checked check(const std::string& certificate, const std::string& key,
              const std::string& further = "") {
  HostSettings settings = load(listener("tls://h:1", "    tls: {certificate: " + certificate +
                                                         ", key: " + key + further + "}\n"))
                              .settings;
  Diagnostics problems("f"), warnings("f");
  Checked checked;
  checked.files = read_tls_files(settings, problems, warnings);
  check_tls(settings, problems);
  checked.problems = problems.to_text();
  checked.warnings = warnings.to_text();
  return checked;
}

bool has(const std::string& text, const std::string& words) {
  return text.find(words) != std::string::npos;
}

TEST_CASE("files are read and tried, and what is wrong with them is told where they are named") {
  const certificates::Authority authority("Authority");
  const certificates::Issued one = authority.issue(), two = authority.issue();
  const testing::Scratch folder;
  const fs::path certificate = put(folder, "a.pem", one.certificate),
                 key = put(folder, "a.key", one.key), other = put(folder, "b.key", two.key),
                 empty = put(folder, "empty", "");
  const Checked good = check(certificate, key);
  CHECK(good.problems == "");
  CHECK(good.warnings == "");
  CHECK(good.files.size() == 2);
  CHECK(good.files.at(key).text() == one.key);
  CHECK(has(check(certificate, other).problems, "other key than the certificate in"));
  CHECK(has(check(certificate, empty).problems, "empty is empty\n"));
  // One that is missing in the config is the reader's to tell.
  CHECK(check(certificate, key, ", client_certificate: required").problems == "");
  CHECK(has(check(certificate, "/nonexistent").problems, "cannot read /nonexistent: No such file"));
  CHECK(has(check("/tmp", key).problems, "f:6:24: /tmp is a folder; give a file\n"));
  CHECK(has(check("/dev/zero", key).problems, "/dev/zero is not a regular file\n"));
}

TEST_CASE("a key that everybody may read is served with, and warned of") {
  const certificates::Issued issued = certificates::Authority("Authority").issue();
  const testing::Scratch folder;
  const fs::path certificate = put(folder, "a.pem", issued.certificate, 0644);
  const Checked open = check(certificate, put(folder, "open.key", issued.key, 0644));
  CHECK(open.problems == "");
  CHECK(has(open.warnings,
            "open.key has a private key, and every user of this machine may open "
            "it (mode 0644): chmod o= "));
  CHECK(check(certificate, put(folder, "group.key", issued.key, 0640)).warnings == "");
}

TEST_CASE("files that were checked before are filled in, whatever lies there now") {
  HostSettings settings =
      load(listener("tls://h:1", "    tls: {certificate: /c, key: /k}\n")).settings;
  Diagnostics problems("f");
  fill_in_tls_files(settings, {{"/c", Secret("C")}, {"/k", Secret("K")}}, problems);
  CHECK(problems.empty());
  CHECK(settings.listeners[0].tls->key.text.text() == "K");
  fill_in_tls_files(settings, {{"/c", Secret("C")}}, problems);
  CHECK(has(problems.to_text(), "/k was not passed on with the config"));
}

}  // namespace
}  // namespace berth
