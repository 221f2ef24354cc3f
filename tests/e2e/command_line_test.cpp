// The subcommands: results to standard output, messages to standard error, exit statuses.
#include <doctest/doctest.h>

#include <future>
#include <regex>
#include <string>
#include <vector>

#include "client.hpp"
#include "command.hpp"
#include "host_process.hpp"
#include "models.hpp"
#include "tested_build.hpp"
#include "upstream.hpp"

using namespace e2e;

namespace {

std::size_t count(const std::string& text, const std::regex& form) {
  return static_cast<std::size_t>(
      std::distance(std::sregex_iterator(text.begin(), text.end(), form), {}));
}

std::string reply_to(const std::string& word) {
  return "Client received: 'Echo=>" + word + R"( at \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}')";
}

}  // namespace

TEST_CASE("help names every subcommand and the version is the project's") {
  const Outcome help = berth({"--help"});
  CHECK(help.status == 0);
  for (const std::string name : {"run", "check", "handlers", "models", "send"}) {
    CHECK(has(help.out, name));
    const Outcome own = berth({name, "--help"});
    CHECK(own.status == 0);
    CHECK(has(own.out, name));
  }
  const Outcome version = berth({"--version"});
  CHECK(version.status == 0);
  CHECK(version.out == "berth " BERTH_VERSION "\n");
}

TEST_CASE("a command line that makes no sense is a usage error") {
  CHECK(berth({}).status == 64);
  CHECK(berth({"serve"}).status == 64);
  CHECK(berth({"run", "--fast"}).status == 64);
  CHECK(berth({"run", "a.yaml", "b.yaml"}).status == 64);
  CHECK(berth({"send", "--parallel", "none", "localhost"}).status == 64);
  const Outcome wrong = berth({"serve"});
  CHECK(wrong.out.empty());
  CHECK(!wrong.err.empty());
}

TEST_CASE("models shows each model and when to choose it") {
  const Outcome models = berth({"models"});
  CHECK(models.status == 0);
  for (const std::string& name : kModelNames) {
    CHECK(has(models.out, name + ": "));
  }
}

TEST_CASE("handlers shows those of a folder with their options") {
  const Outcome shipped = berth({"handlers", tested_build().plugins});
  CHECK(shipped.status == 0);
  CHECK(has(shipped.out, "echo"));
  CHECK(has(shipped.out, "delay: duration, default 5s"));
  const Outcome all = berth({"handlers", tested_build().handlers});
  CHECK(all.status == 0);
  CHECK(has(all.out, "c_echo"));
  CHECK(has(all.out, "colour: 'red' or 'green', default red"));
  CHECK(has(all.out, "no_entry  cannot be used: "));
  CHECK(has(all.out, "exits_at_load  cannot be used: "));
  CHECK(has(all.out, "Never comes to\\x1b[31m serve."));  // nothing of it reaches the terminal
  CHECK(berth({"handlers", "/nowhere"}).status == 78);
  const Outcome one = berth({"handlers", tested_build().plugins + "/echo.so"});
  CHECK(one.status == 0);
  CHECK(one.out.starts_with("echo  ("));
  CHECK_FALSE(has(one.out, "sleep_echo"));
  const Outcome missing = berth({"handlers", "/nowhere/mine.so"});
  CHECK(missing.status == 1);
  CHECK(has(missing.out, "mine  cannot be used: "));
  CHECK(has(missing.out, "No such file"));
}

TEST_CASE("send says hello and prints the reply") {
  HostProcess host(one_listener("fork", "echo"));
  const Outcome sent = berth({"send", loopback(host.port())});
  CHECK(sent.status == 0);
  CHECK(std::regex_match(sent.out, std::regex(reply_to("Hello network world") + "\n")));
  CHECK(sent.err.empty());
}

TEST_CASE("send prints a reply for each word in order") {
  HostProcess host(one_listener("select", "echo"));
  const Outcome sent = berth({"send", loopback(host.port()), "spam", "eggs", "ham"});
  CHECK(sent.status == 0);
  CHECK(std::regex_match(sent.out, std::regex(reply_to("spam") + "\n" + reply_to("eggs") + "\n" +
                                              reply_to("ham") + "\n")));
}

TEST_CASE("send runs eight clients at once") {
  const Upstream server;
  auto sending = std::async(std::launch::async, [&] {
    return berth({"send", "--parallel", "8", server.url(), "spam"});
  });
  std::vector<Client> clients;
  for (int i = 0; i < 8; ++i) clients.push_back(server.accept());  // before any has its reply
  for (auto& client : clients) {
    CHECK(client.read_exactly(4) == "spam");
    client.send("eggs");
    client.close();
  }
  const Outcome sent = sending.get();
  CHECK(sent.status == 0);
  CHECK(count(sent.out, std::regex("Client received: 'eggs'\n")) == 8);
}

TEST_CASE("send to nobody fails and says to whom") {
  const Upstream nobody(Upstream::down);
  const Outcome sent = berth({"send", nobody.url(), "spam"});
  CHECK(sent.status == 1);
  CHECK(sent.out.empty());
  CHECK(has(sent.err, nobody.url()));
  CHECK(has(sent.err, "Connection refused"));
}
