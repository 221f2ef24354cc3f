// What a client and a handler say to each other, byte for byte, is the same under every model.
#include <doctest/doctest.h>

#include <regex>
#include <string>
#include <thread>
#include <vector>

#include "client.hpp"
#include "host_process.hpp"
#include "models.hpp"
#include "tested_build.hpp"

using namespace e2e;

namespace {

// As echo answers: Echo=>MESSAGE at Sun Jun 18 19:37:54 2000
bool is_stamped_echo(const std::string& reply, const std::string& message) {
  static const std::regex time(R"([A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4})");
  const std::string start = "Echo=>" + message + " at ";
  return reply.rfind(start, 0) == 0 && std::regex_match(reply.substr(start.size()), time);
}

// A reply of echo, which has no end but the length of its time.
std::string echo_of(Client& client, const std::string& message) {
  constexpr std::size_t kTime = sizeof "Sun Jun 18 19:37:54 2000" - 1;
  client.send(message);
  return client.read_exactly(sizeof "Echo=> at " - 1 + message.size() + kTime);
}

}  // namespace

TEST_CASE_TEMPLATE("a message is answered with its words and the time", Model,
                   EACH_MODEL_AND_TRANSPORT) {
  HostProcess host(one_listener_of<Model>("echo"));
  Client client = host.connect<Model>();
  REQUIRE(is_stamped_echo(echo_of(client, "Hello network world"), "Hello network world"));
}

TEST_CASE_TEMPLATE("three words have three replies in order", Model, EACH_MODEL_AND_TRANSPORT) {
  HostProcess host(one_listener_of<Model>("echo"));
  Client client = host.connect<Model>();
  for (const std::string word : {"spam", "eggs", "ham and jam"}) {
    REQUIRE(is_stamped_echo(echo_of(client, word), word));
  }
}

TEST_CASE_TEMPLATE("eight clients of a slow handler are served side by side", Model, EACH_MODEL) {
  const std::chrono::seconds delay{tested_build().sanitized ? 4 : 2};
  constexpr std::size_t kClients = 8;
  const std::string option = "options: {delay: " + std::to_string(delay.count()) + "s}";
  HostProcess host(one_listener(Model::name, "sleep_echo", {option}));
  const auto start = std::chrono::steady_clock::now();
  std::vector<Client> clients;
  for (std::size_t i = 0; i < kClients; ++i) clients.emplace_back(host.port());
  for (auto& client : clients) client.send("hello");
  host.log().wait_for("connection 8 from ");
  CHECK(host.log().count(" ended: ") == 0);
  for (auto& client : clients) REQUIRE(client.read_exactly(39).rfind("Echo=>hello at ", 0) == 0);
  const auto elapsed = std::chrono::steady_clock::now() - start;
  CHECK(elapsed >= delay);
  CHECK(elapsed < kClients * delay / 2);  // one after the other takes twice that
}

