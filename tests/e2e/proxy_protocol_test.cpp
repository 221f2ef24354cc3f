// The PROXY protocol: who the clients of a proxy are, and what becomes of a proxy that does not
// tell.
#include <doctest/doctest.h>
#include <signal.h>

#include <string>

#include "client.hpp"
#include "host_process.hpp"
#include "models.hpp"
#include "proxy_header.hpp"
#include "wait_for.hpp"

using namespace e2e;

namespace {

const ProxiedEnd kClient = {"203.0.113.9", 2934};
const ProxiedEnd kServer = {"192.0.2.1", 443};
const std::string kFromProxies = "proxy_from: 127.0.0.1";
// Where those come from that are no proxies.
const std::string kElsewhere = "127.0.0.2";

// A connection of a proxy, which has sent this.
Client proxied(const HostProcess& host, const std::string& header) {
  Client client(host.port());
  client.send(header);
  return client;
}

// When this is over, the worker has seen all that was sent to it before.
void let_the_worker_turn(const HostProcess& host) {
  Client other(host.port(), kElsewhere);
  REQUIRE(other.ask("listener") == "it");
}

}  // namespace

TEST_CASE_TEMPLATE("peer and local are what the header tells, in both versions", Model,
                   EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "probe", {kFromProxies}));
  for (const auto& header : {header_v1(kClient, kServer), header_v2(kClient, kServer)}) {
    Client client = proxied(host, header);
    CHECK(client.ask("peer") == "203.0.113.9:2934");
    CHECK(client.ask("local") == "192.0.2.1:443");
  }
  const ProxiedEnd client6 = {"2001:db8::9", 2934}, server6 = {"2001:db8::1", 443};
  for (const auto& header : {header_v1(client6, server6), header_v2(client6, server6)}) {
    Client client = proxied(host, header);
    CHECK(client.ask("peer") == "[2001:db8::9]:2934");
    CHECK(client.ask("local") == "[2001:db8::1]:443");
  }
  Client last = proxied(host, header_v1(kClient, kServer));
  CHECK(last.ask("id") == "5");
  host.log().wait_for("connection 5 from 203.0.113.9:2934 through " + last.address());
  last.close();
  host.log().wait_for("connection 5 from 203.0.113.9:2934 ended: 3 B in, 2 B out");
}

TEST_CASE_TEMPLATE("a header may come in pieces, and with the client's first bytes behind it",
                   Model, EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "probe", {kFromProxies}));
  for (const auto& header : {header_v1(kClient, kServer), header_v2(kClient, kServer)}) {
    Client client(host.port());
    const std::string all = header + "peer\nlo";
    for (std::size_t place = 0; place < all.size(); place += 9) {
      let_the_worker_turn(host);
      client.send(all.substr(place, 9));
    }
    CHECK(client.read_line() == "203.0.113.9:2934");
    CHECK(client.ask("cal") == "192.0.2.1:443");
  }
}

TEST_CASE_TEMPLATE("a connection of the proxy's own keeps its addresses", Model, EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "probe", {kFromProxies}));
  for (const auto& header : {std::string("PROXY UNKNOWN\r\n"), block_v2(0x20, 0x00, "")}) {
    Client client = proxied(host, header);
    CHECK(client.ask("peer") == client.address());
    CHECK(client.ask("local") == loopback(host.port()));
    host.log().wait_for(" from " + client.address());
  }
  CHECK(host.log().count("through") == 0);
}

TEST_CASE_TEMPLATE("a header from elsewhere than 'proxy_from' is data", Model, EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "echo", {kFromProxies, "options: {reply: verbatim}"}));
  const std::string header = header_v1(kClient, kServer);
  Client client(host.port(), kElsewhere);
  client.send(header);
  CHECK(client.read_exactly(header.size()) == header);
  CHECK(host.log().wait_for("connection 1 from ").text.find("127.0.0.2:") != std::string::npos);
}

TEST_CASE_TEMPLATE("a connection whose header is malformed is closed, and told in the log", Model,
                   EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "probe", {kFromProxies}));
  Client bad(host.port());
  let_the_worker_turn(host);  // it waits
  // A session that begins meanwhile does not hold the other's socket open.
  Client good = proxied(host, header_v1(kClient, kServer));
  CHECK(good.ask("peer") == "203.0.113.9:2934");
  bad.send("GET / HTTP/1.1\r\n");
  bad.wait_until_closed();
  const std::string text = host.log().wait_for("its PROXY header is malformed: ").text;
  CHECK(text.rfind("connection from " + bad.address() + " is closed: ", 0) == 0);
  proxied(host, block_v2(0x21, 0x11, "short")).wait_until_closed();
  Client unfinished = proxied(host, "PROXY TCP4");
  unfinished.finish_sending();
  unfinished.wait_until_closed();
  CHECK(good.ask("listener") == "it");
  good.close();
  CHECK(host.stop(SIGTERM) == 0);
  CHECK(host.log().wait_for_end());
  CHECK(host.log().count("2 more connections closed in the last ") == 1);
  CHECK(host.log().count("it served 2 connections") == 1);
}

TEST_CASE_TEMPLATE("a header that does not come within handshake_timeout ends its connection",
                   Model, EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "probe", {kFromProxies, "handshake_timeout: 150ms"}));
  Client silent(host.port());
  Client slow = proxied(host, "PROXY TCP4 203.0.113.9");
  Client good = proxied(host, header_v1(kClient, kServer));
  CHECK(good.ask("listener") == "it");
  silent.wait_until_closed();
  slow.wait_until_closed();
  host.log().wait_for(
      " is closed: no whole PROXY header has come within handshake_timeout (150ms)");
  CHECK(good.ask("listener") == "it");
}

