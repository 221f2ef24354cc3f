#include "base/escape.hpp"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

namespace berth {
namespace {

TEST_CASE("well-formed UTF-8 stays as it is") {
  for (const std::string text : {"plain", "a \\ \"quote\" 'x'", "é ß ø", "日本語", "🦀",
                                 "\u07ff\u0800", "\U0010ffff", "\u00a0", ""}) {
    CHECK(escaped(text) == text);
  }
}

TEST_CASE("control characters are written out") {
  CHECK(escaped("a\nb\tc\rd") == "a\\nb\\tc\\rd");
  CHECK(escaped("\x1b[31m\x7f") == "\\x1b[31m\\x7f");
  CHECK(escaped(std::string_view("a\0b", 3)) == "a\\x00b");
  CHECK(escaped("\u009b") == "\\xc2\\x9b");
}

TEST_CASE("malformed UTF-8 is written out byte by byte") {
  CHECK(escaped("\xff") == "\\xff");
  CHECK(escaped("a\xc3") == "a\\xc3");
  CHECK(escaped("\xc3(") == "\\xc3(");
  CHECK(escaped("\xc0\x80") == "\\xc0\\x80");
  CHECK(escaped("\xed\xa0\x80") == "\\xed\\xa0\\x80");
  CHECK(escaped("\xe0\x80\x80") == "\\xe0\\x80\\x80");
  CHECK(escaped("\xf4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80");
  CHECK(escaped("\x80") == "\\x80");
}

TEST_CASE("the inside of a JSON string keeps what JSON can hold") {
  constexpr std::size_t kNoLimit = std::string::npos;
  CHECK(escaped("a\n\"b\"\\", Escape::json, kNoLimit) == "a\\n\\\"b\\\"\\\\");
  CHECK(escaped("\x1b\x7fé\u009b", Escape::json, kNoLimit) == "\\u001b\\u007fé\\u009b");
  CHECK(escaped("\xff", Escape::json, kNoLimit) == "\\\\xff");
}

TEST_CASE("text beyond the limit is cut between characters and says how much is missing") {
  CHECK(escaped(std::string(100, 'a'), Escape::text, 100) == std::string(100, 'a'));
  CHECK(escaped(std::string(101, 'a'), Escape::text, 100) ==
        std::string(60, 'a') + "… (41 bytes more)");
  CHECK(escaped(std::string(59, 'a') + std::string(100, '\n'), Escape::text, 100) ==
        std::string(59, 'a') + "… (100 bytes more)");
  CHECK(escaped("\n" + std::string(99, 'a'), Escape::text, 100) ==
        "\\n" + std::string(58, 'a') + "… (41 bytes more)");
  CHECK(escaped("\n" + std::string(98, 'a'), Escape::text, 100) == "\\n" + std::string(98, 'a'));
  CHECK(escaped(std::string(70, 'a') + "é" + std::string(28, 'a'), Escape::text, 100) ==
        std::string(70, 'a') + "é" + std::string(28, 'a'));
  CHECK(escaped(std::string(70, 'a') + "é" + std::string(29, 'a'), Escape::text, 100) ==
        std::string(60, 'a') + "… (41 bytes more)");
}

TEST_CASE("escaped text is always UTF-8 without control characters, and within its limit") {
  std::mt19937 random(1);
  for (int i = 0; i < 20'000; ++i) {
    std::string text(random() % 120, '\0');
    for (char& c : text) c = static_cast<char>(random() % 4 == 0 ? random() : 0xC0 + random() % 64);
    const Escape form = random() % 2 == 0 ? Escape::text : Escape::json;
    const std::string result = escaped(text, form, 100);
    REQUIRE(result.size() <= 100);
    REQUIRE(escaped(result) == result);
  }
}

}  // namespace
}  // namespace berth
