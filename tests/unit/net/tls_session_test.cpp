// Two ends of TLS in one memory, without a socket.
#include "net/tls_session.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "certificates.hpp"
#include "net/tls_client.hpp"
#include "net/tls_server.hpp"

namespace berth {
namespace {

using Step = TlsSession::Step;

const certificates::Authority& authority() {
  static const certificates::Authority made("Authority of the tests");
  return made;
}

TlsSettings settings_with(const certificates::Issued& issued) {
  TlsSettings settings;
  settings.certificate = {"own.pem", {2, 3}, Secret(issued.certificate)};
  settings.key = {"own.key", {3, 3}, Secret(issued.key)};
  return settings;
}

// One end: what has come in is what the other has sent.
struct End final : TlsTransport {
  std::string in, out;
  std::size_t at_a_time = 1 << 20;
  std::size_t take_in(char* to, std::size_t most) override {
    const std::size_t count = in.copy(to, std::min(most, at_a_time));
    in.erase(0, count);
    return count;
  }
  void give_out(std::string_view bytes) override { out += bytes; }
};

TlsContext client_context() {
  TlsClientSettings anybody;
  anybody.verify = false;
  return std::move(make_client_context(anybody).value());
}

struct Two {
  explicit Two(const TlsSettings& settings)
      : contexts{std::move(make_server_context(settings).value()), client_context()},
        server(contexts.server, of_server),
        client(contexts.client, of_client) {}

