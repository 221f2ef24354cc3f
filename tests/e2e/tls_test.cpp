// TLS: who is let in and who is not, what each is told, and what becomes of certificates over
// reloads. What is said over it stands in the tests of conversations.
#include <doctest/doctest.h>
#include <openssl/tls1.h>
#include <signal.h>
#include <sys/stat.h>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "certificates.hpp"
#include "client.hpp"
#include "command.hpp"
#include "host_process.hpp"
#include "models.hpp"
#include "processes.hpp"
#include "temp_folder.hpp"
#include "tested_build.hpp"
#include "tls_end.hpp"
#include "wait_for.hpp"

using namespace e2e;

namespace {

Config with_tls(const std::string& model, const std::string& further = "",
                const std::string& key = "workers: 1") {
  return one_listener(model, "probe", {key, tls_keys(further)});
}

std::string asking_for(const std::string& how) {
  return "client_ca: " + tls_files().ca + ", client_certificate: " + how;
}

TlsWish alice() {
  TlsWish wish;
  wish.certificate = tls_files().alice;
  wish.key = tls_files().alice_key;
  return wish;
}

// What a client is told that wishes this, up to its first reply.
std::string refusal(std::uint16_t port, const TlsWish& wish) {
  try {
    Client client(port, wish);
    return "it was served: " + client.ask("id");
  } catch (const std::exception& refused) {
    return refused.what();
  }
}

std::string end_of(HostProcess& host, const std::string& words) {
  return host.log().wait_for(words).text;
}

}  // namespace

TEST_CASE_TEMPLATE("a client that knows the host shakes hands the short way, with whichever worker",
                   Model, EACH_MODEL) {
  HostProcess host(with_tls(Model::name, "", "workers: 2"));
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    CAPTURE(version);
    TlsWish wish;
    wish.max_version = version;
    Client first(host.port(), wish);
    CHECK_FALSE(first.tls().resumed());
    CHECK(first.ask("listener") == "it");
    wish.session = first.tls().session();
    for (int i = 0; i < 8; ++i) {
      Client again(host.port(), wish);
      CHECK(again.ask("listener") == "it");
      CHECK(again.tls().resumed());
    }
  }
}

TEST_CASE_TEMPLATE("a client whose certificate is required is let in with it, and named by it",
                   Model, EACH_MODEL) {
  HostProcess host(with_tls(Model::name, asking_for("required")));
  Client client(host.port(), alice());
  CHECK(client.ask("peer") == client.address() + " (CN=alice,O=Example)");
  CHECK(has(refusal(host.port(), TlsWish()), "certificate required"));
  CHECK(has(end_of(host, "peer did not return a certificate"), " ended: 0 B in, 0 B out, "));
  // A session that is resumed is still hers.
  TlsWish wish = alice();
  wish.session = client.tls().session();
  Client again(host.port(), wish);
  CHECK(again.ask("peer") == again.address() + " (CN=alice,O=Example)");
  CHECK(again.tls().resumed());
}

TEST_CASE("a client whose certificate is asked for may have none, but no wrong one") {
  HostProcess host(with_tls("epoll", asking_for("asked")));
  Client nobody(host.port(), TlsWish());
  CHECK(nobody.ask("peer") == nobody.address());
  Client known(host.port(), alice());
  CHECK(known.ask("peer") == known.address() + " (CN=alice,O=Example)");

  const certificates::Authority other("Another authority");
  const certificates::Issued mallory = other.issue({.subject = {{"CN", "mallory"}}});
  write_file(host.folder() / "mallory.pem", mallory.certificate);
  write_file(host.folder() / "mallory.key", mallory.key);
  TlsWish wish;
  wish.certificate = host.folder() / "mallory.pem";
  wish.key = host.folder() / "mallory.key";
  CHECK(has(refusal(host.port(), wish), "unknown ca"));
  CHECK(has(end_of(host, "TLS: certificate verify failed: "), "unable to get local issuer"));
}

