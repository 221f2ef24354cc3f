#include "plugin/options.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <limits>

namespace berth {
namespace {

using Kind = OptionValue::Kind;

OptionValue scalar(std::string text, Position where = {5, 9}) {
  OptionValue value;
  value.kind = Kind::scalar;
  value.where = where;
  value.scalar = std::move(text);
  return value;
}
OptionValue list(std::vector<OptionValue> items) {
  OptionValue value;
  value.kind = Kind::list;
  value.where = {5, 9};
  value.items = std::move(items);
  return value;
}
OptionValue map(std::vector<std::pair<OptionValue, OptionValue>> fields) {
  OptionValue value;
  value.kind = Kind::map;
  value.where = {5, 9};
  value.fields = std::move(fields);
  return value;
}
OptionValue nothing() {
  OptionValue value;
  value.where = {5, 9};
  return value;
}

constexpr const char* kChoices[] = {"stamped", "verbatim"};

berth_option row(const char* name, std::uint32_t type, std::int64_t minimum = 0,
                 std::int64_t maximum = 0) {
  berth_option option{};
  option.name = name;
  option.help = "help";
  option.default_value = "";
  option.type = type;
  option.minimum = minimum;
  option.maximum = maximum;
  if (type == BERTH_CHOICE) {
    option.choices = kChoices;
    option.choice_count = 2;
  }
  return option;
}

std::vector<berth_option> all_rows() {
  std::vector<berth_option> rows = {
      row("flag", BERTH_BOOL),     row("number", BERTH_INTEGER, -5, 100),
      row("any", BERTH_INTEGER),   row("ratio", BERTH_REAL),
      row("text", BERTH_TEXT),     row("delay", BERTH_DURATION, 1'000'000, 60'000'000'000),
      row("step", BERTH_DURATION), row("size", BERTH_SIZE, 1, 1 << 20),
      row("reply", BERTH_CHOICE),  row("list", BERTH_LIST),
      row("map", BERTH_MAP),       row("odd", 99)};
  rows[6].unit = 1'000'000'000;
  return rows;
}

struct Bound {
  BoundOptions options;
  std::string problems;
  const berth_setting& only() const {
    REQUIRE(options.settings().size() == 1);
    return options.settings()[0];
  }
};

Bound bound_of(const std::vector<berth_option>& rows, std::vector<OptionSetting> given) {
  berth_plugin plugin{};
  plugin.name = "echo";
  plugin.option_size = sizeof(berth_option);
  plugin.options = rows.data();
  plugin.option_count = rows.size();
  Diagnostics problems("f");
  Bound bound{bind_options(plugin, given, {3, 5}, problems), {}};
  bound.problems = problems.to_text();
  return bound;
}
Bound bound_of(const char* name, OptionValue value) {
  return bound_of(all_rows(), {{name, {5, 1}, std::move(value)}});
}
std::string problem(const char* name, OptionValue value) {
  return bound_of(name, std::move(value)).problems;
}

TEST_CASE("a value of every type reaches the setting") {
  CHECK(bound_of("flag", scalar("true")).only().integer == 1);
  CHECK(bound_of("flag", scalar("false")).only().integer == 0);
  CHECK(bound_of("number", scalar("-5")).only().integer == -5);
  CHECK(bound_of("number", scalar("100")).only().integer == 100);
  CHECK(bound_of("any", scalar("-9223372036854775808")).only().integer ==
        std::numeric_limits<std::int64_t>::min());
  CHECK(bound_of("ratio", scalar("2.5e3")).only().real == 2500.0);
  CHECK(bound_of("delay", scalar("250ms")).only().integer == 250'000'000);
  CHECK(bound_of("step", scalar("5s")).only().integer == 5'000'000'000);
  CHECK(bound_of("size", scalar("64KiB")).only().integer == 65536);
  CHECK(bound_of("reply", scalar("verbatim")).only().integer == 1);
  const Bound text = bound_of("text", scalar("Echo=>"));
  CHECK(std::string(text.only().name) == "text");
  CHECK(text.only().type == BERTH_TEXT);
  CHECK(text.only().text.size == 6);
  CHECK(std::string(text.only().text.data) == "Echo=>");  // ended by a zero
}

TEST_CASE("lists and maps reach the setting item by item") {
  const Bound items = bound_of("list", list({scalar("a"), scalar("")}));
  REQUIRE(items.only().item_count == 2);
  CHECK(std::string(items.only().items[0].data) == "a");
  CHECK(items.only().items[1].size == 0);
  const Bound fields =
      bound_of("map", map({{scalar("k"), scalar("v")}, {scalar("l"), scalar("w")}}));
  REQUIRE(fields.only().item_count == 4);
  CHECK(std::string(fields.only().items[2].data) == "l");
  CHECK(std::string(fields.only().items[3].data) == "w");
  CHECK(bound_of("list", list({})).only().item_count == 0);
  CHECK(bound_of("map", map({})).only().item_count == 0);
}

TEST_CASE("texts stay where they are while other options are bound after them") {
  std::vector<OptionSetting> given;
  for (int i = 0; i < 1000; ++i) given.push_back({"text", {1, 1}, scalar(std::to_string(i))});
  const Bound bound = bound_of(all_rows(), given);
  for (std::size_t i = 0; i < 1000; ++i) {
    REQUIRE(std::string(bound.options.settings()[i].text.data) == std::to_string(i));
  }
}

TEST_CASE("every mistake is told at its place, and its option is not set") {
  struct Row {
    const char* name;
    OptionValue value;
    const char* message;
  };
  const Row rows[] = {
      {"flag", scalar("yes"), "5:9: option 'flag' must be true or false, not 'yes'"},
      {"flag", list({}), "5:9: option 'flag' must be true or false"},
      {"number", scalar("many"), "5:9: option 'number' must be a whole number, not 'many'"},
      {"number", scalar("5.5"), "5:9: option 'number' must be a whole number, not '5.5'"},
      {"number", scalar(""), "5:9: option 'number' must be a whole number, not ''"},
      {"number", scalar("101"), "5:9: option 'number' must be within -5 and 100"},
      {"number", scalar("-6"), "5:9: option 'number' must be within -5 and 100"},
      {"number", scalar("9223372036854775808"),
       "5:9: option 'number' '9223372036854775808' is too large or too small"},
      {"ratio", scalar("half"), "5:9: option 'ratio' must be a number, not 'half'"},
      {"ratio", map({}), "5:9: option 'ratio' must be a number"},
      {"text", list({}), "5:9: option 'text' must be a text"},
      {"text", nothing(), "5:9: option 'text' has no value"},
      {"delay", scalar("61s"), "5:9: option 'delay' must be within 1ms and 1m"},
      {"delay", scalar("0"), "5:9: option 'delay' must be within 1ms and 1m"},
      {"delay", list({}), "5:9: option 'delay' must be a duration (250ms, 5s, 10m)"},
      {"step", scalar("1500ms"), "5:9: option 'step' must be a multiple of 1s"},
      {"size", scalar("0"), "5:9: option 'size' must be within 1 and 1MiB"},
      {"size", scalar("2MiB"), "5:9: option 'size' must be within 1 and 1MiB"},
      {"size", list({}), "5:9: option 'size' must be a size (512, 64KiB)"},
      {"reply", scalar("stampd"),
       "5:9: option 'reply' must be 'stamped' or 'verbatim', not 'stampd'; did you mean "
       "'stamped'?"},
      {"reply", map({}), "5:9: option 'reply' must be 'stamped' or 'verbatim'"},
      {"list", scalar("a"), "5:9: option 'list' must be a list: [a, b]"},
      {"list", list({scalar("a"), list({})}), "5:9: option 'list' must be a text"},
      {"map", list({}), "5:9: option 'map' must be a map: {name: value}"},
      {"map", map({{scalar("k"), nothing()}}), "5:9: option 'map' must be a text"},
      {"odd", scalar("1"), "5:9: option 'odd' has a type that this host does not know"},
      {"textt", scalar("x"), "5:1: unknown option 'textt' of handler 'echo'; did you mean 'text'?"},
  };
  for (const Row& row : rows) {
    const Bound bound = bound_of(row.name, row.value);
    CHECK(bound.problems == "f:" + std::string(row.message) + "\n");
    CHECK(bound.options.settings().empty());
  }
}

TEST_CASE("a duration or a size that is none is told as the config tells it everywhere") {
  CHECK(problem("delay", scalar("5 parsecs")).starts_with("f:5:9: option 'delay' "));
  CHECK(problem("size", scalar("64 boxes")).starts_with("f:5:9: option 'size' "));
}

TEST_CASE("an item's mistake is told where the item stands") {
  const OptionValue value = list({scalar("a"), [] {
                                    OptionValue inner = list({});
                                    inner.where = {7, 11};
                                    return inner;
                                  }()});
  CHECK(problem("list", value) == "f:7:11: option 'list' must be a text\n");
}

TEST_CASE("all mistakes are told at once") {
  CHECK(bound_of(all_rows(), {{"nothing_like_it", {5, 1}, scalar("x")},
                              {"flag", {6, 1}, scalar("perhaps", {6, 7})},
                              {"number", {7, 1}, scalar("x", {7, 9})}})
            .problems.find("f:7:9:") != std::string::npos);
  CHECK(bound_of({}, {{"a", {5, 1}, scalar("x")}}).problems ==
        "f:5:1: unknown option 'a': handler 'echo' takes none\n");
  CHECK(bound_of({row("zeal", BERTH_TEXT), row("pomp", BERTH_TEXT)}, {{"a", {5, 1}, scalar("x")}})
            .problems ==
        "f:5:1: unknown option 'a' of handler 'echo'; it takes 'zeal' or 'pomp'\n");
}

TEST_CASE("a required option that is not given is told where the handler stands") {
  std::vector<berth_option> rows = {row("folder", BERTH_TEXT)};
  rows[0].required = 1;
  rows[0].help = "what to serve";
  CHECK(bound_of(rows, {}).problems ==
        "f:3:5: handler 'echo' needs the option 'folder' (what to serve)\n");
  CHECK(bound_of(rows, {{"folder", {5, 1}, scalar("x")}}).problems.empty());
}

TEST_CASE("the rows of a plugin that knows more of an option are found at their own stride") {
  struct Longer {
    berth_option known;
    std::uint64_t newer[2];
  };
  const std::vector<berth_option> rows = all_rows();
  std::vector<Longer> longer(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) longer[i] = {rows[i], {~0ull, ~0ull}};
  berth_plugin plugin{};
  plugin.name = "echo";
  plugin.option_size = sizeof(Longer);
  plugin.options = &longer[0].known;
  plugin.option_count = rows.size();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    CHECK(std::string(option_row(plugin, i).name) == rows[i].name);
  }
  Diagnostics problems("f");
  const BoundOptions bound =
      bind_options(plugin, {{"reply", {5, 1}, scalar("verbatim")}}, {3, 5}, problems);
  CHECK(problems.empty());
  REQUIRE(bound.settings().size() == 1);
  CHECK(bound.settings()[0].integer == 1);
}

TEST_CASE("every type has a name for people") {
  CHECK(type_of(row("x", BERTH_BOOL)) == "true or false");
  CHECK(type_of(row("x", BERTH_INTEGER)) == "whole number");
  CHECK(type_of(row("x", BERTH_REAL)) == "number");
  CHECK(type_of(row("x", BERTH_TEXT)) == "text");
  CHECK(type_of(row("x", BERTH_DURATION)) == "duration");
  CHECK(type_of(row("x", BERTH_SIZE)) == "size");
  CHECK(type_of(row("x", BERTH_CHOICE)) == "'stamped' or 'verbatim'");
  CHECK(type_of(row("x", BERTH_LIST)) == "list of texts");
  CHECK(type_of(row("x", BERTH_MAP)) == "map of texts");
  CHECK(type_of(row("x", 99)) == "unknown");
}

}  // namespace
}  // namespace berth
