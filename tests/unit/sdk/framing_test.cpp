#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <vector>

#include "sanitized.hpp"
#include "sdk/fake_host.hpp"

namespace berth {
namespace {

using testing::FakeHost;
using Texts = std::vector<std::string>;

Task<> collect_lines(Connection connection, std::size_t longest, Texts& lines) {
  Lines reader(connection, longest);
  while (auto line = co_await reader.next()) lines.emplace_back(*line);
}

// The lines of a stream that arrives in these pieces; a BadFrame is the last of them.
Texts lines_of(std::deque<FakeHost::Input> pieces, std::size_t longest = Lines::kLongest,
               bool waits = false) {
  FakeHost host;
  host.reads_wait = waits;
  host.input = std::move(pieces);
  Texts lines;
  host.serve(collect_lines(host.connection(), longest, lines));
  host.complete_all();
  if (host.outcome == BERTH_FAILED) lines.push_back("failed: " + host.finish_text);
  return lines;
}

std::deque<FakeHost::Input> bytewise(const std::string& text) {
  std::deque<FakeHost::Input> pieces;
  for (const char byte : text) pieces.push_back({.data = std::string(1, byte)});
  return pieces;
}

TEST_CASE("lines end in LF or CRLF, and the last one may lack its end") {
  CHECK(lines_of({{"a\nb\r\nc"}}) == Texts{"a", "b", "c"});
  CHECK(lines_of({{"a\n"}}) == Texts{"a"});
  CHECK(lines_of({{"\n\r\n\n"}}) == Texts{"", "", ""});
  CHECK(lines_of({{"a\rb\n"}}) == Texts{"a\rb"});
  CHECK(lines_of({{"a\r\r\n"}}) == Texts{"a\r"});
  CHECK(lines_of({}) == Texts{});
  CHECK(lines_of({{std::string("a\0b\n", 4)}}) == Texts{std::string("a\0b", 3)});
}

TEST_CASE("lines are the same wherever the reads split them") {
  const std::string text = "first\r\nsecond\n\r\n\nthird, longer\r\nlast";
  const Texts whole = lines_of({{text}});
  REQUIRE(whole == Texts{"first", "second", "", "", "third, longer", "last"});
  for (const bool waits : {false, true}) {
    for (std::size_t split = 1; split < text.size(); ++split) {
      CAPTURE(split);
      CHECK(lines_of({{text.substr(0, split)}, {text.substr(split)}}, 64, waits) == whole);
    }
    CHECK(lines_of(bytewise(text), 64, waits) == whole);
  }
}

TEST_CASE("a line of the longest length passes and one byte more does not, however it arrives") {
  const Texts too_long = {"failed: a line is too long"};
  for (const std::string end : {"\n", "\r\n", ""}) {
    CAPTURE(end.size());
    const std::string longest = std::string(8, 'x') + end;
    const std::string longer = std::string(9, 'x') + end;
    CHECK(lines_of({{longest}}, 8) == Texts{"xxxxxxxx"});
    CHECK(lines_of(bytewise(longest), 8) == Texts{"xxxxxxxx"});
    CHECK(lines_of({{longer}}, 8) == too_long);
    CHECK(lines_of(bytewise(longer), 8) == too_long);
  }
  CHECK(lines_of({{"a\n" + std::string(9, 'x')}}, 8) == Texts{"a", too_long[0]});
  CHECK(lines_of({{"xxxxxxxx\r"}}, 8) == too_long);  // no line's end: the CR counts
}

TEST_CASE("a line without end is given up before the whole of it is kept") {
  FakeHost host;
  host.input.assign(1000, {.data = std::string(1000, 'x')});
  Texts lines;
  host.serve(collect_lines(host.connection(), 5000, lines));
  CHECK(host.outcome == BERTH_FAILED);
  CHECK(host.reads == 6);
}

TEST_CASE("a line that comes one byte at a time is searched once, not once a byte") {
  // Quadratic work would look at 2 * 10^12 bytes here, which no machine does in a test's time.
  constexpr std::size_t kLength = 2'000'000 / testing::kLessOften;
  const Texts lines = lines_of(bytewise(std::string(kLength, 'x') + "\n"), kLength);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].size() == kLength);
}

TEST_CASE("many lines in one read are taken without moving what follows") {
  constexpr std::size_t kCount = 1'000'000;
  std::string text;
  for (std::size_t i = 0; i < kCount; ++i) text += "ab\n";
  CHECK(lines_of({{std::move(text)}}).size() == kCount);
}

Task<> collect_blocks(Connection connection, std::size_t size, Texts& blocks) {
  Exactly reader(connection);
  while (auto block = co_await reader.next(size)) blocks.emplace_back(*block);
}

TEST_CASE("Exactly gives so many bytes however they arrive") {
  for (const bool bytes : {false, true}) {
    FakeHost host;
    const std::string text = "aaabbbccc";
    host.input = bytes ? bytewise(text) : std::deque<FakeHost::Input>{{text}};
    Texts blocks;
    host.serve(collect_blocks(host.connection(), 3, blocks));
    CHECK(blocks == Texts{"aaa", "bbb", "ccc"});
    CHECK(host.outcome == BERTH_FINISHED);
  }
}

TEST_CASE("Exactly tells the end before a message from the end within one") {
  FakeHost host;
  host.input = {{"aaab"}};
  Texts blocks;
  host.serve(collect_blocks(host.connection(), 3, blocks));
  CHECK(blocks == Texts{"aaa"});
  CHECK(host.outcome == BERTH_FAILED);
  CHECK(host.finish_text == "the stream ended in the middle of a message");
}

Task<> read_nothing(Connection connection, std::optional<std::size_t>& size) {
  Exactly reader(connection);
  if (const auto block = co_await reader.next(0)) size = block->size();
}

TEST_CASE("exactly nothing is had without a read") {
  FakeHost host;
  std::optional<std::size_t> size;
  host.serve(read_nothing(host.connection(), size));
  CHECK(size == 0);
  CHECK(host.reads == 0);
}

// A length on a line, then so many bytes: the two take turns on one buffer.
Task<> collect_messages(Connection connection, Texts& messages) {
  Buffer buffer(connection);
  Lines lines(buffer);
  Exactly bodies(buffer);
  while (auto header = co_await lines.next()) {
    const std::size_t size = std::stoul(std::string(*header));
    const auto body = co_await bodies.next(size);
    messages.emplace_back(body ? *body : "(end)");
  }
}

TEST_CASE("Lines and Exactly share a buffer without losing or repeating a byte") {
  const std::string text = "5\r\nhello3\na\nb0\n7\nlast\r\n!";
  const Texts expected = {"hello", "a\nb", "", "last\r\n!"};
  for (std::size_t split = 1; split < text.size(); ++split) {
    CAPTURE(split);
    FakeHost host;
    host.input = {{text.substr(0, split)}, {text.substr(split)}};
    Texts messages;
    host.serve(collect_messages(host.connection(), messages));
    CHECK(messages == expected);
  }
}

Task<> one_line(Connection connection, ReadOptions options) {
  Lines lines(connection);
  (void)co_await lines.next(options);
}

TEST_CASE("a helper's reads carry the options, and their failure passes through it") {
  FakeHost host;
  host.input = {{"part"}, {"", ETIMEDOUT}};
  host.serve(one_line(host.connection(), {.within = std::chrono::seconds(5)}));
  CHECK(host.read_duration == 5'000'000'000);
  CHECK(host.outcome == BERTH_LOST);
}

}  // namespace
}  // namespace berth
