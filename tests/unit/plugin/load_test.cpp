#include "plugin/load.hpp"

#include <doctest/doctest.h>
#include <elf.h>
#include <link.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>

#include "plugin/handler.hpp"
#include "plugin/try_in_child.hpp"
#include "scratch.hpp"

namespace berth {
namespace {

using testing::content_of;
using testing::Scratch;

const std::filesystem::path kFixtures = BERTH_TEST_FIXTURES;

std::string fault(const std::filesystem::path& file) {
  const auto vetted = vet_file(file);
  return vetted ? "fine" : vetted.error().message;
}

TEST_CASE("a whole shared object for this machine passes") {
  CHECK(fault(kFixtures / "plain.so") == "fine");
}

TEST_CASE("what is no shared object is told as what it is") {
  const Scratch scratch;
  const std::string no_object = " is not a shared object (build it with -shared -fPIC)";
  for (const char* const text : {"", "#!/bin/sh\n",
                                 "\x7f"
                                 "EL",
                                 "\x7f"
                                 "ELF"}) {
    const auto file = scratch.file("a.so", text);
    CHECK(fault(file) == file.string() + no_object);
  }
  CHECK(fault(scratch.path) == scratch.path.string() + " is not a regular file");
  const auto absent = scratch.path / "absent.so";
  CHECK(fault(absent) == "cannot open " + absent.string() + ": No such file or directory");
  const auto fifo = scratch.path / "fifo.so";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  CHECK(fault(fifo) == fifo.string() + " is not a regular file");  // and nobody waits for a writer
}

TEST_CASE("a shared object that is cut short anywhere is refused, be it by a single byte") {
  const Scratch scratch;
  const std::string whole = content_of(kFixtures / "plain.so");
  REQUIRE(fault(scratch.file("whole.so", whole)) == "fine");
  const auto refused_at = [&](std::size_t length) {
    CAPTURE(length);
    const auto file = scratch.file("cut.so", whole.substr(0, length));
    CHECK(fault(file) ==
          file.string() + (length < sizeof(ElfW(Ehdr))
                               ? " is not a shared object (build it with -shared -fPIC)"
                               : " is cut short or damaged (build or copy it again)"));
  };
  for (std::size_t length = 0; length < whole.size(); length += length < 1000 ? 1 : 97) {
    refused_at(length);
  }
  refused_at(whole.size() - 1);
}

TEST_CASE("a header that points out of the file is refused, and does not take long") {
  const Scratch scratch;
  const std::string whole = content_of(kFixtures / "plain.so");
  const auto patched = [&](auto member, auto value) {
    ElfW(Ehdr) header;
    std::memcpy(&header, whole.data(), sizeof header);
    header.*member = value;
    std::string bytes = whole;
    std::memcpy(bytes.data(), &header, sizeof header);
    return fault(scratch.file("patched.so", bytes));
  };
  using Header = ElfW(Ehdr);
  const std::string damaged =
      (scratch.path / "patched.so").string() + " is cut short or damaged (build or copy it again)";
  CHECK(patched(&Header::e_phoff, static_cast<ElfW(Off)>(-1)) == damaged);
  CHECK(patched(&Header::e_phoff, whole.size()) == damaged);
  CHECK(patched(&Header::e_phnum, static_cast<ElfW(Half)>(65535)) == damaged);
  CHECK(patched(&Header::e_phentsize, static_cast<ElfW(Half)>(1)) == damaged);
  CHECK(patched(&Header::e_machine, static_cast<ElfW(Half)>(EM_S390)) ==
        (scratch.path / "patched.so").string() + " was built for another kind of processor");
  CHECK(patched(&Header::e_type, static_cast<ElfW(Half)>(ET_REL)) ==
        (scratch.path / "patched.so").string() +
            " is not a shared object (build it with -shared -fPIC)");
}

TEST_CASE("a handler in plain C is loaded, created and destroyed") {
  const auto plugin = load_plugin(kFixtures / "plain.so");
  REQUIRE(plugin);
  CHECK(std::string(plugin.value()->name) == "plain");
  CHECK(Handler::create(*plugin.value(), {}));
}

// Loaded in a child, as the host's check does it: this process keeps nothing of it.
std::string load_fault(const std::filesystem::path& file) {
  const auto said = try_in_child([&] {
    const auto plugin = load_plugin(file);
    return plugin ? "fine" : plugin.error().message;
  });
  return said ? said.value() : "the child " + said.error().message;
}

TEST_CASE("what is no handler of this version is refused by name, with the remedy") {
  const auto entry = kFixtures / "no_entry.so";
  CHECK(load_fault(entry) == entry.string() +
                                 " is not a handler: it exports no berth_plugin_entry() "
                                 "(BERTH_HANDLER(...) at the end of its source makes one)");
  const auto foreign = kFixtures / "foreign_abi.so";
  CHECK(load_fault(foreign) ==
        foreign.string() +
            " cannot be used: it was built for version 2.0 of the ABI and this host serves 1.2 "
            "(build it again with this host's SDK)");
  const std::string unresolved = load_fault(kFixtures / "unresolved.so");
  CHECK(unresolved.find("cannot load " + (kFixtures / "unresolved.so").string()) == 0);
  CHECK(unresolved.find("berth_fixture_missing_function") != std::string::npos);
}

berth_plugin good_plugin() {
  berth_plugin plugin{};
  plugin.magic = BERTH_ABI_MAGIC;
  plugin.abi_major = BERTH_ABI_MAJOR;
  plugin.abi_minor = BERTH_ABI_MINOR;
  plugin.size = sizeof(berth_plugin);
  plugin.option_size = sizeof(berth_option);
  plugin.name = "good";
  plugin.summary = "";
  plugin.create = [](const berth_creation*) -> void* { return nullptr; };
  plugin.destroy = [](void*) {};
  plugin.serve = [](void*, berth_connection*) {};
  return plugin;
}

TEST_CASE(
    "a table is served as long as nothing of it is newer, missing or of another major version") {
  const auto said = [](auto change) {
    berth_plugin plugin = good_plugin();
    change(plugin);
    const auto fits = check_abi(&plugin);
    return fits ? "fine" : fits.error().message;
  };
  CHECK(said([](berth_plugin&) {}) == "fine");
  CHECK(said([](berth_plugin& p) { p.size += 64; }) == "fine");
  CHECK(said([](berth_plugin& p) { p.option_size += 64; }) == "fine");
  CHECK(said([](berth_plugin& p) { p.magic ^= 1; }) ==
        "what berth_plugin_entry() returns is not a handler's table (wrong magic)");
  const std::string remedy =
      " of the ABI and this host serves 1.2 (build it again with this "
      "host's SDK)";
  CHECK(said([](berth_plugin& p) { p.abi_major = 0; }) == "it was built for version 0.2" + remedy);
  CHECK(said([](berth_plugin& p) { p.abi_minor = 0; }) == "fine");
  CHECK(said([](berth_plugin& p) { p.abi_minor = 3; }) == "it was built for version 1.3" + remedy);
  CHECK(said([](berth_plugin& p) { p.size = 79; }) ==
        "its table is 79 bytes long, too short for version 1.2 of the ABI");
  CHECK(said([](berth_plugin& p) { p.option_size = 71; }) != "fine");
  const std::string lacks = "its table lacks name, summary, create, destroy, serve or options";
  CHECK(said([](berth_plugin& p) { p.create = nullptr; }) == lacks);
  CHECK(said([](berth_plugin& p) { p.destroy = nullptr; }) == lacks);
  CHECK(said([](berth_plugin& p) { p.serve = nullptr; }) == lacks);
  CHECK(said([](berth_plugin& p) { p.option_count = 1; }) == lacks);
  CHECK(check_abi(nullptr).error().message ==
        "its berth_plugin_entry() returns no table: its description failed");
}

TEST_CASE("a table of options is served as long as every row is whole and lies where one may") {
  const char* const choices[] = {"a", nullptr};
  const auto said = [&](auto change) {
    berth_option rows[2] = {};
    for (berth_option& row : rows) {
      row.help = row.default_value = "";
      row.type = BERTH_CHOICE;
      row.choices = choices;
      row.choice_count = 1;
    }
    rows[0].name = "first";
    rows[1].name = "second";
    berth_plugin plugin = good_plugin();
    plugin.options = rows;
    plugin.option_count = 2;
    change(plugin, rows[1]);
    const auto fits = check_abi(&plugin);
    return fits ? "fine" : fits.error().message;
  };
  CHECK(said([](berth_plugin&, berth_option&) {}) == "fine");
  const std::string lacks = "row 1 of its options lacks name, help, default or a choice";
  CHECK(said([](berth_plugin&, berth_option& row) { row.name = nullptr; }) == lacks);
  CHECK(said([](berth_plugin&, berth_option& row) { row.help = nullptr; }) == lacks);
  CHECK(said([](berth_plugin&, berth_option& row) { row.default_value = nullptr; }) == lacks);
  CHECK(said([](berth_plugin&, berth_option& row) {
          row.default_value = nullptr;
          row.required = 1;
        }) == "fine");
  CHECK(said([](berth_plugin&, berth_option& row) { row.choices = nullptr; }) == lacks);
  CHECK(said([](berth_plugin&, berth_option& row) { row.choice_count = 2; }) == lacks);
  CHECK(said([](berth_plugin&, berth_option& row) { row.choice_count = 0; }) == lacks);
  CHECK(said([](berth_plugin&, berth_option& row) { row.name = "first"; }) ==
        "it has two options called 'first'");
  CHECK(said([](berth_plugin& plugin, berth_option&) { plugin.option_size += 1; }) ==
        "its options are 73 bytes long, not a multiple of 8");
}

TEST_CASE("a handler that refuses its settings is told in its words, or as having none") {
  berth_plugin plugin = good_plugin();
  CHECK(Handler::create(plugin, {}).error().message == "it gives no reason");
  plugin.create = [](const berth_creation* creation) -> void* {
    std::memset(creation->error, 'x', creation->error_size);  // a plugin that forgets the zero
    return nullptr;
  };
  CHECK(Handler::create(plugin, {}).error().message == std::string(511, 'x'));
}

}  // namespace
}  // namespace berth
