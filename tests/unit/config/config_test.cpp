// Good configs become the values that they say.
#include "config/config.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "config/load.hpp"
#include "scratch.hpp"

namespace berth {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::load;
using testing::Loaded;

std::string mistakes_in_file(const fs::path& file) {
  Diagnostics problems("berth.yaml");
  (void)load_config(file, problems);
  return problems.to_text();
}

const std::string kSmallest =
    "listeners:\n"
    "  - name: echo\n"
    "    listen: tcp://0.0.0.0:50007\n"
    "    model: fork\n"
    "    handler: echo\n";

TEST_CASE("the smallest config has the built-in values for all the rest") {
  const Loaded loaded = load(kSmallest);
  REQUIRE(loaded.mistakes == "");
  const HostSettings& host = loaded.settings;
  CHECK(host.file == testing::kNoFile);
  REQUIRE(host.plugin_folders.size() == 2);
  CHECK(host.plugin_folders[0] == "/nonexistent-berth/conf/plugins");
  CHECK(host.plugin_folders[1] == BERTH_PLUGIN_FOLDER);
  CHECK(host.log.level == LogLevel::info);
  CHECK(host.log.format == LogFormat::text);
  CHECK(host.log.connections);
  CHECK(host.log.file == "-");
  REQUIRE(host.listeners.size() == 1);
  const ListenerSettings& echo = host.listeners[0];
  CHECK(echo.name == "echo");
  REQUIRE(echo.listen.size() == 1);
  CHECK(echo.listen[0].url() == "tcp://0.0.0.0:50007");
  CHECK(echo.model == "fork");
  CHECK(echo.handler == "echo");
  CHECK(echo.options.empty());
  CHECK(echo.workers == 1);
  CHECK(echo.backlog == 4096);
  CHECK(echo.max_connections == 1000);
  CHECK(echo.idle_timeout == 10min);
  CHECK(echo.drain_timeout == 30s);
  CHECK(echo.heartbeat_timeout == 10s);
  CHECK(echo.write_timeout == kUnlimited);
  CHECK(echo.session_timeout == kUnlimited);
  CHECK(echo.max_connections_per_source == SourceLimit());
  CHECK(echo.max_connections_per_source.connections == 0);
  CHECK(echo.rate == RateLimit());
  CHECK(echo.rate.connections == 0);
  CHECK(echo.allow.empty());
  CHECK(echo.deny.empty());
  CHECK(echo.proxy_from.empty());
  CHECK(echo.resources == ResourceLimits());
}

// The listeners of a good config, the keys of one of them being `keys`.
std::vector<ListenerSettings> with(const std::string& defaults, const std::string& keys) {
  const Loaded loaded = load("defaults: {model: fork, handler: echo" + defaults +
                             "}\nlisteners:\n- {name: a, listen: 'tcp://h:1'}\n"
                             "- {name: b, listen: 'tcp://h:2'" +
                             keys + "}\n");
  REQUIRE(loaded.mistakes == "");
  return loaded.settings.listeners;
}

TEST_CASE("limits are what is written, in short or in full") {
  const auto b = with("",
                      ", max_connections_per_source: 10, rate: 600/m, allow: 10.0.0.0/8, "
                      "deny: [10.1.0.0/16, 'fd00::/8', 192.0.2.1], "
                      "proxy_from: [192.0.2.8/30, '::1'], write_timeout: 20s, "
                      "session_timeout: 1h, resources: {memory: 64MiB, cpu_time: 1m30s, "
                      "descriptors: 100}")[1];
  CHECK(b.max_connections_per_source == SourceLimit{10, 32, 64});
  CHECK(b.rate == RateLimit{600, 1min, 1});
  REQUIRE(b.allow.size() == 1);
  CHECK(b.allow[0].text() == "10.0.0.0/8");
  REQUIRE(b.deny.size() == 3);
  CHECK(b.deny[1].text() == "fd00::/8");
  CHECK(b.deny[2].text() == "192.0.2.1/32");
  REQUIRE(b.proxy_from.size() == 2);
  CHECK(b.proxy_from[0].text() == "192.0.2.8/30");
  CHECK(b.proxy_from[1].text() == "::1/128");
  CHECK(b.write_timeout == 20s);
  CHECK(b.session_timeout == 1h);
  CHECK(b.resources == ResourceLimits{64u << 20, 90s, 100});
  const auto full = with("",
                         ", max_connections_per_source: {connections: 3, ipv4_prefix: 24, "
                         "ipv6_prefix: 48}, rate: {connections: 5/h, burst: 20}, "
                         "resources: {memory: 16MiB}")[1];
  CHECK(full.max_connections_per_source == SourceLimit{3, 24, 48});
  CHECK(full.rate == RateLimit{5, 1h, 20});
  CHECK(full.resources == ResourceLimits{16u << 20, 0s, 0});
  CHECK(with("", ", rate: 1000000/s")[1].rate == RateLimit{1'000'000, 1s, 1});
}

TEST_CASE("limits of the defaults hold until a listener sets its own, or none") {
  const auto listeners = with(
      ", max_connections_per_source: 10, rate: 100/s, allow: 10.0.0.0/8, deny: 10.1.0.0/16, "
      "proxy_from: 192.0.2.8, write_timeout: 20s, session_timeout: 1h, "
      "resources: {descriptors: 100}",
      ", max_connections_per_source: off, rate: off, allow: off, deny: 10.2.0.0/16, "
      "proxy_from: off, write_timeout: off, session_timeout: 2h, resources: off");
  CHECK(listeners[0].max_connections_per_source.connections == 10);
  CHECK(listeners[0].rate.connections == 100);
  CHECK(listeners[0].allow.size() == 1);
  CHECK(listeners[0].deny[0].text() == "10.1.0.0/16");
  REQUIRE(listeners[0].proxy_from.size() == 1);
  CHECK(listeners[0].proxy_from[0].text() == "192.0.2.8/32");
  CHECK(listeners[0].write_timeout == 20s);
  CHECK(listeners[0].session_timeout == 1h);
  CHECK(listeners[0].resources.descriptors == 100);
  CHECK(listeners[1].max_connections_per_source == SourceLimit());
  CHECK(listeners[1].rate == RateLimit());
  CHECK(listeners[1].allow.empty());
  REQUIRE(listeners[1].deny.size() == 1);
  CHECK(listeners[1].deny[0].text() == "10.2.0.0/16");
  CHECK(listeners[1].proxy_from.empty());
  CHECK(listeners[1].write_timeout == kUnlimited);
  CHECK(listeners[1].session_timeout == 2h);
  CHECK(listeners[1].resources == ResourceLimits());
}

TEST_CASE("a listener's values and their places are those written") {
  const Loaded loaded = load(
      "listeners:\n"
      "- name: A.b-c_9\n"
      "  listen: [tcp://127.0.0.1:1, 'tcp://[::1]:1']\n"
      "  model: \"thread\"\n"
      "  workers: 3\n"
      "  handler: sleep_echo\n"
      "  options:\n"
      "    delay: 5s\n"
      "    words: [a, {b: c}]\n"
      "    nothing:\n"
      "  backlog: 65535\n"
      "  max_connections: '1000000'\n"
      "  idle_timeout: off\n"
      "  drain_timeout: 0\n"
      "  heartbeat_timeout: 1m30s\n");
  REQUIRE(loaded.mistakes == "");
  const ListenerSettings& listener = loaded.settings.listeners.at(0);
  CHECK(listener.name == "A.b-c_9");
  CHECK(listener.listen.at(1).url() == "tcp://[::1]:1");
  CHECK(listener.model == "thread");
  CHECK(listener.workers == 3);
  CHECK(listener.backlog == 65535);
  CHECK(listener.max_connections == 1'000'000);
  CHECK(listener.idle_timeout == kUnlimited);
  CHECK(listener.drain_timeout == 0s);
  CHECK(listener.heartbeat_timeout == 90s);

  CHECK(listener.where.name == Position{2, 9});
  REQUIRE(listener.where.listen.size() == 2);
  CHECK(listener.where.listen[1] == Position{3, 31});
  CHECK(listener.where.model == Position{4, 10});
  CHECK(listener.where.workers == Position{5, 12});
  CHECK(listener.where.handler == Position{6, 12});
  CHECK(listener.where.options == Position{8, 5});
  CHECK(listener.where.max_connections == Position{12, 20});
}

TEST_CASE("options are kept as the tree that they are") {
  const Loaded loaded = load(kSmallest +
                             "    options:\n"
                             "      delay: 5s\n"
                             "      words: [a, {b: c}]\n"
                             "      nothing:\n");
  REQUIRE(loaded.mistakes == "");
  const auto& options = loaded.settings.listeners.at(0).options;
  REQUIRE(options.size() == 3);
  CHECK(options[0].name == "delay");
  CHECK(options[0].where == Position{7, 7});
  CHECK(options[0].value.kind == OptionValue::Kind::scalar);
  CHECK(options[0].value.scalar == "5s");
  CHECK(options[0].value.where == Position{7, 14});
  REQUIRE(options[1].value.items.size() == 2);
  CHECK(options[1].value.items[0].scalar == "a");
  REQUIRE(options[1].value.items[1].fields.size() == 1);
  CHECK(options[1].value.items[1].fields[0].first.scalar == "b");
  CHECK(options[1].value.items[1].fields[0].second.scalar == "c");
  CHECK(options[2].value.kind == OptionValue::Kind::null);
  CHECK(options[2].value.where == Position{9, 7});
}

TEST_CASE("defaults hold where a listener says nothing of its own") {
  const Loaded loaded = load(
      "drain_timeout: 1s\n"
      "defaults:\n"
      "  model: thread\n"
      "  handler: echo\n"
      "  workers: 4\n"
      "  idle_timeout: 1m\n"
      "listeners:\n"
      "- {name: a, listen: 'tcp://h:1'}\n"
      "- {name: b, listen: 'tcp://h:2', model: fork, workers: 2, drain_timeout: 9s}\n");
  REQUIRE(loaded.mistakes == "");
  const ListenerSettings& a = loaded.settings.listeners.at(0);
  const ListenerSettings& b = loaded.settings.listeners.at(1);
  CHECK(a.model == "thread");
  CHECK(a.handler == "echo");
  CHECK(a.workers == 4);
  CHECK(a.idle_timeout == 1min);
  CHECK(a.drain_timeout == 1s);
  CHECK(a.where.model == Position{3, 10});
  CHECK(a.where.handler == Position{4, 12});
  CHECK(a.where.options == a.where.handler);
  CHECK(b.model == "fork");
  CHECK(b.workers == 2);
  CHECK(b.idle_timeout == 1min);
  CHECK(b.drain_timeout == 9s);
}

std::string accounts(const Loaded& loaded) {
  std::string text;
  for (const ListenerSettings& each : loaded.settings.listeners) {
    text += each.name + '=' + each.user + ':' + each.group + ' ';
  }
  return text;
}

TEST_CASE("a listener has the user and group of the top level, of the defaults, or its own") {
  const Loaded loaded = load(
      "user: top\n"
      "group: top-group\n"
      "listeners:\n"
      "- {name: a, listen: 'tcp://h:1', model: fork, handler: echo}\n"
      "- {name: b, listen: 'tcp://h:2', model: fork, handler: echo, group: own-group}\n"
      "- {name: c, listen: 'tcp://h:3', model: fork, handler: echo, user: 1000, group: '0'}\n");
  REQUIRE(loaded.mistakes == "");
  CHECK(accounts(loaded) == "a=top:top-group b=top:own-group c=1000:0 ");
  CHECK(loaded.settings.user == "top");
  CHECK(loaded.settings.group == "top-group");
  CHECK(loaded.settings.listeners[0].where.user == Position{1, 7});
  CHECK(loaded.settings.listeners[1].where.group == Position{5, 69});
  CHECK_FALSE(loaded.settings.listeners[0].privileges);

  const Loaded defaulted = load(
      "user: top\ngroup: top-group\n"
      "defaults: {user: default, model: fork, handler: echo}\n"
      "listeners: [{name: a, listen: 'tcp://h:1'}]\n");
  REQUIRE(defaulted.mistakes == "");
  CHECK(accounts(defaulted) == "a=default: ");
}

TEST_CASE("who names a user has that user's group, not the one said above for another") {
  const Loaded loaded = load(
      "user: top\ngroup: top-group\n"
      "listeners: [{name: a, listen: 'tcp://h:1', model: fork, handler: echo, user: own}]\n");
  REQUIRE(loaded.mistakes == "");
  CHECK(accounts(loaded) == "a=own: ");
  CHECK(loaded.settings.listeners[0].where.group == Position{});
}

TEST_CASE("defaults hold also where they stand behind the listeners") {
  const Loaded loaded = load(
      "listeners:\n"
      "- {name: a, listen: 'tcp://h:1'}\n"
      "defaults: {model: fork, handler: echo, drain_timeout: 2s}\n"
      "drain_timeout: 1s\n");
  REQUIRE(loaded.mistakes == "");
  CHECK(loaded.settings.listeners.at(0).drain_timeout == 2s);
}

std::string option_names(const ListenerSettings& listener) {
  std::string names;
  for (const OptionSetting& option : listener.options) {
    names += option.name + '=' + option.value.scalar + ' ';
  }
  return names;
}

TEST_CASE("options of the defaults go to the listeners of the same handler, key by key") {
  const Loaded loaded = load(
      "defaults:\n"
      "  model: fork\n"
      "  handler: echo\n"
      "  options: {reply: stamped, limit: 1}\n"
      "listeners:\n"
      "- {name: inherits, listen: 'tcp://h:1'}\n"
      "- {name: overrides, listen: 'tcp://h:2', options: {reply: verbatim, more: 2}}\n"
      "- {name: names-it-again, listen: 'tcp://h:3', handler: echo}\n"
      "- {name: another, listen: 'tcp://h:4', handler: sleep_echo}\n"
      "- {name: another-with-own, listen: 'tcp://h:5', handler: sleep_echo, options: {x: 1}}\n");
  REQUIRE(loaded.mistakes == "");
  const auto& listeners = loaded.settings.listeners;
  CHECK(option_names(listeners.at(0)) == "reply=stamped limit=1 ");
  CHECK(listeners[0].where.options == Position{4, 12});
  CHECK(option_names(listeners.at(1)) == "limit=1 reply=verbatim more=2 ");
  CHECK(option_names(listeners.at(2)) == "reply=stamped limit=1 ");
  CHECK(option_names(listeners.at(3)) == "");
  CHECK(listeners[3].where.options == listeners[3].where.handler);
  CHECK(option_names(listeners.at(4)) == "x=1 ");
}

TEST_CASE("listeners may share values by an alias, and any number of free ports") {
  const Loaded loaded = load(
      "listeners:\n"
      "- {name: a, listen: &free ['tcp://h:0', 'tcp://h:0'], model: &m fork, handler: echo}\n"
      "- {name: b, listen: *free, model: *m, handler: echo}\n");
  REQUIRE(loaded.mistakes == "");
  CHECK(loaded.settings.listeners.at(1).model == "fork");
  CHECK(loaded.settings.listeners.at(1).listen.size() == 2);
}

TEST_CASE("the log's settings are read") {
  const Loaded loaded =
      load("log: {level: warn, format: json, connections: false, file: -}\n" + kSmallest);
  REQUIRE(loaded.mistakes == "");
  CHECK(loaded.settings.log.level == LogLevel::warn);
  CHECK(loaded.settings.log.format == LogFormat::json);
  CHECK_FALSE(loaded.settings.log.connections);
  CHECK(loaded.settings.log.file == "-");
}

TEST_CASE("relative paths start at the config's folder") {
  const testing::Scratch folder;
  fs::create_directories(folder.path / "more/handlers");
  const fs::path file = folder.file(
      "berth.yaml", "plugins: [more/../more/handlers, .]\nlog: {file: more/x.log}\n" + kSmallest);
  Diagnostics problems("berth.yaml");
  const HostSettings host = load_config(file, problems);
  REQUIRE(problems.to_text() == "");
  REQUIRE(host.plugin_folders.size() == 2);
  CHECK(host.plugin_folders[0] == folder.path / "more/handlers");
  CHECK(fs::equivalent(host.plugin_folders[1], folder.path));
  CHECK(host.log.file == (folder.path / "more/x.log").string());
}

TEST_CASE("a file may begin with a byte order mark and have Windows line ends") {
  std::string text = "\xef\xbb\xbf";
  for (const char c : kSmallest) text += c == '\n' ? "\r\n" : std::string(1, c);
  CHECK(load(text).mistakes == "");
}

TEST_CASE("a file that cannot be read is told so") {
  const testing::Scratch folder;
  CHECK(mistakes_in_file(folder.path / "none.yaml") == "berth.yaml: there is no such file\n");
  CHECK(mistakes_in_file(folder.path) ==
        "berth.yaml: this is a folder; give a file: berth run CONFIG\n");
  CHECK(mistakes_in_file(folder.file("berth.yaml", "# " + std::string(1 << 20, 'x'))) ==
        "berth.yaml: longer than 1 MiB; this is hardly a config\n");
  CHECK(mistakes_in_file(folder.file("berth.yaml", "")) ==
        "berth.yaml: the file is empty; it needs at least 'listeners:'\n");
  CHECK(mistakes_in_file(folder.path / "berth.yaml" / "x") ==
        "berth.yaml: cannot open it: Not a directory\n");
}

}  // namespace
}  // namespace berth
