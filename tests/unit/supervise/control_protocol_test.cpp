#include "supervise/control_protocol.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <random>
#include <string>

namespace berth {
namespace {

TEST_CASE("each request is understood as it was meant") {
  for (const ControlCommand command :
       {ControlCommand::status, ControlCommand::reload, ControlCommand::upgrade,
        ControlCommand::drain, ControlCommand::resume, ControlCommand::stop}) {
    ControlRequest request = {.command = command, .listener = {}};
    if (command == ControlCommand::drain || command == ControlCommand::resume) {
      request.listener = "a \"b\"\n\\";
    }
    if (command == ControlCommand::stop) request.at_once = true;
    std::string line = to_line(request);
    REQUIRE(line.ends_with('\n'));
    line.pop_back();
    CHECK(line.find('\n') == line.npos);
    const auto parsed = parse_request(line);
    REQUIRE(parsed);
    CHECK(parsed.value() == request);
  }
}

TEST_CASE("what is no request is refused with the reason") {
  const std::pair<const char*, const char*> kinds[] = {
      {"", "one JSON object"},
      {"reload", "one JSON object"},
      {"[]", "one JSON object"},
      {"{}", "names its \"command\""},
      {R"({"command": 7})", "names its \"command\""},
      {R"({"command": "relaod"})", "did you mean 'reload'"},
      {R"({"command": "drain"})", "names its \"listener\""},
      {R"({"command": "drain", "listener": ""})", "names its \"listener\""},
      {R"({"command": "drain", "listener": 7})", "no 'listener' of that kind"},
      {R"({"command": "stop", "at_once": "yes"})", "no 'at_once' of that kind"},
      {R"({"command": "stop", "force": true})", "no 'force' of that kind"},
  };
  for (const auto& [line, words] : kinds) {
    CAPTURE(line);
    const auto parsed = parse_request(line);
    REQUIRE_FALSE(parsed);
    CAPTURE(parsed.error().message);
    CHECK(parsed.error().message.find(words) != std::string::npos);
  }
}

TEST_CASE("an answer is one line of JSON whatever its text holds") {
  const std::string text = "line\nanother \"\\\" \xff\xfe end";
  for (const std::string& line : {answer_ok(text), answer_error(text)}) {
    CHECK(line.find('\n') == line.size() - 1);
    CHECK(nlohmann::json::parse(line).is_object());
  }
  CHECK(nlohmann::json::parse(answer_error("no")).at("ok") == false);
  CHECK(nlohmann::json::parse(answer_ok("yes")).at("message") == "yes");
}

TEST_CASE("bytes at random are understood or refused, and nothing else") {
  const unsigned seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const std::string good = to_line({.command = ControlCommand::drain, .listener = "web"});
  unsigned refused = 0;
  for (int round = 0; round < 5000; ++round) {
    std::string line = good;
    for (unsigned i = 0; i < 1 + random() % 4; ++i) {
      line[random() % line.size()] = static_cast<char>(random());
    }
    if (!parse_request(line)) ++refused;
  }
  CHECK(refused > 2000);
}

}  // namespace
}  // namespace berth