TEST_CASE_TEMPLATE("10 MB come back byte for byte while they are sent", Model,
                   EACH_MODEL_AND_TRANSPORT) {
  HostProcess host(one_listener_of<Model>("echo", "options: {reply: verbatim}"));
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

TEST_CASE_TEMPLATE("a client may send all that it has before it takes what comes meanwhile", Model,
                   EACH_MODEL_AND_TRANSPORT) {
  constexpr std::size_t kSize = 10'000'000;  // more than lies in the kernel on the way
  HostProcess host(one_listener_of<Model>("probe"));
  Client client = host.connect<Model>();
  REQUIRE(client.ask(numbered("exchange", kSize)) == "ready");
  client.send(std::string(kSize, 'x'));
  CHECK(client.read_exactly(kSize).size() == kSize);
  CHECK(client.read_line() == "exchanged");
}

TEST_CASE_TEMPLATE("a client that has closed its side still has the reply", Model,
                   EACH_MODEL_AND_TRANSPORT) {
  HostProcess host(one_listener_of<Model>("echo", "options: {reply: verbatim}"));
  Client client = host.connect<Model>();
  client.send("the last word");
  client.finish_sending();
  REQUIRE(client.read_to_end() == "the last word");
  REQUIRE(host.log().wait_for(" ended: ").text.find("13 B in, 13 B out") != std::string::npos);
}

TEST_CASE_TEMPLATE("a reply is whole although the session ends with input unread", Model,
                   EACH_MODEL_AND_TRANSPORT) {
  constexpr std::size_t kReply = 4'000'000;
  HostProcess host(one_listener_of<Model>("probe"));
  Client client = host.connect<Model>();
  client.send(numbered("bye", kReply) + "\n" + std::string(100'000, 'x'));
  const std::string reply = client.read_to_end();
  CHECK(reply.size() == kReply);
  CHECK(reply.substr(0, 26) == "abcdefghijklmnopqrstuvwabc");
}

TEST_CASE_TEMPLATE("a session knows its client and its listener", Model, EACH_MODEL_AND_TRANSPORT) {
  HostProcess host(one_listener_of<Model>("probe"));
  Client first = host.connect<Model>();
  REQUIRE(first.ask("id") == "1");
  Client second = host.connect<Model>();
  REQUIRE(second.ask("id") == "2");
  CHECK(second.ask("peer") == second.address());
  CHECK(second.ask("local") == (kOnUnix<Model> ? host.socket() : loopback(host.port())));
  CHECK(second.ask("listener") == "it");
  CHECK(second.ask("stopping") == "no");
  const bool in_worker = second.ask("pid") == std::to_string(host.worker());
  CHECK(in_worker == !Model::own_process);
}

TEST_CASE_TEMPLATE("options of all types reach the handler", Model, EACH_MODEL) {
  Config config;
  config.listener("default", Model::name, "probe");
  config.listener("given", Model::name, "probe",
                  {"options: {flag: true, number: 42, real: 2.25, text: 'two words', pause: 3s,"
                   " size: 64KiB, colour: green, list: [x, y z], map: {one: '1', two: '2'}}"});
  HostProcess host(config);
  CHECK(Client(host.port("default")).ask("options") ==
        "false 7 0.500000 plain 20 4096 red a b k=v");
  CHECK(Client(host.port("given")).ask("options") ==
        "true 42 2.250000 two words 3000 65536 green x y z one=1 two=2");
}

TEST_CASE_TEMPLATE("lines and counted bytes come out of one buffer", Model,
                   EACH_MODEL_AND_TRANSPORT) {
  HostProcess host(one_listener_of<Model>("probe"));
  Client client = host.connect<Model>();
  client.send("exactly 5\nab\ncdexactly 3\nxyzid\n");
  CHECK(client.read_exactly(8) == "<ab\ncd>\n");
  CHECK(client.read_line() == "<xyz>");
  CHECK(client.read_line() == "1");
}

TEST_CASE_TEMPLATE("a session writes and sleeps while it reads", Model, EACH_MODEL_AND_TRANSPORT) {
  HostProcess host(one_listener_of<Model>("probe"));
  Client client = host.connect<Model>();
  CHECK(client.ask("tick 3") == "tick");
  client.send("one\ntwo\n");
  CHECK(client.read_line() == "tick");
  CHECK(client.read_line() == "tick");
  client.send("enough\n");
  CHECK(client.read_line() == "heard 2");
  CHECK(client.ask("sleep 20") == "slept");
}

TEST_CASE_TEMPLATE("a read that takes too long says so and the session goes on", Model,
                   EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "probe"));
  Client client(host.port());
  REQUIRE(client.ask("within 50") == "reading");
  CHECK(client.read_line() == "timed out");
  REQUIRE(client.ask("within 60000") == "reading");
  client.send("data");
  CHECK(client.read_line() == "read");
  CHECK(client.ask("id") == "1");
  REQUIRE(client.ask("within 60000") == "reading");
  client.finish_sending();
  CHECK(client.read_line() == "end");
}

TEST_CASE_TEMPLATE("what a handler logs cannot forge a line", Model, EACH_MODEL_AND_TRANSPORT) {
  HostProcess host(one_listener_of<Model>("probe"));
  Client client = host.connect<Model>();
  CHECK(client.ask("log") == "logged");
  const LogLine line = host.log().wait_for("evil");
  CHECK(line.level == "info");
  CHECK(line.source == "it");
  CHECK(line.text.rfind("connection 1 from " + client.address() + ": evil ", 0) == 0);
  CHECK(line.text.find("%s %n") != std::string::npos);
  for (const char c : line.text) CHECK((c >= ' ' && c < 127));
}

TEST_CASE_TEMPLATE("a handler may run and wait for programs", Model, EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "probe"));
  Client first(host.port());
  Client second(host.port());
  CHECK(first.ask("system") == "exit status 7");
  CHECK(second.ask("system") == "exit status 7");
  CHECK(first.ask("system") == "exit status 7");
}

TEST_CASE_TEMPLATE("a program that a handler runs can be ended with SIGTERM", Model, EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "probe"));
  CHECK(Client(host.port()).ask("terminate") == "killed by 15");
}

TEST_CASE_TEMPLATE("a program that a handler runs ends when nobody reads its pipe", Model,
                   EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "probe"));
  CHECK(Client(host.port()).ask("break-pipe") == "killed by 13");
}

TEST_CASE_TEMPLATE("a handler in plain C serves", Model, EACH_MODEL_AND_TRANSPORT) {
  HostProcess host(one_listener_of<Model>("c_echo", "options: {prefix: 'C says '}"));
  Client client = host.connect<Model>();
  client.send("hello");
  CHECK(client.read_exactly(12) == "C says hello");
  client.send("again");
  CHECK(client.read_exactly(12) == "C says again");
}

TEST_CASE_TEMPLATE("a handler of an older minor version of the ABI serves", Model, EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "older_minor", {"options: {prefix: 'still '}"}));
  Client client(host.port());
  client.send("here");
  CHECK(client.read_exactly(10) == "still here");
}

TEST_CASE_TEMPLATE("a handler built without flags loops a million times on a small stack", Model,
                   EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "plain"));
  Client client(host.port());
  CHECK(client.ask("1000000") == "1000000");
  CHECK(client.ask("3") == "3");
}
