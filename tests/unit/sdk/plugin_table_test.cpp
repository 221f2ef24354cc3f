// The C table that BERTH_HANDLER makes of a class, used as the host uses it.
#include <doctest/doctest.h>

#include <array>
#include <new>
#include <stdexcept>

#include "sdk/counted.hpp"
#include "sdk/fake_host.hpp"

namespace berth {
namespace {

using testing::Counted;
using testing::FakeHost;

struct Greeter {
  std::string greeting = "Hello";
  int prepared = 0;
  Counted counted;

  static void describe(Description<Greeter>& is) {
    is.name("greeter").summary("Greets.");
    is.option("greeting", &Greeter::greeting, "the word");
  }
  void check() const {
    if (greeting == "rude") throw std::runtime_error("check: mind your words");
  }
  void prepare() {
    if (greeting == "fail") throw std::runtime_error("prepare: the word is bad");
    if (greeting == "odd") throw 42;
    prepared = 1;
  }
  Task<> serve(Connection connection) const {
    if (greeting == "throw") throw std::runtime_error("no greeting today");
    co_await connection.write(greeting, prepared == 1 ? "!" : "?");
  }
};

struct Created {
  void* object;
  std::string error;
};

// As the host calls its functions: with settings of a host that is newer, whose elements are
// larger.
template <class Call>
auto with_settings(const char* word, std::string& why, Call call) {
  struct Larger {
    berth_setting known;
    std::uint64_t newer[3];
  };
  std::array<Larger, 1> settings{};
  settings[0].known.name = "greeting";
  settings[0].known.type = BERTH_TEXT;
  if (word != nullptr) settings[0].known.text = {word, std::string_view(word).size()};
  std::array<char, 24> error{};
  const berth_creation creation = {.size = sizeof(berth_creation),
                                   .abi_minor = BERTH_ABI_MINOR,
                                   .settings = &settings[0].known,
                                   .count = word == nullptr ? 0U : 1U,
                                   .setting_size = sizeof(Larger),
                                   .error = error.data(),
                                   .error_size = error.size()};
  const auto result = call(creation);
  why = error.data();
  return result;
}

Created create(const berth_plugin& table, const char* word) {
  std::string why;
  void* const object = with_settings(
      word, why, [&](const berth_creation& creation) { return table.create(&creation); });
  return {object, why};
}

// What is wrong with the word; "" if nothing is.
std::string objection(const berth_plugin& table, const char* word) {
  std::string why;
  const int refused = with_settings(
      word, why, [&](const berth_creation& creation) { return table.check(&creation); });
  CHECK((refused != 0) == !why.empty());
  return why;
}

TEST_CASE("a handler class becomes a table that says what it is") {
  const detail::Plugin<Greeter> plugin;
  const berth_plugin& table = *plugin.table();
  CHECK(table.magic == BERTH_ABI_MAGIC);
  CHECK(table.abi_major == BERTH_ABI_MAJOR);
  CHECK(table.abi_minor == BERTH_ABI_MINOR);
  CHECK(table.size == sizeof(berth_plugin));
  CHECK(table.option_size == sizeof(berth_option));
  CHECK(std::string(table.name) == "greeter");
  CHECK(std::string(table.summary) == "Greets.");
  REQUIRE(table.option_count == 1);
  CHECK(std::string(table.options[0].name) == "greeting");
}

TEST_CASE("a handler says what is wrong with its settings without being prepared") {
  Counted::reset();
  {
    const detail::Plugin<Greeter> plugin;
    const berth_plugin& table = *plugin.table();
    CHECK(objection(table, "Servus") == "");
    CHECK(objection(table, nullptr) == "");
    CHECK(objection(table, "fail") == "");
    CHECK(objection(table, "rude") == "check: mind your words");
    const Created refused = create(table, "rude");
    CHECK(refused.object == nullptr);
    CHECK(refused.error == "check: mind your words");
  }
  CHECK(Counted::alive() == 0);
}

TEST_CASE("a handler is created with its settings, prepared once, serves, and is destroyed once") {
  Counted::reset();
  {
    const detail::Plugin<Greeter> plugin;
    const berth_plugin& table = *plugin.table();
    for (const char* const word : {static_cast<const char*>(nullptr), "Servus"}) {
      const Created created = create(table, word);
      REQUIRE(created.object != nullptr);
      for (int session = 0; session < 2; ++session) {
        FakeHost host;
        host.writes_wait = session == 1;
        table.serve(created.object, &host);
        host.complete_all();
        CHECK(host.written == (word == nullptr ? "Hello!" : "Servus!"));
        CHECK(host.finishes == 1);
        CHECK(host.outcome == BERTH_FINISHED);
      }
      table.destroy(created.object);
    }
  }
  CHECK(Counted::alive() == 0);
  CHECK(Counted::faults() == 0);
}

TEST_CASE("a handler that fails to prepare is not created, and says why as far as there is room") {
  Counted::reset();
  {
    const detail::Plugin<Greeter> plugin;
    const Created failed = create(*plugin.table(), "fail");
    CHECK(failed.object == nullptr);
    CHECK(failed.error == "prepare: the word is ba");  // 23 bytes and the zero
    const Created odd = create(*plugin.table(), "odd");
    CHECK(odd.object == nullptr);
    CHECK(odd.error == "an exception that is no");
  }
  CHECK(Counted::alive() == 0);
}

TEST_CASE("an exception of serve() ends the session as failed, with its text") {
  const detail::Plugin<Greeter> plugin;
  const Created created = create(*plugin.table(), "throw");
  FakeHost host;
  plugin.table()->serve(created.object, &host);
  CHECK(host.finishes == 1);
  CHECK(host.outcome == BERTH_FAILED);
  CHECK(host.finish_text == "no greeting today");
  plugin.table()->destroy(created.object);
}

// A serve() that is no coroutine itself and fails before there is one, as for want of memory.
struct NoMemory {
  Task<> serve(Connection) const { throw std::bad_alloc(); }
};

TEST_CASE("a session that cannot even start is finished as failed") {
  const detail::Plugin<NoMemory> plugin;
  const Created created = create(*plugin.table(), nullptr);
  FakeHost host;
  plugin.table()->serve(created.object, &host);
  CHECK(host.finishes == 1);
  CHECK(host.outcome == BERTH_FAILED);
  CHECK(host.finish_text == std::bad_alloc().what());
  plugin.table()->destroy(created.object);
}

TEST_CASE("a handler without a description has no options and takes none") {
  const detail::Plugin<NoMemory> plugin;
  CHECK(plugin.table()->option_count == 0);
  CHECK(std::string(plugin.table()->name).empty());
  const Created created = create(*plugin.table(), "any");
  CHECK(created.object == nullptr);
  CHECK(created.error == "no option is called gre");
}

}  // namespace
}  // namespace berth
