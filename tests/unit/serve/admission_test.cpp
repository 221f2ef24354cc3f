#include "serve/admission.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "serve/session_rig.hpp"
#include "serve/source_counts.hpp"

namespace berth {
namespace {

using namespace berth::testing;

SocketAddress address(const std::string& host, std::uint16_t port = 1) {
  return resolve({Scheme::tcp, host, port}).value()[0];
}

std::vector<Network> networks(const std::vector<std::string>& texts) {
  std::vector<Network> all;
  for (const std::string& text : texts) all.push_back(parse_network(text).value());
  return all;
}

struct Rig {
  explicit Rig(std::vector<Network> allow, std::vector<Network> deny, unsigned per_source = 0) {
    settings.allow = std::move(allow);
    settings.deny = std::move(deny);
    settings.max_connections_per_source.connections = per_source;
    if (per_source != 0) {
      sources.emplace(table, 0, settings.max_connections_per_source);
      context.sources = &*sources;
    }
    admission.emplace(loop, context, counters);
  }
  [[nodiscard]] bool admits(const std::string& host) { return admission->admits(address(host)); }
  [[nodiscard]] std::size_t lines() const {
    const std::string text = log.text();
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  }

  ListenerSettings settings;
  LogFile log;
  Serve serve = echo;
  Handler handler = script_handler(serve);
  SessionContext context{settings, handler, log.log, {}};
  SourceTable table{1, 100};
  std::optional<SourceCounts> sources;
  EventLoop loop{std::make_unique<EpollDemultiplexer>()};
  DenialCounters counters;
  std::optional<Admission> admission;
};

TEST_CASE("without 'allow' everybody is let in whom 'deny' does not name") {
  Rig rig({}, networks({"10.0.0.0/8", "fd00::/8"}));
  CHECK(rig.admits("192.0.2.1"));
  CHECK(rig.admits("2001:db8::1"));
  CHECK_FALSE(rig.admits("10.1.2.3"));
  CHECK_FALSE(rig.admits("fd00::1"));
  CHECK(rig.counters.of(Denial::address) == 2);
  CHECK(rig.counters.of(Denial::source) == 0);
}

TEST_CASE("with 'allow' only those in it are let in, and 'deny' wins over it") {
  Rig rig(networks({"10.0.0.0/8", "192.0.2.1"}), networks({"10.1.0.0/16"}));
  CHECK(rig.admits("10.2.0.1"));
  CHECK(rig.admits("192.0.2.1"));
  CHECK_FALSE(rig.admits("10.1.0.1"));
  CHECK_FALSE(rig.admits("192.0.2.2"));
  CHECK_FALSE(rig.admits("::1"));
}

TEST_CASE("who is denied by address does not count for its source") {
  Rig rig({}, networks({"192.0.2.1"}), 1);
  for (int i = 0; i < 3; ++i) CHECK_FALSE(rig.admits("192.0.2.1"));
  CHECK(rig.admits("192.0.2.2"));
  CHECK_FALSE(rig.admits("192.0.2.2"));
  CHECK(rig.counters.of(Denial::address) == 3);
  CHECK(rig.counters.of(Denial::source) == 1);
  rig.context.give_back(address("192.0.2.2"));
  CHECK(rig.admits("192.0.2.2"));
  rig.admission->withdraw(address("192.0.2.2"));
  CHECK(rig.admits("192.0.2.2"));
}

TEST_CASE("the first denial is told with its reason, and those soon after in one line") {
  {
    Rig rig(networks({"10.0.0.0/8"}), {}, 1);
    CHECK_FALSE(rig.admits("192.0.2.1"));
    CHECK(rig.log.text().find("warn") != std::string::npos);
    CHECK(
        rig.log.text().find("connection from 192.0.2.1:1 denied: its address is not in 'allow'") !=
        std::string::npos);
    CHECK(rig.admits("10.0.0.1"));
    for (int i = 0; i < 5; ++i) CHECK_FALSE(rig.admits("10.0.0.1"));
    for (int i = 0; i < 2; ++i) CHECK_FALSE(rig.admits("192.0.2.9"));
    CHECK(rig.lines() == 1);
    CHECK(rig.loop.timers().next() != kNever);
    rig.loop.timers().fire_due(rig.loop.now() + std::chrono::seconds(10));
    CHECK(rig.log.text().find("7 more connections denied in the last 0s (2 denied by address and 5 "
                              "per source), the last of them from 192.0.2.9:1") !=
          std::string::npos);
    CHECK_FALSE(rig.admits("192.0.2.9"));
    CHECK(rig.lines() == 2);
    rig.admission.reset();  // what was kept back is told at the end
    CHECK(rig.log.text().find("1 more connection denied in the last") != std::string::npos);
    CHECK(rig.lines() == 3);
  }
  Rig rig({}, networks({"10.0.0.0/8"}), 1);
  CHECK(rig.admits("192.0.2.1"));
  CHECK_FALSE(rig.admits("192.0.2.1"));
  CHECK(rig.log.text().find("192.0.2.1 has as many connections as a source may have, 1") !=
        std::string::npos);
  rig.loop.timers().fire_due(rig.loop.now() + std::chrono::seconds(10));
  CHECK(rig.loop.timers().next() == kNever);  // nothing was kept back
  CHECK_FALSE(rig.admits("10.0.0.1"));
  CHECK(rig.log.text().find("denied: its address is in 'deny'") != std::string::npos);
}

TEST_CASE("a listener that restricts nobody needs no admission") {
  ListenerSettings settings;
  CHECK_FALSE(Admission::restricts(settings));
  settings.deny = networks({"10.0.0.0/8"});
  CHECK(Admission::restricts(settings));
  settings = {};
  settings.allow = networks({"10.0.0.0/8"});
  CHECK(Admission::restricts(settings));
  settings = {};
  settings.max_connections_per_source.connections = 1;
  CHECK(Admission::restricts(settings));
}

TEST_CASE("denials are described by kind") {
  CHECK(describe_denials(0, 0) == "");
  CHECK(describe_denials(3, 0) == "3 denied by address");
  CHECK(describe_denials(0, 2) == "2 denied per source");
  CHECK(describe_denials(3, 2) == "3 denied by address and 2 per source");
}

}  // namespace
}  // namespace berth
