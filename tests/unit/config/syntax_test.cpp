// Files that are no config at all: bad YAML, bad bytes, and traps for those who read them.
#include <doctest/doctest.h>

#include <chrono>
#include <random>
#include <string>
#include <vector>

#include "config/load.hpp"

namespace berth {
namespace {

using testing::load;

struct Case {
  std::string yaml;
  std::string expected;
};

void check(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    CAPTURE(c.yaml);
    CHECK(load(c.yaml).mistakes == c.expected);
  }
}

TEST_CASE("bad YAML is told in words for someone who edits it") {
  const std::string colon =
      ": unexpected ':'; check the indentation, write 'key: value' with a space and one on a line, "
      "and put quotes around text that has ': ' in it\n";
  const std::string column =
      ": unexpected here; lines of one map or list begin in the same column, as this one does "
      "not\n";
  check({
      {"a: b: c\n", "1:5" + colon},
      {"log:info\nlisteners: []\n", "2:10" + colon},
      {"listeners:\n  - name: a\n   model: fork\n", "3:4" + column},
      {"listeners:\n  - name: a\n model: fork\n", "3:2" + column},
      {"listeners: [a\nlog: {}\n",
       "2:4: a '[' that is not closed by ']'; within brackets put quotes around text that has '[', "
       "']' or ','\n"},
      {"log: {level: info\n", "2:1: a '{' that is not closed by '}'\n"},
      {"log: ]\n", "1:6: a closing bracket that nothing opened\n"},
      {"log: - a\n", "1:6: unexpected '-'; a list begins on a line of its own below its key\n"},
      {"log: @x\n", "1:6: text cannot begin with '@'; put it in quotes\n"},
      {"log: *x\n",
       "1:6: '*' begins an alias, and no '&' above it names one; put quotes around it if it is "
       "text\n"},
      {"log: \"\\q\"\n",
       "1:9: unknown escape '\\q' in double quotes; write \\\\ for a backslash, or use single "
       "quotes\n"},
      {"log: \"x\nlisteners: 3\n", "1:6: quotes that are not closed before the end of the file\n"},
      {"log: &a !!str \"x\nlisteners: 3\n",
       "1:6: quotes that are not closed before the end of the file\n"
       "1:6: tags are not used here; leave out '!!str'\n"},
  });
  check({{"a: \"\\", "1:6: quotes that are not closed before the end of the file\n"},
         {"a: b\nc: \"d\\x4", "2:9: only hexadecimal digits may follow \\x, \\u or \\U\n"}});
  CHECK(load("log: 'x\n")
            .mistakes.ends_with(": quotes that are not closed before the end of the file\n"));
}

TEST_CASE("a tab in the indentation is told as such") {
  const std::string tab = ": indented with a tab; YAML takes only spaces there\n";
  check({
      {"listeners:\n\t- name: a\n", "2:1" + tab},
      {"listeners:\n  - name: a\n  \tmodel: b\n", "3:3" + tab},
      {"log:\n\tlevel: info\n", "2:1" + tab},
  });
}

TEST_CASE("one file is one document") {
  check({
      {"log: {}\n---\nlog: {}\n",
       "2:1: a second document begins; a config is one, so take out the '---'\n"},
      {"---\n---\n", "2:1: a second document begins; a config is one, so take out the '---'\n"},
      {"", "0:0: the file is empty; it needs at least 'listeners:'\n"},
      {"# nothing\n", "0:0: the file is empty; it needs at least 'listeners:'\n"},
      {"---\n", "0:0: the file is empty; it needs at least 'listeners:'\n"},
      {"~\n", "0:0: the file is empty; it needs at least 'listeners:'\n"},
  });
  CHECK(load("- a\nb: c\n")
            .mistakes.ends_with(
                ": this does not belong to what stands above; check the indentation\n"));
}

TEST_CASE("tags are refused") {
  check({
      {"listeners: !!seq []\n",
       "1:12: 'listeners' is an empty list; there is nothing to serve\n"
       "1:12: tags are not used here; leave out '!!seq'\n"},
      {"listeners: !mine []\n",
       "1:12: 'listeners' is an empty list; there is nothing to serve\n"
       "1:12: tags are not used here; leave out '!mine'\n"},
  });
}

TEST_CASE("bytes that are no text are told where they stand") {
  check({
      {std::string("a: b\nc\0d", 8), "2:2: a NUL byte; this is not a text file\n"},
      {"a: b\n  \xff", "2:3: the byte 0xff is not UTF-8; save the file as UTF-8\n"},
      {"a: \xc3", "1:4: the byte 0xc3 is not UTF-8; save the file as UTF-8\n"},
      {"a: b\x04", "1:5: the control character 0x04; take it out\n"},
      {"\xff\xfe"
       "a",
       "1:1: the file is UTF-16; save it as UTF-8\n"},
  });
}

TEST_CASE("nesting and aliases have their limits") {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
    for (int k = 0; k < 9; ++k) bomb += ", " + before;
    bomb += "]\n";
  }
  CHECK(load(bomb).mistakes.ends_with(
      ": more than 100000 values, with those that aliases ('*') repeat\n"));
  CHECK(load("a: &x [*x]\n").mistakes ==
        "1:8: an alias ('*') within the very thing that it names\n");
  CHECK(load("a: " + std::string(100'000, '[')).mistakes.ends_with(": nested more than 64 deep\n"));
  CHECK(load(std::string(100'000, '{')).mistakes.ends_with(": nested more than 64 deep\n"));
  std::string dashes;
  for (int i = 0; i < 100'000; ++i) dashes += "- ";
  CHECK(load(dashes).mistakes.ends_with(": nested more than 64 deep\n"));
  std::string nested = "a0: &a0 x\n";
  for (int i = 1; i < 70; ++i) {
    nested += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [*a" +
              std::to_string(i - 1) + "]\n";
  }
  CHECK(load(nested).mistakes == "64:12: nested more than 64 deep\n");
  std::string keys = "a0: &a0 x\n";
  for (int i = 1; i < 70; ++i) {
    keys += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " {? *a" +
            std::to_string(i - 1) + " : 1}\n";
  }
  CHECK(load(keys).mistakes.ends_with("64:14: nested more than 64 deep\n"));
}

// A config that has something of everything.
const std::string kRich =
    "plugins: [../plugins, /tmp]\n"
    "drain_timeout: 30s\n"
    "log: {level: info, format: text, connections: true, file: -}\n"
    "defaults: &d\n"
    "  model: fork\n"
    "  handler: echo\n"
    "  options: {reply: stamped, words: [a, 'b', \"c\\n\"]}\n"
    "listeners:\n"
    "  - name: echo   # the first\n"
    "    listen: tcp://0.0.0.0:50007\n"
    "    idle_timeout: 1h30m\n"
    "  - name: web\n"
    "    listen: [\"tcp://[::]:80\", tcp://127.0.0.1:80]\n"
    "    model: select\n"
    "    workers: 4\n"
    "    max_connections: 1000\n"
    "    options: &o {text: |\n"
    "        }\n"
    "  - {name: c, listen: 'tcp://h:0', options: *o, backlog: 12}\n";

std::string mutated(std::mt19937& random) {
  constexpr std::string_view kSpecial = "\n\t :-[]{}'\"&*!|>%@#,?\\<=0\0\xff\xc3~";
  std::string text = kRich;
  for (auto edits = 1 + random() % 4; edits > 0 && !text.empty(); --edits) {
    const std::size_t at = random() % text.size();
    const std::size_t length = 1 + random() % 20;
    const char special = kSpecial[random() % kSpecial.size()];
    switch (random() % 6) {
      case 0:
        text[at] = special;
        break;
      case 1:
        text[at] = static_cast<char>(random());
        break;
      case 2:
        text.insert(at, 1, special);
        break;
      case 3:
        text.erase(at, length);
        break;
      case 4:
        text.insert(at, text.substr(at / 2, length));
        break;
      case 5:
        text.resize(at + 1);
        break;
    }
  }
  return text;
}

TEST_CASE("no edit of a good config makes reading it crash, throw, or say nothing of its place") {
  constexpr unsigned kSeed = 20'261'123;
  MESSAGE("seed ", kSeed);
  std::mt19937 random(kSeed);
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(1500);
  int read = 0;
  for (; read <= 100 || (read < 4000 && std::chrono::steady_clock::now() < end); ++read) {
    const std::string text = mutated(random);
    Diagnostics problems("f");
    const HostSettings settings = config_from_text(text, testing::kNoFile, problems);
    CAPTURE(text);
    if (problems.empty()) REQUIRE_FALSE(settings.listeners.empty());
    for (const Diagnostic& problem : problems.sorted()) {
      REQUIRE_FALSE(problem.message.empty());
      const bool is_of_the_file = problem.message.starts_with("the file is empty");
      REQUIRE((problem.where.line > 0 || is_of_the_file));
      REQUIRE((problem.where.column > 0 || is_of_the_file));
    }
  }
}

}  // namespace
}  // namespace berth
