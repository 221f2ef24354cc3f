// Every kind of mistake in a config has its message, at its place, and only one.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "config/load.hpp"
#include "model/model.hpp"

namespace berth {
namespace {

using testing::load;

struct Mistake {
  std::string yaml;
  std::string expected;  // "LINE:COLUMN: MESSAGE", a line each
};

void check(const std::vector<Mistake>& mistakes) {
  for (const Mistake& mistake : mistakes) {
    CAPTURE(mistake.yaml);
    CHECK(load(mistake.yaml).mistakes == mistake.expected);
  }
}

// A good listener in five lines, to which a test adds a sixth at column 5.
const std::string kListener =
    "listeners:\n"
    "  - name: a\n"
    "    listen: tcp://h:1\n"
    "    model: fork\n"
    "    handler: echo\n";

// What makes a config of what stands before it.
const std::string kRest =
    "listeners: [{name: a, listen: 'tcp://h:1', model: fork, handler: echo}]\n";

const std::string kListenerKeys =
    "name, listen, tls, model, handler, options, workers, threads, spare, "
    "connections_per_process, backlog, max_connections, "
    "max_connections_per_source, rate, allow, deny, proxy_from, idle_timeout, write_timeout, "
    "session_timeout, "
    "handshake_timeout, "
    "drain_timeout, heartbeat_timeout, user, group, resources";
const std::string kDefaultsKeys = kListenerKeys.substr(std::string("name, listen, ").size());
const std::string kTopKeys =
    "plugins, user, group, log, control, watch, defaults, drain_timeout, listeners";

std::string model_names() {
  std::vector<std::string> names;
  for (const ModelRow* row : model_table()) names.emplace_back(row->name);
  return one_of(names);
}

TEST_CASE("unknown keys are told with the nearest name and all names") {
  check({
      {kListener + "    worker: 2\n",
       "6:5: unknown key 'worker'; did you mean 'workers'? "
       "(a listener takes " +
           kListenerKeys + ")\n"},
      {kListener + "    colour: red\n",
       "6:5: unknown key 'colour' (a listener takes " + kListenerKeys + ")\n"},
      {"plugin: x\n" + kRest,
       "1:1: unknown key 'plugin'; did you mean 'plugins'? (the top level takes " + kTopKeys +
           ")\n"},
      {"log: {levle: info}\n" + kRest,
       "1:7: unknown key 'levle'; did you mean 'level'? ('log' takes level, format, connections, "
       "file)\n"},
      {"defaults: {\n  backlgo: 5}\n" + kRest,
       "2:3: unknown key 'backlgo'; did you mean 'backlog'? ('defaults' takes " + kDefaultsKeys +
           ")\n"},
      {"? \"a\\e[1m\"\n: x\n" + kRest,
       "1:3: unknown key 'a\\x1b[1m' (the top level takes " + kTopKeys + ")\n"},
  });
}

TEST_CASE("a key in the wrong place is told where it belongs") {
  check({
      {"workers: 2\n" + kRest,
       "1:1: 'workers' is a key of a listener; put it under 'listeners:' or 'defaults:'\n"},
      {"name: x\n" + kRest, "1:1: 'name' is a key of a listener; put it under 'listeners:'\n"},
      {"defaults: {name: x}\n" + kRest,
       "1:12: 'name' is a listener's own; it cannot stand under 'defaults'\n"},
      {"defaults: {listen: x}\n" + kRest,
       "1:12: 'listen' is a listener's own; it cannot stand under 'defaults'\n"},
      {kListener + "    plugins: x\n",
       "6:5: 'plugins' stands at the top level, for all listeners\n"},
  });
}

TEST_CASE("a key given twice is told with the line of the first") {
  check({
      {kListener + "    model: select\n", "6:5: 'model' is given twice; the first is in line 4\n"},
      {kListener + "    \"model\": select\n",
       "6:5: 'model' is given twice; the first is in line 4\n"},
      {kListener + "    options: {a: 1,\n      a: 2}\n",
       "7:7: 'a' is given twice; the first is in line 6\n"},
      {kListener + "    options: {a: {b: [{c: 1, c: 2}]}}\n",
       "6:30: 'c' is given twice; the first is in line 6\n"},
      {"log: {level: info, level: warn}\n" + kRest,
       "1:20: 'level' is given twice; the first is in line 1\n"},
      {"drain_timeout: 5s\ndrain_timeout: 6s\n" + kRest,
       "2:1: 'drain_timeout' is given twice; the first is in line 1\n"},
  });
}

TEST_CASE("a key without value is told at the key") {
  check({
      {"listeners:\n  - name: a\n    listen: tcp://h:1\n    model:\n    handler: echo\n",
       "4:5: 'model:' has no value\n"},
      {"listeners:\n  - name: ~\n    listen: tcp://h:1\n    model: fork\n    handler: null\n",
       "2:5: 'name:' has no value\n5:5: 'handler:' has no value\n"},
      {"defaults:\n" + kRest, "1:1: 'defaults:' has no value\n"},
      {"listeners:\n", "1:1: 'listeners:' has no value\n"},
      {"log: {level}\n" + kRest, "1:7: 'level:' has no value\n"},
  });
}

TEST_CASE("a missing key is told at the listener") {
  check({
      {"listeners:\n  - {}\n",
       "2:5: this listener has no 'handler:', and 'defaults:' gives none\n"
       "2:5: this listener has no 'listen:'\n"
       "2:5: this listener has no 'model:', and 'defaults:' gives none\n"
       "2:5: this listener has no 'name:'\n"},
      {"listeners:\n  - name: a\n    listen: tcp://h:1\n    handler: echo\n",
       "2:5: listener 'a' has no 'model:', and 'defaults:' gives none\n"},
      {"drain_timeout: 5s\n", "1:1: 'listeners:' is missing; it lists what to serve\n"},
      {"defaults: {options: {a: 1}}\n" + kRest,
       "1:21: 'options' are those of one handler; name it with 'handler:' beside them\n"},
  });
}

TEST_CASE("a key that means something under other models only is told so") {
  check({
      {kListener + "    threads: 4\n",
       "6:14: 'threads' means nothing under model 'fork': it is for 'thread-pool'\n"},
      {kListener + "    spare: 4\n",
       "6:12: 'spare' means nothing under model 'fork': it is for 'prefork'\n"},
      {"defaults: {threads: 4, spare: 2, connections_per_process: 7}\n" + kRest, ""},
  });
}

TEST_CASE("a misspelt key is not told to be missing as well") {
  check({
      {"listeners:\n  - name: a\n    listen: tcp://h:1\n    model: fork\n    handlr: echo\n",
       "5:5: unknown key 'handlr'; did you mean 'handler'? (a listener takes " + kListenerKeys +
           ")\n"},
      {"defaults: {modle: fork}\nlisteners: [{name: a, listen: 'tcp://h:1', handler: echo}]\n",
       "1:12: unknown key 'modle'; did you mean 'model'? ('defaults' takes " + kDefaultsKeys +
           ")\n"},
      {"default: {model: fork}\nlisteners: [{name: a, listen: 'tcp://h:1', handler: echo}]\n",
       "1:1: unknown key 'default'; did you mean 'defaults'? (the top level takes " + kTopKeys +
           ")\n"},
      {"model: fork\nlisteners: [{name: a, listen: 'tcp://h:1', handler: echo}]\n",
       "1:1: 'model' is a key of a listener; put it under 'listeners:' or 'defaults:'\n"},
      {"listener: []\n",
       "1:1: unknown key 'listener'; did you mean 'listeners'? (the top level "
       "takes " +
           kTopKeys + ")\n"},
      {"defaults: fork\nlisteners: [{name: a, listen: 'tcp://h:1'}]\n",
       "1:11: 'defaults' is a map of 'key: value' lines, not text\n"},
  });
}

TEST_CASE("a merge key is refused, and what it may have brought is not missed") {
  check({
      {"listeners:\n  - &base {name: a, listen: 'tcp://h:1', model: fork, handler: echo}\n"
       "  - <<: *base\n    name: b\n",
       "3:5: merge keys ('<<') are not read here; put what listeners share under 'defaults:', or "
       "write it out\n"},
      {kListener + "    options: {<<: {a: 1}}\n",
       "6:15: merge keys ('<<') are not read here; put what listeners share under 'defaults:', or "
       "write it out\n"},
  });
}

TEST_CASE("values of the wrong kind are told what they should be") {
  check({
      {"- name: a\n", "1:1: the top level is a map of 'key: value' lines, not a list\n"},
      {"just text\n", "1:1: the top level is a map of 'key: value' lines, not text\n"},
      {"listeners: {a: {}}\n",
       "1:12: 'listeners' must be a list, not a map; begin each listener with '- name:'\n"},
      {"listeners: []\n", "1:12: 'listeners' is an empty list; there is nothing to serve\n"},
      {"listeners: [a]\n", "1:13: a listener is a map of 'key: value' lines, not text\n"},
      {kListener + "  -\n", "2:3: entry 2 of 'listeners' is empty\n"},
      {kListener + "    workers: [1]\n", "6:14: 'workers' must be a whole number, not a list\n"},
      {kListener + "    options: [a]\n",
       "6:14: 'options' must be a map of 'option: value' lines, not a list\n"},
      {"log: info\n" + kRest, "1:6: 'log' is a map of 'key: value' lines, not text\n"},
      {"plugins: {a: b}\n" + kRest, "1:10: 'plugins' must be a folder, not a map\n"},
      {"plugins: []\n" + kRest, "1:10: 'plugins' is an empty list; it must have a folder\n"},
      {"[a]: b\n" + kRest, "1:1: a key must be text, not a list\n"},
      {": b\n" + kRest, "1:1: a ':' without a key before it\n"},
  });
}

TEST_CASE("a whole number is decimal digits within its bounds") {
  const auto workers = [](const std::string& given, const std::string& message) {
    return Mistake{kListener + "    workers: " + given + "\n",
                   "6:14: 'workers' must be " + message + "\n"};
  };
  check({
      workers("0", "from 1 to 1024, not '0'"),
      workers("1025", "from 1 to 1024, not '1025'"),
      workers("-1", "from 1 to 1024, not '-1'"),
      workers("99999999999999999999", "from 1 to 1024, not '99999999999999999999'"),
      workers("1_000", "a whole number, not '1_000'; write 1000"),
      workers("1e3", "a whole number, not '1e3'; write 1000"),
      workers("2.0", "a whole number, not '2.0'; write 2"),
      workers("2.5", "a whole number, not '2.5'"),
      workers("+2", "a whole number, not '+2'; write 2"),
      workers("010", "a whole number, not '010'; write 10"),
      workers("0x10", "a whole number, not '0x10'"),
      workers("two", "a whole number, not 'two'"),
      workers("''", "a whole number, not ''"),
      workers(".inf", "a whole number, not '.inf'"),
      {kListener + "    backlog: 65536\n",
       "6:14: 'backlog' must be from 1 to 65535, not '65536'\n"},
      {kListener + "    max_connections: 1000001\n",
       "6:22: 'max_connections' must be from 1 to 1000000, not '1000001'\n"},
  });
}

TEST_CASE("a switch is true or false and no other word") {
  const auto connections = [](const std::string& given, const std::string& remedy) {
    return Mistake{
        "log: {connections: " + given + "}\n" + kRest,
        "1:20: 'connections' must be true or false, not '" + given + "'" + remedy + "\n"};
  };
  check({
      connections("yes", "; write true"),
      connections("on", "; write true"),
      connections("True", "; write true"),
      connections("no", "; write false"),
      connections("off", "; write false"),
      connections("0", "; write false"),
      connections("maybe", ""),
  });
}

TEST_CASE("a duration has a unit and lies within its bounds") {
  check({
      {kListener + "    idle_timeout: 5\n", "6:19: 'idle_timeout': '5' needs a unit: 5s?\n"},
      {kListener + "    idle_timeout: 0s\n",
       "6:19: 'idle_timeout' must be more than 0, or off, not '0s'\n"},
      {kListener + "    drain_timeout: off\n",
       "6:20: 'drain_timeout' cannot be off; it must be a duration like 30s\n"},
      {kListener + "    drain_timeout: -1s\n",
       "6:20: 'drain_timeout': '-1s': a duration cannot be negative\n"},
      {kListener + "    heartbeat_timeout: 999ms\n",
       "6:24: 'heartbeat_timeout' must be at least 1s, not '999ms'\n"},
      {kListener + "    write_timeout: 0s\n",
       "6:20: 'write_timeout' must be more than 0, or off, not '0s'\n"},
      {kListener + "    session_timeout: never\n",
       "6:22: 'session_timeout': 'never' is not a duration; write numbers with units, like 250ms, "
       "5s or 1h30m\n"},
      {"drain_timeout: [5s]\n" + kRest,
       "1:16: 'drain_timeout' must be a duration like 250ms, 5s or 1h30m, not a list\n"},
  });
}

// A mistake in the one key that is added to a good listener; what is said of its value, which
// stands at that column.
Mistake limit(const std::string& key, const std::string& given, const std::string& message,
              std::size_t column = 0) {
  const std::size_t value = key.size() + 7;
  return {kListener + "    " + key + ": " + given + "\n",
          "6:" + std::to_string(value + column) + ": " + message + "\n"};
}

TEST_CASE("a rate is connections in a time") {
  const std::string number = "'rate': the number must be from 1 to 1000000, not ";
  const std::string none = "is not a rate; write connections in a time, like 100/s or 600/m";
  check({
      limit("rate", "100", "'rate': '100' needs a time: 100/s?"),
      limit("rate", "0/s", number + "'0'"),
      limit("rate", "1000001/s", number + "'1000001'"),
      limit("rate", "99999999999/s", number + "'99999999999'"),
      limit("rate", "010/s", number + "'010'"),
      limit("rate", "100/sec", "'rate': '100/sec' has the unknown time 'sec': write 100/s"),
      limit("rate", "5/minute", "'rate': '5/minute' has the unknown time 'minute': write 5/m"),
      limit("rate", "5/Hour", "'rate': '5/Hour' has the unknown time 'Hour': write 5/h"),
      limit("rate", "5/ms", "'rate': '5/ms' has the unknown time 'ms'; the times are s, m and h"),
      limit("rate", "5/d", "'rate': '5/d' has the unknown time 'd'; the times are s, m and h"),
      limit("rate", "5/", "'rate': '5/' has the unknown time ''; the times are s, m and h"),
      limit("rate", "fast", "'rate': 'fast' " + none),
      limit("rate", "1.5/s", "'rate': '1.5/s' " + none),
      limit("rate", "-1/s", "'rate': '-1/s' " + none),
      limit("rate", "[1/s]", "'rate' must be connections in a time, like 100/s, not a list"),
      limit("rate", "{burst: 5}", "'rate' has no 'connections:'"),
      limit("rate", "{connections: 5}", "'connections': '5' needs a time: 5/s?", 14),
      limit("rate", "{connections: 5/s, burst: 0}", "'burst' must be from 1 to 1000000, not '0'",
            26),
      limit("rate", "{connections: 5/s, brust: 1}",
            "unknown key 'brust'; did you mean 'burst'? ('rate' takes connections, burst)", 19),
  });
}

TEST_CASE("a source is a number of connections, and prefixes") {
  const std::string key = "max_connections_per_source";
  check({
      limit(key, "0", "'max_connections_per_source' must be from 1 to 1000000, not '0'"),
      limit(key, "ten", "'max_connections_per_source' must be a whole number, not 'ten'"),
      limit(key, "[1]", "'max_connections_per_source' must be a whole number, not a list"),
      limit(key, "{}", "'max_connections_per_source' has no 'connections:'"),
      limit(key, "{connections: 1, ipv4_prefix: 33}",
            "'ipv4_prefix' must be from 1 to 32, not '33'", 30),
      limit(key, "{connections: 1, ipv6_prefix: 0}", "'ipv6_prefix' must be from 1 to 128, not '0'",
            30),
      limit(key, "{connections: 1, ipv4_prefx: 24}",
            "unknown key 'ipv4_prefx'; did you mean 'ipv4_prefix'? ('max_connections_per_source' "
            "takes connections, ipv4_prefix, ipv6_prefix)",
            17),
      limit(key, "{conections: 1}",
            "unknown key 'conections'; did you mean 'connections'? ('max_connections_per_source' "
            "takes connections, ipv4_prefix, ipv6_prefix)",
            1),
  });
}

TEST_CASE("networks are written in CIDR notation") {
  check({
      limit("allow", "10.0.0.0/33",
            "network '10.0.0.0/33' has '33' for the length of its prefix: write a number from 0 to "
            "32"),
      limit("deny", "[10.0.0.0/8, 10.1.2.3/16, host]",
            "network '10.1.2.3/16' has bits behind its prefix: write 10.1.0.0/16, or 10.1.2.3 for "
            "that address alone\n6:37: network 'host' does not begin with an IP address: write one "
            "like 10.0.0.0/8 or fd00::/8",
            13),
      limit("allow", "[]",
            "'allow' is an empty list; it must have a network like 10.0.0.0/8 or fd00::/8"),
      limit("deny", "{a: b}", "'deny' must be a network like 10.0.0.0/8 or fd00::/8, not a map"),
      limit("deny", "''", "'deny' is empty; it must be a network like 10.0.0.0/8 or fd00::/8"),
      limit(
          "proxy_from", "on",
          "network 'on' does not begin with an IP address: write one like 10.0.0.0/8 or fd00::/8"),
  });
}

TEST_CASE("proxies are for listeners that take connections by IP") {
  const std::string words =
      "'proxy_from' is about connections by tcp:// and tls://, and this listener has no such "
      "address (where 'defaults' has it: 'proxy_from: off' here)";
  const auto listening = [](const std::string& address, const std::string& keys) {
    return "listeners: [{name: a, listen: '" + address + "', model: fork, handler: echo" + keys +
           "}]\n";
  };
  const std::string proxies = "defaults: {proxy_from: 10.0.0.1}\n";
  check({
      {listening("unix://@a", ", proxy_from: 10.0.0.1"), "1:31: listener 'a': " + words + "\n"},
      {proxies + listening("unix://@a", ""), "2:31: listener 'a': " + words + "\n"},
  });
  CHECK(load(proxies + listening("unix://@a", ", proxy_from: off")).mistakes == "");
  CHECK(load(proxies + listening("tcp://h:1", "")).mistakes == "");
}

TEST_CASE("resources are a size, whole seconds and a number") {
  check({
      limit("resources", "256MiB", "'resources' is a map of 'key: value' lines, not text"),
      limit("resources", "{memory: 256}", "'memory' must be at least 16MiB, not '256'", 9),
      limit("resources", "{memory: 256MB}",
            "'memory': '256MB' has the unknown unit 'MB': write 256MiB", 9),
      limit("resources", "{memory: [1]}", "'memory' must be a size like 256MiB, not a list", 9),
      limit("resources", "{cpu_time: 10}", "'cpu_time': '10' needs a unit: 10s?", 11),
      limit("resources", "{cpu_time: 1500ms}",
            "'cpu_time' is counted in whole seconds, not '1500ms'", 11),
      limit("resources", "{cpu_time: 10ms}", "'cpu_time' must be at least 1s, not '10ms'", 11),
      limit("resources", "{cpu_time: off}",
            "'cpu_time' cannot be off; it must be a duration like 30s", 11),
      limit("resources", "{descriptors: 5}", "'descriptors' must be from 32 to 1048576, not '5'",
            14),
      limit("resources", "{cpu: 1s}",
            "unknown key 'cpu'; did you mean 'cpu_time'? ('resources' takes memory, cpu_time, "
            "descriptors)",
            1),
  });
}

TEST_CASE("a choice is one of its words") {
  check({
      {"log: {level: debgu}\n" + kRest,
       "1:14: 'level' must be 'trace', 'debug', 'info', 'warn', 'error' or 'critical', not "
       "'debgu'; did you mean 'debug'?\n"},
      {"log: {format: xml}\n" + kRest, "1:15: 'format' must be 'text' or 'json', not 'xml'\n"},
  });
}

TEST_CASE("names of listeners are plain and unique") {
  const auto named = [](const std::string& name) {
    return "listeners:\n  - {name: " + name +
           ", listen: 'tcp://h:1', model: fork, handler: echo}\n";
  };
  check({
      {named("a b"), "2:12: 'name' takes letters, digits, '_', '-' and '.', not 'a b'\n"},
      {named("é"), "2:12: 'name' takes letters, digits, '_', '-' and '.', not 'é'\n"},
      {named(std::string(65, 'a')), "2:12: 'name' takes no more than 64 characters, not 65\n"},
      {named("''"), "2:12: 'name' is empty; it must be a name\n"},
      {named("a") + "  - {name: a, listen: 'tcp://h:2', model: fork, handler: echo}\n",
       "3:12: the name 'a' is that of the listener in line 2 already\n"},
  });
  CHECK(load(named(std::string(64, 'a'))).mistakes == "");
}

TEST_CASE("addresses are well-formed and each is listened on once") {
  const auto listening = [](const std::string& listen) {
    return "listeners:\n  - name: a\n    model: fork\n    handler: echo\n    listen: " + listen +
           "\n";
  };
  check({
      {listening("[]"),
       "5:13: 'listen' is an empty list; it must have an address like tcp://0.0.0.0:50007 or "
       "unix:///run/echo.sock\n"},
      {listening("{tcp: 1}"),
       "5:13: 'listen' must be an address like tcp://0.0.0.0:50007 or unix:///run/echo.sock, not a "
       "map\n"},
      {listening("['tcp://h:1', , 'tcp://h:2']"), "5:13: entry 2 of 'listen' is empty\n"},
      {listening("['tcp://h:1', 'tcp://h:1']"),
       "5:27: tcp://h:1 is listened on in line 5 already\n"},
      {listening("['tcp://h:1', 'tcp://h:2']") +
           "  - {name: b, model: fork, handler: echo, listen: 'tcp://h:2'}\n",
       "6:51: tcp://h:2 is listened on in line 5 already\n"},
      {listening("['tcp://127.0.0.1:1', 'tcp://0.0.0.0:1']"),
       "5:35: tcp://0.0.0.0:1 cannot be had beside tcp://127.0.0.1:1 in line 5: one of the two is "
       "the port of every address\n"},
      {listening("['tcp://[::]:1', 'udp://[::1]:1', 'tcp://[::1]:2', 'tcp://0.0.0.0:1']"), ""},
  });
  CHECK(load(listening("tcp://h:99999")).mistakes.starts_with("5:13: "));
  CHECK(load(listening("[h, 'tcp://h', 'tcp://h:1']")).mistakes.starts_with("5:14: "));
}

TEST_CASE("an unknown model is told with the models there are") {
  check({
      {"listeners: [{name: a, listen: 'tcp://h:1', model: selct, handler: echo}]\n",
       "1:51: unknown model 'selct'; did you mean 'select'? (the models are " + model_names() +
           ")\n"},
      {"defaults: {model: twisted}\nlisteners:\n- {name: a, listen: 'tcp://h:1', handler: echo}\n"
       "- {name: b, listen: 'tcp://h:2', handler: echo}\n",
       "1:19: unknown model 'twisted' (the models are " + model_names() + ")\n"},
  });
}

TEST_CASE("a handler is a name and not a file") {
  const auto handled = [](const std::string& handler, const std::string& message) {
    return Mistake{
        "listeners: [{name: a, listen: 'tcp://h:1', model: fork, handler: " + handler + "}]\n",
        "1:66: 'handler' " + message + "\n"};
  };
  check({
      handled("echo.so", "is a name, not a file: 'echo.so'; write echo"),
      handled("./x/echo.so",
              "is a name, not a file: './x/echo.so'; write echo, and its folder under 'plugins:'"),
      handled("x/echo",
              "is a name, not a file: 'x/echo'; write echo, and its folder under 'plugins:'"),
      handled("x/..", "is a name, not a file: 'x/..'"),
      handled(".so", "is a name, not a file: '.so'"),
      handled("..", "cannot begin with '.': '..'"),
      handled("a b", "takes letters, digits, '_', '-' and '.', not 'a b'"),
  });
}

TEST_CASE("folders and files that are not there are told with their full path") {
  check({
      {"plugins: [more]\n" + kRest, "1:11: no such folder: /nonexistent-berth/conf/more\n"},
      {"plugins: ~/more\n" + kRest,
       "1:10: no such folder: /nonexistent-berth/conf/~/more ('~' is not replaced here; write the "
       "path in full)\n"},
      {"plugins: /dev/null\n" + kRest, "1:10: not a folder: /dev/null\n"},
      {"plugins: /dev/null/x\n" + kRest, "1:10: cannot look into /dev/null/x: Not a directory\n"},
      {"plugins: \"/tmp\\0x\"\n" + kRest,
       "1:10: a path cannot have a NUL character in it: '/tmp\\x00x'\n"},
      {"log: {file: /nonexistent-berth/x.log}\n" + kRest,
       "1:13: no such folder: /nonexistent-berth\n"},
      {"log: {file: /tmp}\n" + kRest, "1:13: the log must be a file, not a folder: /tmp\n"},
  });
}

TEST_CASE("without all of its plugin folders a config has none, so that no handler is missed") {
  CHECK(load("plugins: [/tmp, /nonexistent-berth]\n" + kRest).settings.plugin_folders.empty());
  CHECK(load("plugins: [/nonexistent-berth, /tmp]\n" + kRest).settings.plugin_folders.empty());
  CHECK(load("plugin: /tmp\n" + kRest).settings.plugin_folders.empty());
  CHECK(load("plugins: /tmp\n" + kRest).settings.plugin_folders.size() == 1);
}

TEST_CASE("settings that do not go together are told once, with the listeners they concern") {
  const std::string message =
      "max_connections (2) is less than workers (3), so that some workers could serve nobody\n";
  check({
      {kListener + "    workers: 3\n    max_connections: 2\n", "7:22: listener 'a': " + message},
      {"defaults: {workers: 3, max_connections: 2, model: fork, handler: echo}\nlisteners:\n"
       "- {name: a, listen: 'tcp://h:1'}\n- {name: b, listen: 'tcp://h:2'}\n"
       "- {name: c, listen: 'tcp://h:3', workers: 1}\n",
       "1:41: listeners 'a', 'b': " + message},
      {kListener + "    workers: 3\n    rate: {connections: 5/s, burst: 2}\n",
       "7:11: listener 'a': the burst of 'rate' (2) is less than workers (3), each of which needs "
       "1; leave it out, or raise it\n"},
      {kListener + "    workers: 1001\n",
       "6:14: listener 'a': max_connections (1000) is less than workers (1001), so that some "
       "workers could serve nobody\n"},
  });
}

TEST_CASE("what a model cannot serve is told at the model's place") {
  bool one_objected = false;
  for (const ModelRow* row : model_table()) {
    const std::string name(row->name);
    const std::string inherited = "defaults: {handler: echo, model: " + name +
                                  "}\nlisteners:\n"
                                  "- {name: a, listen: 'tcp://h:1', max_connections: 1000000}\n";
    ListenerSettings settings;
    settings.max_connections = 1'000'000;
    settings.listen = {Address{}};
    const auto objection = row->objection(settings);
    one_objected = one_objected || objection;
    CHECK(load(inherited).mistakes ==
          (objection ? "1:34: listener 'a': " + *objection + "\n" : ""));
  }
  CHECK(one_objected);
}

TEST_CASE("several mistakes are several messages, in the order of the file") {
  check({
      {"log: {level: loud}\n"
       "listeners:\n"
       "  - name: a\n"
       "    listen: tcp://h:1\n"
       "    handler: echo.so\n"
       "    workers: 0\n"
       "    max_connections: 1e2\n",
       "1:14: 'level' must be 'trace', 'debug', 'info', 'warn', 'error' or 'critical', not "
       "'loud'\n"
       "3:5: listener 'a' has no 'model:', and 'defaults:' gives none\n"
       "5:14: 'handler' is a name, not a file: 'echo.so'; write echo\n"
       "6:14: 'workers' must be from 1 to 1024, not '0'\n"
       "7:22: 'max_connections' must be a whole number, not '1e2'; write 100\n"},
  });
}

}  // namespace
}  // namespace berth
