#include "base/source.hpp"

#include <doctest/doctest.h>

namespace berth {
namespace {

const std::vector<std::string> kKeys = {"name",    "listen",          "model",        "handler",
                                        "workers", "max_connections", "idle_timeout", "backlog"};

TEST_CASE("mistakes are told in the order of their places, each once") {
  Diagnostics problems("conf/berth.yaml");
  CHECK(problems.empty());
  problems.add({7, 3}, "late");
  problems.add({2, 10}, "right");
  problems.add({2, 9}, "left");
  problems.add({}, "of the file");
  problems.add({7, 3}, "late");
  CHECK_FALSE(problems.empty());
  CHECK(problems.to_text() ==
        "conf/berth.yaml: of the file\n"
        "conf/berth.yaml:2:9: left\n"
        "conf/berth.yaml:2:10: right\n"
        "conf/berth.yaml:7:3: late\n");
  CHECK(problems.sorted().size() == 4);
}

TEST_CASE("a mistake's text cannot break out of its line") {
  Diagnostics problems("a");
  problems.add({1, 1}, "unknown key 'x\n\x1b[2J'");
  CHECK(problems.to_text() == "a:1:1: unknown key 'x\\n\\x1b[2J'\n");
}

TEST_CASE("the nearest name is found behind slips of the pen") {
  CHECK(nearest("handlr", kKeys) == "handler");
  CHECK(nearest("hnadler", kKeys) == "handler");
  CHECK(nearest("nmae", kKeys) == "name");
  CHECK(nearest("Model", kKeys) == "model");
  CHECK(nearest("MODEL", kKeys) == "model");
  CHECK(nearest("max-connections", kKeys) == "max_connections");
  CHECK(nearest("maxConnections", kKeys) == "max_connections");
  CHECK(nearest("max_conn", kKeys) == "max_connections");
  CHECK(nearest("worker", kKeys) == "workers");
}

TEST_CASE("what is like no name is left alone") {
  CHECK(nearest("", kKeys).empty());
  CHECK(nearest("x", kKeys).empty());
  CHECK(nearest("user", kKeys).empty());
  CHECK(nearest("hostname", kKeys).empty());
  CHECK(nearest("ab", {"xy"}).empty());
  CHECK(nearest(std::string(100'000, 'a'), kKeys).empty());
  CHECK(nearest("name", {}).empty());
}

TEST_CASE("a swap of neighbours is nearer than two other slips") {
  CHECK(nearest("epol", {"expo", "epoll"}) == "epoll");
  CHECK(nearest("tcah", {"chat", "tach"}) == "tach");
}

TEST_CASE("a suggestion is a question at the end of a message") {
  CHECK(did_you_mean("handlr", kKeys) == "; did you mean 'handler'?");
  CHECK(did_you_mean("zzz", kKeys) == "");
}

TEST_CASE("a choice is listed with commas and an or") {
  CHECK(one_of({}) == "");
  CHECK(one_of({"a"}) == "'a'");
  CHECK(one_of({"a", "b"}) == "'a' or 'b'");
  CHECK(one_of({"a", "b", "c"}) == "'a', 'b' or 'c'");
}

TEST_CASE("a long text is cut in quotes, but not within a character") {
  CHECK(in_quotes("short") == "'short'");
  CHECK(in_quotes(std::string(60, 'a')) == "'" + std::string(60, 'a') + "'");
  CHECK(in_quotes(std::string(61, 'a')) == "'" + std::string(60, 'a') + "…'");
  CHECK(in_quotes(std::string(59, 'a') + "éé") == "'" + std::string(59, 'a') + "…'");
}

}  // namespace
}  // namespace berth