TEST_CASE("a certificate whose name would forge a line of the log is written harmlessly") {
  const certificates::Authority authority("An authority of anybody's");
  const certificates::Issued forger =
      authority.issue({.subject = {{"CN", "x\n2026-01-01 error, forged"}}});
  const TempFolder folder;
  write_file(folder / "ca.pem", authority.certificate());
  write_file(folder / "forger.pem", forger.certificate);
  write_file(folder / "forger.key", forger.key);
  HostProcess host(with_tls("epoll", "client_ca: " + (folder / "ca.pem").string()));
  TlsWish wish;
  wish.certificate = folder / "forger.pem";
  wish.key = folder / "forger.key";
  Client client(host.port(), wish);
  CHECK(client.ask("peer") == client.address() + " (CN=x\\0A2026-01-01 error\\, forged)");
}

TEST_CASE("clients that verify the host see that it is the one") {
  HostProcess host(with_tls("epoll"));
  const certificates::Authority other("Another authority");
  write_file(host.folder() / "other.pem", other.certificate());
  TlsWish wish;
  wish.ca = host.folder() / "other.pem";
  CHECK(has(refusal(host.port(), wish), "certificate verify failed"));
  CHECK(has(end_of(host, "TLS: tlsv1 alert unknown ca"), " ended: "));
}

TEST_CASE(
    "a protocol is agreed upon where both name it, and a client without a common one refused") {
  HostProcess host(with_tls("epoll", "alpn: [h2, http/1.1]"));
  const auto agreed = [&](std::vector<std::string> names) {
    TlsWish wish;
    wish.alpn = std::move(names);
    Client client(host.port(), wish);
    CHECK(client.ask("listener") == "it");
    return client.tls().protocol();
  };
  CHECK(agreed({"http/1.1", "h2"}) == "h2");  // the host's liking counts
  CHECK(agreed({"spdy/3", "http/1.1"}) == "http/1.1");
  CHECK(agreed({}) == "");
  TlsWish wish;
  wish.alpn = {"spdy/3"};
  CHECK(has(refusal(host.port(), wish), "no application protocol"));
  CHECK(has(end_of(host, "TLS: no application protocol"), " ended: "));
}

TEST_CASE("versions and ciphers are those that the config says") {
  Config config;
  config.listener("usual", "epoll", "probe", {tls_keys()});
  config.listener("new", "epoll", "probe", {tls_keys("min_version: '1.3'")});
  config.listener("old", "epoll", "probe",
                  {tls_keys("ciphers: ECDHE-ECDSA-AES256-SHA384, "
                            "ciphersuites: TLS_CHACHA20_POLY1305_SHA256")});
  HostProcess host(config);
  TlsWish wish;
  wish.max_version = TLS1_2_VERSION;
  CHECK(Client(host.port("usual"), wish).tls().version() == "TLSv1.2");
  CHECK(has(refusal(host.port("new"), wish), "protocol version"));
  CHECK(Client(host.port("new"), TlsWish()).tls().version() == "TLSv1.3");
  // What has no authenticated encryption is offered where it is asked for alone.
  wish.ciphers = "ECDHE-ECDSA-AES256-SHA384";
  CHECK(has(refusal(host.port("usual"), wish), "handshake failure"));
  CHECK(has(end_of(host, "TLS: no shared cipher"), " ended: "));
  CHECK(Client(host.port("old"), wish).ask("listener") == "old");
  CHECK(Client(host.port("old"), TlsWish()).ask("listener") == "old");
}

