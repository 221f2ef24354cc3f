// The proxy handler: clients handed on to servers, which come and go.
#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

#include "client.hpp"
#include "command.hpp"
#include "host_process.hpp"
#include "models.hpp"
#include "temp_folder.hpp"
#include "upstream.hpp"

using namespace e2e;

namespace {

Config proxy_to(const std::string& model, const std::string& upstreams,
                const std::string& further = "") {
  return one_listener(model, "proxy", {"options: {upstream: [" + upstreams + "]" + further + "}"});
}

// A proxy before an echo server of the same host.
template <class Model>
Config proxy_to_echo() {
  static int count = 0;
  const std::string address =
      "unix://@berth-e2e-" + std::to_string(::getpid()) + "-" + std::to_string(++count);
  Config config = one_listener_of<Model>("proxy", "options: {upstream: ['" + address + "']}");
  config.listener("echo", Model::name, "echo",
                  {"listen: '" + address + "'", "options: {reply: verbatim}"});
  return config;
}

}  // namespace

TEST_CASE_TEMPLATE("10 MB pass a proxy both ways byte for byte, and their end after them", Model,
                   EACH_MODEL_AND_TRANSPORT) {
  HostProcess host(proxy_to_echo<Model>());
  Client client = host.connect<Model>();
  const std::string sent = bytes_of_all_values(10'000'000);
  std::thread sender([&] {
    client.send(sent);
    client.finish_sending();
  });
  const std::string received = client.read_to_end();
  sender.join();
  CHECK(received.size() == sent.size());
  CHECK((received == sent));
}

TEST_CASE_TEMPLATE("200 clients at once pass a proxy", Model, EACH_MODEL) {
  constexpr std::size_t kClients = 200;
  HostProcess host(proxy_to_echo<Model>());
  std::vector<Client> clients;
  for (std::size_t i = 0; i < kClients; ++i) clients.emplace_back(host.port());
  for (std::size_t i = 0; i < kClients; ++i) clients[i].send(numbered("client", i) + "\n");
  for (std::size_t i = 0; i < kClients; ++i) {
    REQUIRE(clients[i].read_line() == numbered("client", i));
  }
}

TEST_CASE_TEMPLATE("each side of a proxy can end for itself", Model, EACH_MODEL) {
  const Upstream upstream;
  HostProcess host(proxy_to(Model::name, upstream.url()));
  Client first(host.port());
  Client first_server = upstream.accept();
  first.send("question");
  first.finish_sending();
  CHECK(first_server.read_to_end() == "question");
  first_server.send("answer");
  CHECK(first.read_exactly(6) == "answer");
  first_server.close();
  CHECK(first.read_to_end().empty());

  Client second(host.port());
  Client second_server = upstream.accept();
  second_server.send("greeting");
  second_server.finish_sending();
  CHECK(second.read_to_end() == "greeting");
  second.send("thanks");
  CHECK(second_server.read_exactly(6) == "thanks");
  second.close();
  CHECK(second_server.read_to_end().empty());
  host.log().wait_for(" ended: ", 2);
}

TEST_CASE_TEMPLATE("a client that resets closes the way to a silent server", Model, EACH_MODEL) {
  const Upstream upstream;
  HostProcess host(proxy_to(Model::name, upstream.url()));
  Client client(host.port());
  Client server = upstream.accept();
  client.send("hello");
  CHECK(server.read_exactly(5) == "hello");
  client.reset();
  server.wait_until_closed();
  host.log().wait_for(" ended: ");
}

TEST_CASE_TEMPLATE("a server that resets closes its silent client", Model, EACH_MODEL) {
  const Upstream upstream;
  HostProcess host(proxy_to(Model::name, upstream.url()));
  Client client(host.port());
  Client server = upstream.accept();
  server.send("hello");
  CHECK(client.read_exactly(5) == "hello");
  server.reset();
  client.wait_until_closed();
  host.log().wait_for(" ended: ");
}

TEST_CASE_TEMPLATE("a server that is silent when its client has finished is given up", Model,
                   EACH_MODEL) {
  const Upstream upstream;
  HostProcess host(proxy_to(Model::name, upstream.url(), ", finish_timeout: 100ms"));
  Client waiting(host.port());
  Client its_server = upstream.accept();
  Client client(host.port());
  Client server = upstream.accept();
  client.send("question");
  client.finish_sending();
  CHECK(server.read_to_end() == "question");
  client.wait_until_closed();
  server.wait_until_closed();
  waiting.send("still");  // for it has not finished
  CHECK(its_server.read_exactly(5) == "still");
}

TEST_CASE_TEMPLATE("a server that resets ends what waits for it to be taken", Model, EACH_MODEL) {
  const Upstream upstream;
  HostProcess host(proxy_to(Model::name, upstream.url()));
  Client client(host.port());
  Client server = upstream.accept();
  const std::string bytes(1'000'000, 'x');
  while (client.send_what_fits(bytes) > 0) {
  }
  server.reset();
  client.wait_until_closed();
  host.log().wait_for(" ended: ");
}

