#include <iomanip>  // whose std::quoted takes strings too: headers must not mean it

#include <doctest/doctest.h>

#include <limits>

#include "sdk/fake_host.hpp"

namespace berth {
namespace {

using namespace std::chrono_literals;
using Strings = std::vector<std::string>;
using Map = std::map<std::string, std::string>;

enum class Colour { red, green = 7, blue };

struct Everything {
  bool flag = true;
  bool off = false;
  std::int8_t tiny = -5;
  std::uint16_t port = 80;
  int number = 42;
  std::int64_t wide = -1;
  std::uint64_t count = 3;
  double ratio = 2.5;
  float part = 0.1f;
  std::string text = "Echo=>";
  std::chrono::nanoseconds delay = 5s;
  std::chrono::milliseconds pause = 1500ms;
  std::chrono::duration<double> fraction{0.25};
  Size buffer{64 * 1024};
  Strings list = {"a", "two words"};
  Map map = {{"k", "v"}, {"empty", ""}};
  Colour colour = Colour::green;
  std::string needed;

  static void describe(Description<Everything>& is) {
    is.name("everything").summary("All types.");
    is.option("flag", &Everything::flag, "a flag");
    is.option("off", &Everything::off, "");
    is.option("tiny", &Everything::tiny, "");
    is.option("port", &Everything::port, "").range<std::uint16_t>(1, 1023);
    is.option("number", &Everything::number, "");
    is.option("wide", &Everything::wide, "");
    is.option("count", &Everything::count, "");
    is.option("ratio", &Everything::ratio, "");
    is.option("part", &Everything::part, "");
    is.option("text", &Everything::text, "");
    is.option("delay", &Everything::delay, "").range(1ms, 1h);
    is.option("pause", &Everything::pause, "");
    is.option("fraction", &Everything::fraction, "");
    is.option("buffer", &Everything::buffer, "").range(Size{1}, Size{1 << 20});
    is.option("list", &Everything::list, "");
    is.option("map", &Everything::map, "");
    is.option("colour", &Everything::colour, "",
              {{"red", Colour::red}, {"green", Colour::green}, {"blue", Colour::blue}});
    is.option("needed", &Everything::needed, "must be given").required();
  }
};

struct Table {
  Description<Everything> description;
  std::vector<berth_option> rows;
  Table() {
    Everything::describe(description);
    rows = description.table();
  }
  const berth_option& row(const std::string& name) const {
    for (const berth_option& row : rows) {
      if (row.name == name) return row;
    }
    throw std::out_of_range(name);
  }
};

TEST_CASE("every type of option has its ABI type and its member's initialiser as default") {
  const Table table;
  struct Row {
    const char* name;
    std::uint32_t type;
    const char* text;
  };
  for (const Row& row :
       {Row{"flag", BERTH_BOOL, "true"}, Row{"off", BERTH_BOOL, "false"},
        Row{"tiny", BERTH_INTEGER, "-5"}, Row{"port", BERTH_INTEGER, "80"},
        Row{"number", BERTH_INTEGER, "42"}, Row{"wide", BERTH_INTEGER, "-1"},
        Row{"count", BERTH_INTEGER, "3"}, Row{"ratio", BERTH_REAL, "2.5"},
        Row{"part", BERTH_REAL, "0.1"}, Row{"text", BERTH_TEXT, "'Echo=>'"},
        Row{"delay", BERTH_DURATION, "5s"}, Row{"pause", BERTH_DURATION, "1500ms"},
        Row{"fraction", BERTH_DURATION, "250ms"}, Row{"buffer", BERTH_SIZE, "64KiB"},
        Row{"list", BERTH_LIST, "[a, 'two words']"}, Row{"map", BERTH_MAP, "{empty: '', k: v}"},
        Row{"colour", BERTH_CHOICE, "green"}}) {
    CAPTURE(row.name);
    CHECK(table.row(row.name).type == row.type);
    CHECK(std::string(table.row(row.name).default_value) == row.text);
    CHECK(table.row(row.name).required == 0);
  }
  CHECK(table.rows.size() == 18);
  CHECK(std::string(table.row("flag").help) == "a flag");
}

TEST_CASE("an integer's limits are those of its member, unless a range narrows them") {
  const Table table;
  const auto limits = [&](const char* name) {
    return std::pair(table.row(name).minimum, table.row(name).maximum);
  };
  using Limits = std::pair<std::int64_t, std::int64_t>;
  using Wide = std::numeric_limits<std::int64_t>;
  CHECK(limits("tiny") == Limits{-128, 127});
  CHECK(limits("port") == Limits{1, 1023});
  CHECK(limits("number") ==
        Limits{std::numeric_limits<int>::min(), std::numeric_limits<int>::max()});
  CHECK(limits("wide") == Limits{Wide::min(), Wide::max()});
  CHECK(limits("count") == Limits{0, Wide::max()});
  CHECK(limits("delay") == Limits{1'000'000, 3'600'000'000'000});
  CHECK(limits("buffer") == Limits{1, 1 << 20});
  CHECK(limits("pause") == Limits{0, 0});
  CHECK(limits("ratio") == Limits{0, 0});
}

TEST_CASE("a duration's step is the smallest its member can hold") {
  const Table table;
  CHECK(table.row("delay").unit == 1);
  CHECK(table.row("pause").unit == 1'000'000);
  CHECK(table.row("fraction").unit == 1);
}

TEST_CASE("a required option has no default") {
  const Table table;
  CHECK(table.row("needed").required == 1);
  CHECK(table.row("needed").default_value == nullptr);
}

TEST_CASE("a choice lists its names in order") {
  const Table table;
  const berth_option& row = table.row("colour");
  CHECK(Strings(row.choices, row.choices + row.choice_count) == Strings{"red", "green", "blue"});
  CHECK(table.row("text").choice_count == 0);
}

TEST_CASE("durations and sizes are printed in the largest unit that holds them whole") {
  using Duration = detail::OptionType<std::chrono::nanoseconds>;
  CHECK(Duration::text(0ns) == "0s");
  CHECK(Duration::text(1ns) == "1ns");
  CHECK(Duration::text(1500ns) == "1500ns");
  CHECK(Duration::text(2us) == "2us");
  CHECK(Duration::text(90s) == "90s");
  CHECK(Duration::text(5min) == "5m");
  CHECK(Duration::text(48h) == "48h");
  using Bytes = detail::OptionType<Size>;
  CHECK(Bytes::text({0}) == "0");
  CHECK(Bytes::text({1000}) == "1000");
  CHECK(Bytes::text({1025}) == "1025");
  CHECK(Bytes::text({1536 * 1024}) == "1536KiB");
  CHECK(Bytes::text({std::uint64_t{1} << 31}) == "2GiB");
}

TEST_CASE("a text that YAML would take for something else is quoted") {
  CHECK(detail::in_quotes("plain-text_1.2/x+") == "plain-text_1.2/x+");
  CHECK(detail::in_quotes("") == "''");
  CHECK(detail::in_quotes("it's") == "'it''s'");
  CHECK(detail::in_quotes("a: b") == "'a: b'");
  CHECK(detail::in_quotes("#x") == "'#x'");
}

berth_bytes bytes(const char* text) { return {text, std::string_view(text).size()}; }
berth_setting integer(std::int64_t value) {
  berth_setting setting{};
  setting.integer = value;
  return setting;
}
berth_setting real(double value) {
  berth_setting setting{};
  setting.real = value;
  return setting;
}
berth_setting text(const char* value) {
  berth_setting setting{};
  setting.text = bytes(value);
  return setting;
}
berth_setting items_of(const berth_bytes* items, std::size_t count) {
  berth_setting setting{};
  setting.items = items;
  setting.item_count = count;
  return setting;
}

TEST_CASE("every type of setting reaches its member") {
  const Table table;
  Everything handler;
  const auto set = [&](const char* name, berth_setting setting) {
    setting.name = name;
    table.description.set(handler, setting);
  };
  const berth_bytes items[] = {bytes("a"), bytes(""), bytes("c"), bytes("d")};
  set("flag", integer(0));
  set("tiny", integer(-128));
  set("port", integer(1023));
  set("wide", integer(std::numeric_limits<std::int64_t>::min()));
  set("count", integer(std::numeric_limits<std::int64_t>::max()));
  set("ratio", real(-0.5));
  set("part", real(0.25));
  set("text", text("other"));
  set("delay", integer(1));
  set("pause", integer(2'000'000));
  set("fraction", integer(500'000'000));
  set("buffer", integer(512));
  set("list", items_of(items, 2));
  set("map", items_of(items, 4));
  set("colour", integer(2));
  CHECK_FALSE(handler.flag);
  CHECK(handler.tiny == -128);
  CHECK(handler.port == 1023);
  CHECK(handler.wide == std::numeric_limits<std::int64_t>::min());
  CHECK(handler.count == static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()));
  CHECK(handler.ratio == -0.5);
  CHECK(handler.part == 0.25f);
  CHECK(handler.text == "other");
  CHECK(handler.delay == 1ns);
  CHECK(handler.pause == 2ms);
  CHECK(handler.fraction.count() == 0.5);
  CHECK(handler.buffer.bytes == 512);
  CHECK(handler.list == Strings{"a", ""});
  CHECK(handler.map == Map{{"a", ""}, {"c", "d"}});
  CHECK(handler.colour == Colour::blue);
  CHECK(handler.number == 42);
}

TEST_CASE("a setting that no option has is refused") {
  const Table table;
  Everything handler;
  berth_setting setting{};
  setting.name = "colur";
  CHECK_THROWS_WITH_AS(table.description.set(handler, setting), "no option is called colur",
                       std::invalid_argument);
}

}  // namespace
}  // namespace berth