TEST_CASE("berth send speaks TLS, and trusts only whom it is told to") {
  HostProcess host(one_listener("epoll", "echo", {"options: {reply: verbatim}", tls_keys()}));
  const std::string address = "tls://localhost:" + std::to_string(host.port());
  for (const std::string& word : {std::string("spam"), std::string(100'000, 'x')}) {
    const Outcome answered = berth({"send", "--ca", tls_files().ca, address, word});
    CHECK(answered.status == 0);
    CHECK(answered.out == "Client received: '" + word + "'\n");
  }
  CHECK(berth({"send", "--insecure", "-n", "5", address, "a", "b"}).status == 0);
  const Outcome refused = berth({"send", address, "spam"});
  CHECK(refused.status == 1);
  CHECK(has(refused.err, "certificate verify failed: "));
  CHECK(has(refused.err, "--ca FILE"));
  CHECK(berth({"send", "--insecure", "localhost", "spam"}).status == 64);
}

TEST_CASE("a socket of a service manager's speaks TLS where its listener does") {
  HostProcess host(one_listener("epoll", "probe", {tls_keys()}),
                   {.by = {BERTH_WITH_SOCKETS, "it"}, .environment = {}});
  CHECK(Client(host.port(), TlsWish()).ask("listener") == "it");
}

TEST_CASE_TEMPLATE("a client that does not shake hands in time is sent away", Model, EACH_MODEL) {
  HostProcess host(with_tls(Model::name, "", "handshake_timeout: 3s"));
  Client silent(host.port());
  Client slow(host.port());
  slow.send("\x16\x03\x01\x02");  // the begin of a ClientHello, and no more of it
  for (Client* client : {&silent, &slow}) {
    const std::string words = client->address() + " ended: ";
    client->wait_until_closed();
    CHECK(has(end_of(host, words), "(handshake_timeout)"));
  }
  CHECK(Client(host.port(), TlsWish()).ask("listener") == "it");
}

TEST_CASE_TEMPLATE("a client that does not speak TLS is sent away", Model, EACH_MODEL) {
  HostProcess host(with_tls(Model::name));
  Client web(host.port());
  web.send("GET / HTTP/1.0\r\n\r\n");
  web.wait_until_closed();
  CHECK(has(end_of(host, "TLS: http request"), " ended: 0 B in, 0 B out, "));
  Client other(host.port());
  other.send("hello, is anybody there?\n");
  other.wait_until_closed();
  CHECK(has(end_of(host, "TLS: wrong version number"), " ended: 0 B in, 0 B out, "));
  Client scanner(host.port());
  scanner.close();
  CHECK(has(end_of(host, "TLS: the other side closed during the handshake"), " ended: "));
  CHECK(Client(host.port(), TlsWish()).ask("listener") == "it");
}

TEST_CASE_TEMPLATE("a stream that is cut off is not taken for one that has ended", Model,
                   EACH_MODEL) {
  HostProcess host(with_tls(Model::name));
  Client client(host.port(), TlsWish());
  CHECK(client.ask("id") == "1");
  client.cut_sending();
  // The host's own side ends as it should.
  CHECK(client.read_to_end().empty());
  CHECK(has(end_of(host, "ended without close_notify"), "connection 1 from "));
  Client polite(host.port(), TlsWish());
  CHECK(polite.ask("listener") == "it");
  polite.finish_sending();
  CHECK(polite.read_to_end().empty());
  CHECK(has(end_of(host, "closed by the client"), " ended: "));
}

TEST_CASE_TEMPLATE("hundreds of clients at once are all served", Model, OnTls<Fork>, OnTls<Thread>,
                   OnTls<Epoll>, OnTls<IoUring>) {
  HostProcess host(one_listener(Model::name, "echo",
                                {"options: {reply: verbatim}", tls_keys(), as_this_user()}));
  std::vector<Client> clients;
  const int count = tested_build().sanitized ? 100 : 500;
  for (int i = 0; i < count; ++i) clients.emplace_back(host.port(), TlsWish());
  for (int round = 0; round < 2; ++round) {
    for (std::size_t i = 0; i < clients.size(); ++i) clients[i].send(numbered("client", i));
    std::size_t answered = 0;
    for (std::size_t i = 0; i < clients.size(); ++i) {
      const std::string word = numbered("client", i);
      if (clients[i].read_exactly(word.size()) == word) ++answered;
    }
    CHECK(answered == clients.size());
  }
}

TEST_CASE_TEMPLATE("a drain waits for clients with TLS and ends their streams in order", Model,
                   EACH_MODEL) {
  HostProcess host(with_tls(Model::name));
  Client client(host.port(), TlsWish());
  CHECK(client.ask("id") == "1");
  host.send_signal(SIGTERM);
  host.log().wait_for("draining: 1 connections");
  CHECK(client.ask("stopping") == "yes");
  client.finish_sending();
  CHECK(client.read_to_end().empty());
  CHECK(host.wait_for_exit() == 0);
}

TEST_CASE_TEMPLATE("the drain's deadline ends sessions with TLS, shaken hands or not", Model,
                   EACH_MODEL) {
  CHECK(counts_once([] {
    HostProcess host(with_tls(Model::name, "", "drain_timeout: 200ms"));
    Client silent(host.port());
    host.log().wait_for("connection 1 from ");
    Client client(host.port(), TlsWish());
    CHECK(client.ask("listener") == "it");
    CHECK(host.stop(SIGTERM) == 0);
    if (host.has_killed_sessions()) return false;
    CHECK(host.log().count("did not end when cancelled") == 0);
    CHECK(host.log().count("cut at the end of the drain") == 2);
    return true;
  }));
}

namespace {

// A host whose certificate lies beside its config.
struct Renewed {
  explicit Renewed(const std::string& further = "") : authority("An authority") {
    put(authority.issue({.subject = {{"CN", "first"}}}));
    write_file(folder / "ca.pem", authority.certificate());
    config.top(further.empty() ? "drain_timeout: 5s" : further);
    config.listener("it", "epoll", "probe",
                    {"listen: tls://127.0.0.1:0",
                     "tls: {certificate: " + path("own.pem") + ", key: " + path("own.key") + "}"});
  }
  [[nodiscard]] std::string path(const std::string& name) const { return folder / name; }
  void put(const certificates::Issued& issued) const {
    write_file(folder / "new.key", issued.key);
    write_file(folder / "new.pem", issued.certificate);
    ::chmod(path("new.key").c_str(), 0600);
    std::filesystem::rename(folder / "new.key", folder / "own.key");
    std::filesystem::rename(folder / "new.pem", folder / "own.pem");
  }
  [[nodiscard]] TlsWish wish() const {
    TlsWish wish;
    wish.ca = path("ca.pem");
    return wish;
  }

  TempFolder folder;
  certificates::Authority authority;
  Config config;
};

}  // namespace

TEST_CASE("a reload takes up a certificate that was renewed, and leaves alone one that was not") {
  Renewed renewed;
  HostProcess host(renewed.config);
  Client before(host.port(), renewed.wish());
  CHECK(before.ask("id") == "1");
  CHECK(host.command({"reload"}).status == 0);
  host.log().wait_for("listeners: 0 changed, 0 new, 0 gone, 1 untouched");

  renewed.put(renewed.authority.issue({.subject = {{"CN", "second"}}}));
  CHECK(host.command({"reload"}).status == 0);
  host.log().wait_for("listeners: 1 changed");
  host.log().wait_for("draining: 1 connections");
  Client after(host.port(), renewed.wish());
  CHECK(after.ask("id") == "1");   // of another worker
  CHECK(before.ask("id") == "1");  // who still serves whom it served
  CHECK(before.ask("stopping") == "yes");
}

TEST_CASE("a certificate that cannot be used changes nothing, and the old one serves on") {
  Renewed renewed;
  HostProcess host(renewed.config);
  const pid_t worker = host.worker();
  host.expect_error("nothing has been changed");
  std::string words;
  SUBCASE("it has expired") {
    renewed.put(renewed.authority.issue({.first_day = -20, .last_day = -1}));
    words = "own.pem has a certificate that has expired (CN=localhost, on ";
  }
  SUBCASE("the key is another one's") {
    write_file(renewed.folder / "own.key", renewed.authority.issue().key);
    words = "own.key has another key than the certificate in ";
  }
  SUBCASE("there is nothing in it") {
    write_file(renewed.folder / "own.pem", "");
    words = "own.pem is empty";
  }
  SUBCASE("it is gone") {
    std::filesystem::remove(renewed.folder / "own.pem");
    words = "own.pem: No such file or directory";
  }
  host.expect_error(words);
  const Outcome outcome = host.command({"reload"});
  CHECK(outcome.status == 1);
  CHECK(has(outcome.err, words));
  CHECK(host.worker() == worker);
  CHECK(Client(host.port(), renewed.wish()).ask("id") == "1");
  // A worker that has to be started again has what was checked, not what lies there now.
  host.allow_error("was killed by SIGKILL");
  ::kill(worker, SIGKILL);
  CHECK(wait_until([&] { return host.worker() != worker; }));
  CHECK(Client(host.port(), renewed.wish()).ask("id") == "1");
}

TEST_CASE("with `watch` a renewed certificate is taken up by itself") {
  Renewed renewed("watch: true");
  HostProcess host(renewed.config);
  renewed.put(renewed.authority.issue({.subject = {{"CN", "second"}}}));
  host.log().wait_for("generation 2 serves; listeners: 1 changed");
  CHECK(Client(host.port(), renewed.wish()).ask("id") == "1");
}

TEST_CASE("an upgrade carries certificates over, and their keys are nowhere in the log") {
  Renewed renewed;
  HostProcess host(renewed.config);
  Client before(host.port(), renewed.wish());
  CHECK(before.ask("id") == "1");
  const std::string key = contents(renewed.folder / "own.key");
  CHECK(host.command({"upgrade"}).status == 0);
  host.log().wait_for("draining: 1 connections");
  CHECK(before.ask("stopping") == "yes");
  CHECK(Client(host.port(), renewed.wish()).ask("id") == "1");
  CHECK_FALSE(has(host.log().whole(), key.substr(30, 40)));
  CHECK_FALSE(has(host.command({"status", "--json"}).out, key.substr(30, 40)));
}

TEST_CASE("a worker that the new binary cannot replace goes on with TLS when it starts again") {
  Renewed renewed;
  HostProcess host(renewed.config);
  CHECK(host.command({"upgrade"}).status == 0);
  const pid_t worker = host.worker();
  host.expect_error("was killed by SIGKILL");
  ::kill(worker, SIGKILL);
  CHECK(wait_until([&] { return host.worker() != worker; }));
  CHECK(Client(host.port(), renewed.wish()).ask("id") == "1");
}

TEST_CASE("the key of one listener is not in the memory of another's worker") {
  Renewed renewed;
  renewed.config.listener("other", "epoll", "probe");
  HostProcess host(renewed.config);
  // From the middle, where no other key of that kind is the same.
  const std::string key = contents(renewed.folder / "own.key").substr(100, 40);
  const auto has_key = [&](pid_t pid) {
    std::ifstream maps("/proc/" + std::to_string(pid) + "/maps");
    std::ifstream memory("/proc/" + std::to_string(pid) + "/mem", std::ios::binary);
    for (std::string line; std::getline(maps, line);) {
      unsigned long begin = 0, end = 0;
      char mode[5] = "";
      if (std::sscanf(line.c_str(), "%lx-%lx %4s", &begin, &end, mode) != 3) continue;
      if (mode[0] != 'r' || end - begin > (64UL << 20)) continue;
      std::string bytes(end - begin, '\0');
      memory.clear();
      memory.seekg(static_cast<std::streamoff>(begin));
      memory.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
      if (has(bytes, key)) return true;
    }
    return false;
  };
  CHECK(has_key(host.pid()));
  CHECK_FALSE(has_key(host.worker("other")));
  CHECK_FALSE(has_key(host.worker("it")));  // wiped there once it was used
}