  // Hands over at most so many bytes each way.
  bool pass_on(std::size_t most = 1 << 20) {
    const auto move = [&](std::string& from, std::string& to) {
      const std::size_t count = std::min(most, from.size());
      to += from.substr(0, count);
      from.erase(0, count);
      return count > 0;
    };
    const bool one = move(of_client.out, of_server.in), other = move(of_server.out, of_client.in);
    return one || other;
  }
  Step shake_hands(std::size_t most = 1 << 20) {
    Step of_one = Step::wants_input, of_other = Step::wants_input;
    do {
      of_one = client.handshake();
      of_other = server.handshake();
      if (of_one == Step::failed || of_other == Step::failed) return Step::failed;
    } while (pass_on(most));
    return of_one == Step::done ? of_other : of_one;
  }
  // All that the server can read by now, as text.
  std::string read(Step& last) {
    std::string all(100'000, '\0');
    std::size_t filled = 0, count = 0;
    while ((last = server.read(all.data() + filled, all.size() - filled, count)) == Step::done) {
      filled += count;
    }
    return all.substr(0, filled);
  }

  struct {
    TlsContext server, client;
  } contexts;
  End of_server, of_client;
  TlsSession server, client;
};

TEST_CASE("a handshake succeeds however few bytes of it come at a time") {
  for (const std::size_t most : {1, 2, 5, 6, 100, 100'000}) {
    CAPTURE(most);
    Two two(settings_with(authority().issue()));
    CHECK(two.shake_hands(most) == Step::done);
    CHECK(two.server.version() == "TLSv1.3");
  }
}

TEST_CASE("a record arrives wherever it is split") {
  Two two(settings_with(authority().issue()));
  REQUIRE(two.shake_hands() == Step::done);
  const std::string word = "spam, eggs, ham and jam";
  std::size_t size = 0;
  for (std::size_t at = 0; at == 0 || at < size; ++at) {
    REQUIRE(two.client.write(word) == Step::done);
    const std::string record = std::exchange(two.of_client.out, {});
    size = record.size();
    Step last = Step::done;
    two.of_server.in = record.substr(0, at);
    CHECK(two.read(last).empty());
    CHECK(last == Step::wants_input);
    two.of_server.in += record.substr(at);
    CHECK(two.read(last) == word);
    CHECK(last == Step::wants_input);
  }
  CHECK(size > word.size());
}

TEST_CASE("of a record that there is no room for the rest is told to be there") {
  Two two(settings_with(authority().issue()));
  REQUIRE(two.shake_hands() == Step::done);
  REQUIRE(two.client.write("spam and eggs") == Step::done);
  two.pass_on();
  char room[4];
  std::size_t count = 0;
  REQUIRE(two.server.read(room, sizeof room, count) == Step::done);
  CHECK(std::string(room, count) == "spam");
  CHECK(two.server.has_rest());
  CHECK(two.of_server.in.empty());
  Step last = Step::done;
  CHECK(two.read(last) == " and eggs");
  CHECK_FALSE(two.server.has_rest());
}

TEST_CASE("the end of a stream is told apart from its being cut off, and the other way goes on") {
  Two two(settings_with(authority().issue()));
  REQUIRE(two.shake_hands() == Step::done);
  Step last = Step::done;
  CHECK(two.read(last).empty());
  CHECK(last == Step::wants_input);  // what comes to an end here has been cut off
  REQUIRE(two.client.write("last words") == Step::done);
  two.client.close_write();
  two.pass_on();
  CHECK(two.read(last) == "last words");
  CHECK(last == Step::ended);
  REQUIRE(two.server.write("and mine") == Step::done);
  two.pass_on();
  char room[20];
  std::size_t count = 0;
  REQUIRE(two.client.read(room, sizeof room, count) == Step::done);
  CHECK(std::string(room, count) == "and mine");
}

TEST_CASE("a byte that was changed on the way is the end of it") {
  Two two(settings_with(authority().issue()));
  REQUIRE(two.shake_hands() == Step::done);
  REQUIRE(two.client.write("word") == Step::done);
  two.of_client.out.back() = static_cast<char>(two.of_client.out.back() ^ 1);
  two.pass_on();
  Step last = Step::done;
  CHECK(two.read(last).empty());
  CHECK(last == Step::failed);
  CHECK(two.server.failure().text() == "decryption failed or bad record mac");
  CHECK_FALSE(two.of_server.out.empty());  // the alert
  CHECK(two.server.write("x") == Step::failed);
}

TEST_CASE("what is no TLS fails in words of OpenSSL") {
  Two two(settings_with(authority().issue()));
  two.of_server.in = "GET / HTTP/1.1\r\n\r\n";
  CHECK(two.server.handshake() == Step::failed);
  CHECK(two.server.failure().text() == "http request");
  CHECK(TlsFailure().text() == "");
  CHECK(TlsFailure::of_certificate(10).text() ==
        "certificate verify failed: certificate has expired");
  CHECK(TlsFailure::of_reason(1 << 20).text() == "a failure within OpenSSL");
}

TEST_CASE("many clients' authorities are more than one buffer of a handshake, and it succeeds") {
  TlsSettings settings = settings_with(authority().issue());
  std::string many;
  for (int i = 0; i < 400; ++i) {
    many +=
        certificates::Authority("Authority with a rather long name, number " + std::to_string(i))
            .certificate();
  }
  settings.client_ca = {"many.pem", {}, Secret(many)};
  settings.client_certificate = ClientCertificate::asked;
  Two two(settings);
  CHECK(two.shake_hands() == Step::done);
}

TEST_CASE("a warmed up context serves as before") {
  const auto context = make_server_context(settings_with(authority().issue()));
  REQUIRE(context);
  warm_up(context.value());
  Two two(settings_with(authority().issue({.rsa = true})));
  CHECK(two.shake_hands() == Step::done);
  CHECK(two.server.peer_subject() == "");
}

std::string mistakes(const TlsSettings& settings) {
  std::string all;
  for (const TlsMistake& mistake : mistakes_in(settings)) all += mistake.message + "\n";
  return all;
}

bool has(const std::string& text, const std::string& words) {
  return text.find(words) != std::string::npos;
}

TEST_CASE("settings that can be served with have no mistakes") {
  CHECK(mistakes(settings_with(authority().issue())) == "");
  CHECK(mistakes(settings_with(authority().issue({.rsa = true}))) == "");
  const certificates::Authority between = authority().intermediate("Between");
  certificates::Issued chain = between.issue();
  chain.certificate += between.certificate();
  CHECK(mistakes(settings_with(chain)) == "");
  TlsSettings settings = settings_with(chain);
  settings.ciphers = "ECDHE+AESGCM:!aNULL:ECDHE-RSA-AES256-SHA384:@STRENGTH";
  settings.ciphersuites = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384";
  CHECK(mistakes(settings) == "");
}

TEST_CASE("each mistake in certificates, keys and ciphers is told with its file") {
  const certificates::Issued issued = authority().issue();
  TlsSettings settings = settings_with(issued);
  std::string words;
  SUBCASE("another's key") {
    settings.key.text = Secret(authority().issue().key);
    words = "own.key has another key than the certificate in own.pem (CN=localhost) is for";
  }
  SUBCASE("expired") {
    settings = settings_with(authority().issue({.first_day = -9, .last_day = -1}));
    words = "own.pem has a certificate that has expired (CN=localhost, on ";
  }
  SUBCASE("not valid yet") {
    settings = settings_with(authority().issue({.first_day = 2}));
    words = "own.pem has a certificate that is not valid yet (CN=localhost, from ";
  }
  SUBCASE("no certificate") {
    settings.certificate.text = Secret(issued.key);
    words = "own.pem has no certificate in it";
  }
  SUBCASE("half a certificate") {
    settings.certificate.text = Secret(issued.certificate.substr(0, 200));
    words = "own.pem has a certificate that cannot be read (number 1 in it)";
  }
  SUBCASE("no key") {
    settings.key.text = Secret(issued.certificate);
    words = "own.key has no private key in it";
  }
  SUBCASE("a key with a passphrase") {
    settings.key.text = Secret(certificates::encrypted(issued.key));
    words = "own.key is encrypted with a passphrase";
  }
  SUBCASE("the wrong order") {
    const certificates::Authority between = authority().intermediate("Between");
    const certificates::Issued leaf = between.issue();
    settings.certificate.text = Secret(between.certificate() + leaf.certificate);
    settings.key.text = Secret(leaf.key);
    words = "own.pem is not in order: certificate 2 in it (CN=localhost) has not issued";
  }
  SUBCASE("an unknown cipher among known ones") {
    settings.ciphers = "ECDHE-RSA-AES128-GCM-SHA256:ECHDE-RSA-AES256-GCM-SHA384";
    words = "there is no cipher 'ECHDE-RSA-AES256-GCM-SHA384'";
  }
  SUBCASE("nothing left") {
    settings.ciphers = "AES128-SHA:!AES128-SHA";
    words = "'AES128-SHA:!AES128-SHA' leaves no cipher (no cipher match)";
  }
  SUBCASE("a cipher that encrypts nothing") {
    settings.ciphers = "ECDHE-RSA-AES128-GCM-SHA256:NULL-SHA256:@SECLEVEL=0";
    words = "has NULL-SHA256, which encrypts nothing";
  }
  SUBCASE("a cipher without a certificate") {
    settings.ciphers = "ECDHE-RSA-AES128-GCM-SHA256:ADH-AES128-GCM-SHA256:@SECLEVEL=0";
    words = "has ADH-AES128-GCM-SHA256, which has no certificate";
  }
  SUBCASE("an unknown suite") {
    settings.ciphersuites = "TLS_AES_128_GCM_SHA256:TLS_AES_512_GCM_SHA999";
    words = "there is no cipher 'TLS_AES_512_GCM_SHA999'";
  }
  SUBCASE("roots of nobody") {
    settings.client_ca = {"roots.pem", {}, Secret("none")};
    settings.client_certificate = ClientCertificate::asked;
    words = "roots.pem has no certificate in it";
  }
  CHECK_MESSAGE(has(mistakes(settings), words), mistakes(settings));
}

TEST_CASE("a worker that starts again serves with a certificate that has expired meanwhile") {
  const auto expired = authority().issue({.first_day = -9, .last_day = -1});
  CHECK(make_server_context(settings_with(expired)));
}

}  // namespace
}  // namespace berth
