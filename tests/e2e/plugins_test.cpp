// A file that cannot be a handler is refused by name, by check and by run, and no socket is opened.
#include <doctest/doctest.h>
#include <elf.h>

#include <string>

#include "busy_port.hpp"
#include "client.hpp"
#include "command.hpp"
#include "host_process.hpp"
#include "temp_folder.hpp"
#include "tested_build.hpp"

using namespace e2e;

namespace {

// What check and run say, alike, of a listener with that handler from that folder.
std::string refusal_of(const std::string& handler, const std::string& folder) {
  const BusyPort port;
  const TempFolder own;
  const std::string file = own / "berth.yaml";
  write_file(file, "plugins: " + folder +
                       "\nlisteners:\n  - name: it\n    model: fork\n    listen: " + port.url() +
                       "\n    handler: " + handler + "\n");
  const Outcome check = berth({"check", file});
  const Outcome run = berth({"run", file});
  CHECK(check.status == 78);
  CHECK(run.status == 78);
  CHECK(check.err == run.err);
  CHECK(has(check.err, file + ":6:14: "));
  CHECK(has(check.err, handler + ".so"));
  CHECK(!has(run.err, "Address already in use"));
  return check.err;
}

std::string refusal_of(const std::string& handler) {
  return refusal_of(handler, tested_build().handlers);
}

// A folder with a broken copy of the echo handler.
class BrokenCopy {
 public:
  explicit BrokenCopy(const std::string& bytes) { write_file(folder_ / "broken.so", bytes); }
  [[nodiscard]] std::string refusal() const { return refusal_of("broken", folder_.path()); }

 private:
  TempFolder folder_;
};

std::string echo_file() { return contents(tested_build().plugins + "/echo.so"); }

}  // namespace

TEST_CASE("a handler that is not there is refused with the folders searched") {
  const std::string told = refusal_of("absent");
  CAPTURE(told);
  CHECK(has(told, tested_build().handlers));
}

TEST_CASE("a file that is no shared object is refused") {
  CHECK(has(BrokenCopy("not a handler").refusal(), "is not a shared object"));
  CHECK(has(BrokenCopy("").refusal(), "is not a shared object"));
  CHECK(has(BrokenCopy(contents(tested_build().program).substr(0, 10)).refusal(), "broken.so"));
}

TEST_CASE("a shared object that is cut short is refused at any length") {
  const std::string whole = echo_file();
  for (std::size_t eighths = 1; eighths < 8; ++eighths) {
    const std::string told = BrokenCopy(whole.substr(0, whole.size() * eighths / 8)).refusal();
    CAPTURE(told);
    CHECK(has(told, "broken.so"));
  }
}

TEST_CASE("a shared object for another processor is refused") {
  std::string foreign = echo_file();
  foreign[offsetof(Elf64_Ehdr, e_machine)] ^= 0x40;
  CHECK(has(BrokenCopy(foreign).refusal(), "was built for another kind of processor"));
}

TEST_CASE("a shared object without the entry function is refused") {
  CHECK(has(refusal_of("no_entry"), "exports no berth_plugin_entry()"));
}

TEST_CASE("a handler that lies about its ABI is refused with both versions") {
  CHECK(has(refusal_of("wrong_magic"), "wrong magic"));
  CHECK(
      has(refusal_of("other_major"), "built for version 2.2 of the ABI and this host serves 1.2"));
  CHECK(
      has(refusal_of("newer_minor"), "built for version 1.3 of the ABI and this host serves 1.2"));
  CHECK(has(refusal_of("short_table"), "24 bytes long, too short"));
  CHECK(has(refusal_of("no_table"), "returns no table"));
}

TEST_CASE("a plugin that ends the process while it is loaded is refused") {
  CHECK(has(refusal_of("exits_at_load"), "ended the process (exit status 0)"));
  CHECK(has(refusal_of("crashes_at_load"), "crashed (SIGABRT)"));
}

TEST_CASE("a host that serves does not notice broken plugins in its folder") {
  HostProcess host(one_listener("thread", "c_echo"));  // the folder is full of them
  Client client(host.port());
  client.send("fine");
  CHECK(client.read_exactly(4) == "fine");
}