TEST_CASE_TEMPLATE("'deny' and max_connections_per_source are for clients, and not their proxy",
                   Model, EACH_MODEL) {
  HostProcess host(one_listener(
      Model::name, "probe",
      {kFromProxies, "deny: [203.0.113.128/25, 127.0.0.1]", "max_connections_per_source: 1"}));
  Client first = proxied(host, header_v1(kClient, kServer));
  REQUIRE(first.ask("peer") == "203.0.113.9:2934");
  proxied(host, header_v2({"203.0.113.9", 2935}, kServer)).wait_until_closed();
  host.log().wait_for("203.0.113.9 has as many connections as a source may have, 1");
  Client second = proxied(host, header_v1({"203.0.113.10", 2934}, kServer));
  CHECK(second.ask("peer") == "203.0.113.10:2934");
  proxied(host, header_v2({"203.0.113.200", 2934}, kServer)).wait_until_closed();
  proxied(host, "PROXY TCP6 ::ffff:203.0.113.200 ::1 2934 443\r\n").wait_until_closed();
  proxied(host, "PROXY UNKNOWN\r\n").wait_until_closed();
  first.close();
  host.log().wait_for("connection 1 from 203.0.113.9:2934 ended");
  Client again = proxied(host, header_v1(kClient, kServer));
  CHECK(again.ask("id") == "3");
  for (Client* client : {&second, &again}) client->close();
  CHECK(host.stop(SIGTERM) == 0);
  CHECK(host.log().wait_for_end());
  CHECK(host.log().count("it served 3 connections, 3 denied by address and 1 per source") == 1);
}

TEST_CASE_TEMPLATE("max_connections counts what waits for its header, and is exact", Model,
                   EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "probe",
                                {kFromProxies, "max_connections: 2", "handshake_timeout: 1h"}));
  Client session = proxied(host, header_v1(kClient, kServer));
  REQUIRE(session.ask("id") == "1");
  Client silent(host.port());
  Client third = proxied(host, header_v1(kClient, kServer) + "id\n");
  host.log().wait_for("2 connections, as many as there may be");
  CHECK(session.ask("listener") == "it");
  CHECK(!third.has_input());
  session.close();  // while the other waits
  CHECK(third.read_line() == "2");
  Client fourth = proxied(host, header_v1(kClient, kServer) + "id\n");
  CHECK(third.ask("listener") == "it");
  CHECK(!fourth.has_input());
  silent.send("what\n");  // comes to nothing
  CHECK(fourth.read_line() == "3");
  third.close();
  Client fifth(host.port());
  fifth.send(header_v1(kClient, kServer));
  CHECK(fifth.ask("id") == "4");  // as the session that it became
  Client sixth = proxied(host, header_v1(kClient, kServer) + "id\n");
  CHECK(fifth.ask("listener") == "it");
  CHECK(!sixth.has_input());
  fourth.close();
  CHECK(sixth.read_line() == "5");
}

TEST_CASE_TEMPLATE("a drain waits for a header, and serves whose has come", Model, EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "probe", {kFromProxies}));
  Client waiting = proxied(host, "PROXY TCP4 203.0.113.9 ");
  Client silent(host.port());
  host.send_signal(SIGTERM);
  host.log().wait_for("draining: 2 connections");
  waiting.send("192.0.2.1 2934 443\r\nstopping\n");
  CHECK(waiting.read_line() == "yes");
  waiting.close();
  host.log().wait_for(" ended: 9 B in");
  silent.close();
  CHECK(host.wait_for_exit() == 0);
}

TEST_CASE_TEMPLATE("what still waits for its header at the end of a drain is closed", Model,
                   EACH_MODEL) {
  Config config = one_listener(Model::name, "probe", {kFromProxies});
  HostProcess host(config.top("drain_timeout: 200ms"));
  Client waiting = proxied(host, "PROXY ");
  CHECK(host.stop(SIGTERM) == 0);
  host.log().wait_for("drain_timeout has passed: ending 1 connections");
  waiting.wait_until_closed();
}

TEST_CASE_TEMPLATE("a worker that has been replaced still reads the headers of its connections",
                   Model, EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "probe", {kFromProxies}));
  Client waiting = proxied(host, "PROXY TCP4 203.0.113.9 ");
  let_the_worker_turn(host);
  host.write_config(one_listener(Model::name, "probe", {kFromProxies, "max_connections: 999"}));
  CHECK(host.command({"reload"}).status == 0);
  host.log().wait_for("draining: 1 connections");
  waiting.send("192.0.2.1 2934 443\r\n");
  CHECK(waiting.ask("peer") == "203.0.113.9:2934");
  CHECK(waiting.ask("stopping") == "yes");
}

TEST_CASE("a proxy that only looks whether somebody listens is not told of") {
  HostProcess host(one_listener("epoll", "probe", {kFromProxies}));
  for (int i = 0; i < 3; ++i) {
    Client looking(host.port());
    let_the_worker_turn(host);
    i == 0 ? looking.close() : looking.reset();
  }
  let_the_worker_turn(host);
  CHECK(host.log().count("PROXY") == 0);
}

TEST_CASE("of a listener's addresses the headers are read at those of TCP alone") {
  const std::string path = fresh_socket_path();
  HostProcess host(one_listener(
      "epoll", "probe", {"listen: [unix://" + path + ", tcp://127.0.0.1:0]", kFromProxies}));
  Client local(path);
  CHECK(local.ask("peer") == local.address());
  Client client = proxied(host, header_v1(kClient, kServer));
  CHECK(client.ask("peer") == "203.0.113.9:2934");
}
