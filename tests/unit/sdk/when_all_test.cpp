#include <doctest/doctest.h>

#include <stdexcept>
#include <type_traits>

#include "sdk/fake_host.hpp"

namespace berth {
namespace {

using testing::FakeHost;

// Sleeps, which may or may not wait, and says when it has ended.
Task<int> sleep_and_return(Connection connection, int value, std::vector<int>& ended) {
  co_await connection.sleep_for(std::chrono::seconds(value));
  ended.push_back(value);
  co_return value;
}
Task<int> return_at_once(int value, std::vector<int>& ended) {
  ended.push_back(value);
  co_return value;
}
Task<> nothing() { co_return; }

Task<> both_wait(Connection connection, std::vector<int>& ended, int& sum) {
  const auto [one, two] = co_await when_all(sleep_and_return(connection, 1, ended),
                                            sleep_and_return(connection, 2, ended));
  sum = one * 10 + two;
}

TEST_CASE("when_all starts every task before the first has ended") {
  FakeHost host;
  host.sleeps_wait = true;
  std::vector<int> ended;
  int sum = 0;
  host.serve(both_wait(host.connection(), ended, sum));
  REQUIRE(host.pending.size() == 2);
  CHECK(ended.empty());
  SUBCASE("ending in order") { host.complete_next(); }
  SUBCASE("ending the other way round") {
    std::swap(host.pending.front(), host.pending.back());
    host.complete_next();
  }
  CHECK(ended.size() == 1);
  CHECK(sum == 0);
  CHECK(host.finishes == 0);
  host.complete_next();
  CHECK(sum == 12);
  CHECK(host.finishes == 1);
}

Task<> one_waits(Connection connection, std::vector<int>& ended, int& sum, bool first) {
  auto [a, b] =
      first ? co_await when_all(sleep_and_return(connection, 1, ended), return_at_once(2, ended))
            : co_await when_all(return_at_once(1, ended), sleep_and_return(connection, 2, ended));
  sum = a * 10 + b;
}

TEST_CASE("when_all takes one task that ends at once and one that ends later") {
  for (const bool first : {true, false}) {
    CAPTURE(first);
    FakeHost host;
    host.sleeps_wait = true;
    std::vector<int> ended;
    int sum = 0;
    host.serve(one_waits(host.connection(), ended, sum, first));
    CHECK(ended.size() == 1);
    CHECK(sum == 0);
    REQUIRE(host.pending.size() == 1);
    host.complete_next();
    CHECK(sum == 12);
    CHECK(host.finishes == 1);
  }
}

Task<> none_waits(std::vector<int>& ended, int& sum) {
  const auto results = co_await when_all(return_at_once(1, ended), nothing(), nothing());
  static_assert(
      std::is_same_v<decltype(results), const std::tuple<int, std::monostate, std::monostate>>);
  sum = std::get<0>(results);
}

TEST_CASE("when_all over tasks that never wait never waits") {
  FakeHost host;
  std::vector<int> ended;
  int sum = 0;
  host.serve(none_waits(ended, sum));
  CHECK(sum == 1);
  CHECK(host.finishes == 1);
}

Task<std::pair<int, int>> pair_of_numbers() { co_return std::pair{1, 2}; }

Task<> single_pair(int& sum) {
  const auto results = co_await when_all(pair_of_numbers());
  static_assert(std::is_same_v<decltype(results), const std::tuple<std::pair<int, int>>>);
  sum = std::get<0>(results).first + std::get<0>(results).second;
}

TEST_CASE("when_all of one task gives a tuple of one, whatever the result's type") {
  FakeHost host;
  int sum = 0;
  host.serve(single_pair(sum));
  CHECK(sum == 3);
}

Task<> nothing_at_all(bool& done) {
  co_await when_all();
  done = true;
}

TEST_CASE("when_all of nothing is done at once") {
  FakeHost host;
  bool done = false;
  host.serve(nothing_at_all(done));
  CHECK(done);
}

Task<> sleep_and_throw(Connection connection, const char* what) {
  co_await connection.sleep_for(std::chrono::seconds(1));
  throw std::runtime_error(what);
}

Task<> two_faults(Connection connection, std::vector<int>& ended, std::string& caught) {
  try {
    co_await when_all(sleep_and_throw(connection, "first"), sleep_and_throw(connection, "second"),
                      sleep_and_return(connection, 3, ended));
  } catch (const std::runtime_error& fault) {
    caught = fault.what();
  }
}

TEST_CASE("when_all throws the first argument's exception after all tasks have ended") {
  FakeHost host;
  host.sleeps_wait = true;
  std::vector<int> ended;
  std::string caught;
  host.serve(two_faults(host.connection(), ended, caught));
  REQUIRE(host.pending.size() == 3);
  std::swap(host.pending[0], host.pending[1]);  // the second argument throws first
  host.complete_next();
  host.complete_next();
  CHECK(caught.empty());
  CHECK(ended.empty());
  host.complete_next();
  CHECK(caught == "first");
  CHECK(ended == std::vector{3});
  CHECK(host.outcome == BERTH_FINISHED);
}

Task<std::string> read_all(Connection connection) {
  std::string all;
  while (auto data = co_await connection.read()) all += *data;
  co_return all;
}
Task<> write_some(Connection connection) {
  for (int i = 0; i < 3; ++i) co_await connection.write("w", std::to_string(i));
}
Task<> duplex(Connection connection, std::string& read) {
  const auto [text, nothing] = co_await when_all(read_all(connection), write_some(connection));
  read = text;
}

TEST_CASE("a session reads and writes at once") {
  FakeHost host;
  host.reads_wait = host.writes_wait = true;
  host.input = {{"a"}, {"b"}};
  std::string read;
  host.serve(duplex(host.connection(), read));
  CHECK(host.pending.size() == 2);
  host.complete_all();
  CHECK(read == "ab");
  CHECK(host.written == "w0w1w2");
  CHECK(host.finishes == 1);
}

}  // namespace
}  // namespace berth
