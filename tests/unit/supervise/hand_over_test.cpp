#include "supervise/hand_over.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "net/socket.hpp"
#include "sanitized.hpp"

namespace berth {
namespace {

using Json = nlohmann::json;

SocketAddress some_address() {
  auto resolved = resolve({Scheme::tcp, "127.0.0.1", 2934});
  REQUIRE(resolved);
  return resolved->front();
}

HandedOver some_state() {
  HandedOver state;
  state.generation = 7;
  state.configs = {{6, "old: 1\n", {"/p/a.so"}, -1},
                   {7, "new: \"\xc3\xa9\"\n", {"/p/a.so", "/p/b"}, 20}};
  HandedOver::Listener listener;
  listener.name = "web";
  listener.generation = 7;
  listener.sockets = {{.requested = some_address(),
                       .actual = some_address(),
                       .sockets = {10, 11},
                       .file = 19,
                       .scheme = Scheme::tls}};
  listener.workers = {{WorkerState::serving, 4242, 12, 13, 3},
                      {WorkerState::waiting, 0, -1, 14, 9}};
  listener.groups = {77, 78};
  state.listeners = {listener};
  state.control = 15;
  state.control_file = 18;
  state.control_path = "/run/berth/a.sock";
  state.clients = {16, 17};
  return state;
}

TEST_CASE("what is handed over arrives as it was") {
  const HandedOver state = some_state();
  auto memory = write_handed_over(state);
  REQUIRE(memory);
  for (int time = 0; time < 2; ++time) {  // once to be checked, once in earnest
    const auto read = read_handed_over(memory->get());
    REQUIRE(read);
    CHECK(read.value() == state);
  }
}

TEST_CASE("a host without listeners, control socket and clients can be handed over") {
  HandedOver state;
  state.configs = {{0, "", {}, -1}};
  const auto parsed = parse_handed_over(to_text(state));
  REQUIRE(parsed);
  CHECK(parsed.value() == state);
}

TEST_CASE("what sockets carry and which groups they are in arrives, or is what it was before") {
  HandedOver state = some_state();
  auto resolved = resolve({Scheme::udp, "127.0.0.1", 2934});
  REQUIRE(resolved);
  HandedOver::Bound& bound = state.listeners[0].sockets[0];
  bound.requested = bound.actual = resolved->front();
  bound.scheme = Scheme::udp;
  bound.joined = {{"239.1.2.3"}, "eth0"};
  const auto parsed = parse_handed_over(to_text(state));
  REQUIRE(parsed);
  CHECK(parsed.value() == state);
  CHECK(parsed.value().listeners[0].sockets[0].actual.is_datagram());

  Json json = Json::parse(to_text(some_state()));
  for (const char* key : {"scheme", "groups", "interface"}) {
    json["listeners"][0]["sockets"][0].erase(key);
  }
  const auto former = parse_handed_over(json.dump());
  REQUIRE(former);
  HandedOver before = some_state();
  before.listeners[0].sockets[0].scheme = Scheme::tcp;
  CHECK(former.value() == before);
}

TEST_CASE("a path may have any bytes") {
  HandedOver state = some_state();
  state.control_path = "/run/caf\xe9/\xff.sock";
  state.configs[0].handlers = {"/p/\xe9.so"};
  const auto parsed = parse_handed_over(to_text(state));
  REQUIRE(parsed);
  CHECK(parsed.value() == state);
}

TEST_CASE("every descriptor is named, and none that there is not") {
  CHECK(descriptors_of(some_state()) ==
        std::vector<int>{16, 17, 20, 15, 18, 10, 11, 19, 12, 13, 14});
}

TEST_CASE("a state that contradicts itself is refused") {
  HandedOver state = some_state();
  std::string words;
  SUBCASE("a config is missing") {
    state.listeners[0].generation = 5;
    words = "without its config";
  }
  SUBCASE("a descriptor is named twice") {
    state.listeners[0].workers[0].channel = 10;
    words = "used twice";
  }
  SUBCASE("a standard descriptor") {
    state.clients = {2};
    words = "used twice";
  }
  SUBCASE("a worker without a board") {
    state.listeners[0].workers[1].board = -1;
    words = "without its board";
  }
  SUBCASE("a worker without a channel") {
    state.listeners[0].workers[0].channel = -1;
    words = "without its channel";
  }
  SUBCASE("the first process of all") {
    state.listeners[0].workers[0].pid = 1;
    words = "cannot be one";
  }
  SUBCASE("sessions that kill(2) would take for every process") {
    state.listeners[0].groups = {1};
    words = "sessions that cannot be any";
  }
  const auto parsed = parse_handed_over(to_text(state));
  REQUIRE_FALSE(parsed);
  CAPTURE(parsed.error().message);
  CHECK(parsed.error().message.find(words) != std::string::npos);
}

TEST_CASE("a state of another format is refused with both numbers") {
  Json json = Json::parse(to_text(some_state()));
  json["format"] = 99;
  const auto parsed = parse_handed_over(json.dump());
  REQUIRE_FALSE(parsed);
  CHECK(parsed.error().message.find("is of format 99, and this berth knows 1") !=
        std::string::npos);
}

// Calls `damage` with each value below `json`, one at a time, in a copy of the whole.
void damage_each(const Json& whole, const std::function<void(Json&)>& damage,
                 const std::function<void(const Json&, const std::string&)>& look) {
  const Json flat = whole.flatten();
  for (const auto& [pointer, value] : flat.items()) {
    Json copy = whole;
    damage(copy.at(Json::json_pointer(pointer)));
    look(copy, pointer);
  }
}

TEST_CASE("no value of another kind is taken, wherever it stands") {
  const Json whole = Json::parse(to_text(some_state()));
  const auto must_be_refused = [](const Json& json, const std::string& pointer) {
    CAPTURE(pointer);
    CHECK_FALSE(parse_handed_over(json.dump()));
  };
  damage_each(
      whole, [](Json& value) { value = nullptr; }, must_be_refused);
  damage_each(
      whole, [](Json& value) { value = Json::object(); }, must_be_refused);
  damage_each(
      whole, [](Json& value) { value = -5; }, must_be_refused);
  damage_each(
      whole, [](Json& value) { value = 1e300; }, must_be_refused);
}

TEST_CASE("no part may be missing but what the first berth did not know") {
  const Json whole = Json::parse(to_text(some_state()));
  const auto without = [&](const char* in, const char* key) {
    Json copy = whole;
    copy.at(Json::json_pointer(in)).erase(key);
    CAPTURE(in);
    CAPTURE(key);
    const bool is_new = key == std::string("files") || key == std::string("scheme");
    CHECK(static_cast<bool>(parse_handed_over(copy.dump())) == is_new);
  };
  for (const char* in :
       {"", "/configs/0", "/listeners/0", "/listeners/0/sockets/0", "/listeners/0/workers/0"}) {
    const Json part = whole.at(Json::json_pointer(in));
    for (const auto& [key, value] : part.items()) {
      // Which a binary of before there were others does not tell.
      if (key != "scheme" && key != "groups") without(in, key.c_str());
    }
  }
}

TEST_CASE("a text that is cut or damaged at random does no harm") {
  const unsigned seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const std::string text = to_text(some_state());
  for (std::size_t length = 0; length < text.size(); ++length) {
    CHECK_FALSE(parse_handed_over(std::string_view(text).substr(0, length)));
  }
  constexpr unsigned kRounds = 5000 / testing::kLessOften;
  unsigned refused = 0;
  for (unsigned round = 0; round < kRounds; ++round) {
    std::string damaged = text;
    damaged[random() % damaged.size()] = static_cast<char>(random());
    if (!parse_handed_over(damaged)) ++refused;
  }
  CHECK(refused > kRounds / 5);
}

TEST_CASE("a descriptor that is no state is refused") {
  CHECK_FALSE(read_handed_over(-1));
  const Fd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  CHECK_FALSE(read_handed_over(null.get()));
}

}  // namespace
}  // namespace berth