TEST_CASE_TEMPLATE("a server that refuses is passed over, and by later clients not tried", Model,
                   EACH_MODEL) {
  const Upstream dead(Upstream::down);
  const Upstream alive;
  HostProcess host(proxy_to(Model::name, dead.url() + ", " + alive.url(), ", retry_after: 1h"));
  for (std::size_t i = 0; i < 4; ++i) {
    Client client(host.port());
    Client server = alive.accept();
    server.send("here");
    CHECK(client.read_exactly(4) == "here");
  }
  dead.listen();
  Client last(host.port());
  (void)alive.accept();
  CHECK(host.log().count("upstream " + dead.url() + ": Connection refused") == 1);
}

TEST_CASE_TEMPLATE("a server that is back takes its turn again", Model, EACH_MODEL) {
  const Upstream upstream(Upstream::down);
  HostProcess host(proxy_to(Model::name, upstream.url(), ", retry_after: 1h"));
  Client early(host.port());
  early.wait_until_closed();
  upstream.listen();
  for (std::size_t i = 0; i < 2; ++i) {
    Client client(host.port());
    (void)upstream.accept();
    client.wait_until_closed();
  }
  CHECK(host.log().count("upstream " + upstream.url() + " is back") == 1);
}

TEST_CASE_TEMPLATE("a client that no server accepts is closed, and the log says why", Model,
                   EACH_MODEL) {
  const Upstream first(Upstream::down);
  const Upstream second(Upstream::down);
  HostProcess host(proxy_to(Model::name, first.url() + ", " + second.url()));
  for (std::size_t i = 0; i < 3; ++i) Client(host.port()).wait_until_closed();
  const LogLine line = host.log().wait_for("closed, since no upstream accepts it");
  CHECK(line.level == "warn");
  CHECK(has(line.text, first.url() + ": Connection refused"));
  CHECK(has(line.text, second.url() + ": Connection refused"));
}

TEST_CASE_TEMPLATE("a server that does not accept in time is passed over", Model, EACH_MODEL) {
  const Upstream full(0);
  Client waiting(full.port());  // which fills its queue, and then the kernel answers no more
  const Upstream alive;
  HostProcess host(
      proxy_to(Model::name, full.url() + ", " + alive.url(), ", connect_timeout: 100ms"));
  Client client(host.port());
  Client other(host.port());
  (void)alive.accept();
  (void)alive.accept();
  host.log().wait_for("upstream " + full.url() + ": Connection timed out");
}

TEST_CASE_TEMPLATE("servers take turns", Model, EACH_MODEL) {
  const Upstream first;
  const Upstream second;
  HostProcess host(proxy_to(Model::name, first.url() + ", " + second.url()));
  std::vector<Client> clients;
  for (std::size_t i = 0; i < 4; ++i) clients.emplace_back(host.port());
  for (const Upstream* upstream : {&first, &second, &first, &second}) {
    (void)upstream->accept();
  }
}

TEST_CASE_TEMPLATE("a drain lets what passes a proxy go on, until its deadline", Model,
                   EACH_MODEL) {
  const Upstream upstream;
  HostProcess host(proxy_to(Model::name, upstream.url()).top("drain_timeout: 5s"));
  Client client(host.port());
  Client server = upstream.accept();
  Client other(host.port());
  Client other_server = upstream.accept();
  host.send_signal(SIGTERM);
  host.log().wait_for("draining: 2 connections");
  client.send("still");
  CHECK(server.read_exactly(5) == "still");
  server.send("here");
  CHECK(client.read_exactly(4) == "here");
  client.close();
  CHECK(server.read_to_end().empty());
  server.close();
  other.wait_until_closed();
  other_server.wait_until_closed();
  CHECK(host.wait_for_exit() == 0);
  CHECK(host.log().wait_for_end());
  CHECK(host.log().count("cut at the end of the drain") == 1);
}

TEST_CASE("a proxy to what is no address is a mistake of the config, told at its line") {
  const std::vector<std::string> addresses = {"127.0.0.1:80",  "tcp://127.0.0.1",   "tcp://:80",
                                              "udp://[::1]:9", "tcp://[::1]:70000", "unix://"};
  Config config;
  for (const std::string& address : addresses) {
    config.listener("l" + std::to_string(&address - addresses.data()), "select", "proxy",
                    {"options: {upstream: ['" + address + "']}"});
  }
  const TempFolder folder;
  write_file(folder / "berth.yaml", config.text());
  const Outcome told = berth({"check", folder / "berth.yaml"});
  CAPTURE(told.err);
  CHECK(told.status == 78);
  for (const std::string& address : addresses) {
    const auto line = 5 + 5 * (&address - addresses.data());
    CHECK(has(told.err, ":" + std::to_string(line) + ":14: handler 'proxy' refuses: upstream '" +
                            address +
                            "' is no address: say tcp://HOST:PORT, unix:///PATH or unix://@NAME"));
  }
}
