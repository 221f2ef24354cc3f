// Functions called in the background, with all that they capture, return and throw. Included by one
// source that is optimised and by one that is not: how often a compiler destroys what stands in a
// co_await expression is its own doing. All sessions are of the including source alone.
#pragma once

#include <memory>
#include <stdexcept>

#include "sdk/counted.hpp"
#include "sdk/fake_host.hpp"

namespace berth {
namespace {

using testing::Counted;

// Throws where the test is to fail.
void expect(bool holds) {
  if (!holds) throw std::logic_error("not what was expected");
}

Task<> captures_by_reference(Connection connection) {
  const Counted one("one");
  const std::string text(100, 'x');
  const std::size_t size =
      co_await connection.in_background([&] { return std::string_view(one).size() + text.size(); });
  expect(size == 103);
}

Task<> captures_plain_values(Connection connection) {
  for (int i = 0; i < 3; ++i) {
    const int twice = co_await connection.in_background([i] { return 2 * i; });
    expect(twice == 2 * i);
  }
}

Task<> named_with_captures(Connection connection) {
  const auto copy = [one = Counted("one")] { return one; };
  const Counted result = co_await connection.in_background(copy);
  expect(std::string_view(result) == "one");
}

Task<> moves_in_and_out(Connection connection) {
  auto move = [one = std::make_unique<Counted>("one")]() mutable { return std::move(one); };
  const std::unique_ptr<Counted> result = co_await connection.in_background(move);
  expect(std::string_view(*result) == "one");
}

Task<> result_in_an_expression(Connection connection) {
  const Counted one("one");
  const std::string both = std::string(co_await connection.in_background([&] { return one; })) +
                           (co_await connection.in_background([&] { return std::string(one); }));
  expect(both == "oneone");
}

Task<> throws_what_it_throws(Connection connection) {
  const Counted one("one");
  bool caught = false;
  try {
    co_await connection.in_background([&] { throw Counted(one); });
  } catch (const Counted& thrown) {
    caught = std::string_view(thrown) == "one";
  }
  expect(caught);
}

Task<Counted> copied_in_background(Connection connection, Counted parameter) {
  co_return co_await connection.in_background([&] { return parameter; });
}
Task<> two_at_once(Connection connection) {
  const auto [one, two] =
      co_await when_all(copied_in_background(connection, Counted("one")),
                        copied_in_background(connection, Counted(std::string(100, '2'))));
  expect(std::string_view(one) == "one" && std::string_view(two) == std::string(100, '2'));
}

#if defined(__clang__) || __GNUC__ >= 13
Task<> temporary_with_captures(Connection connection) {
  const Counted one("one");
  const Counted result = co_await connection.in_background([one] { return one; });
  expect(std::string_view(result) == "one");
}
#endif

struct LifeCase {
  const char* name;
  Task<> (*session)(Connection);
};
constexpr LifeCase kLifeCases[] = {
    {"captures by reference", captures_by_reference},
    {"captures plain values", captures_plain_values},
    {"a named function with captures", named_with_captures},
    {"moves in and out", moves_in_and_out},
    {"a result within an expression", result_in_an_expression},
    {"throws what it throws", throws_what_it_throws},
    {"two at once", two_at_once},
#if defined(__clang__) || __GNUC__ >= 13
    {"a temporary with captures", temporary_with_captures},
#endif
};

// Runs a case on a host that completes calls at once or later, or refuses them.
struct LifeRun {
  LifeRun(const LifeCase& which, bool waits, int error) {
    Counted::reset();
    testing::FakeHost host;
    host.calls_wait = waits;
    host.call_error = error;
    host.serve(which.session(host.connection()));
    host.complete_all();
    outcome = host.finishes == 1 ? host.outcome : -1;
    text = host.finish_text;
  }
  int outcome;
  std::string text;
};

}  // namespace
}  // namespace berth
