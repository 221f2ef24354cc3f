// A plugin of which one bit has fallen over: whoever checks it is not harmed.
#include <doctest/doctest.h>

#include <random>
#include <string>

#include "busy_port.hpp"
#include "command.hpp"
#include "temp_folder.hpp"
#include "tested_build.hpp"

using namespace e2e;

TEST_CASE("a plugin with one bit flipped is taken, or refused by name, and ends nobody") {
  const int flips = tested_build().sanitized ? 20 : 200;
  const unsigned seed = std::random_device()();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const std::string whole = contents(tested_build().plugins + "/echo.so");
  REQUIRE(!whole.empty());
  const BusyPort port;
  const TempFolder folder;
  const std::string config = folder / "berth.yaml";
  write_file(config, "plugins: " + folder.path().string() +
                         "\nlisteners:\n  - {name: it, model: fork, handler: flipped, listen: '" +
                         port.url() + "'}\n");
  int refused = 0;
  for (int i = 0; i < flips; ++i) {
    std::string bytes = whole;
    // The first makes it no shared object at all; where most of a file matters to nobody who loads
    // it, none of the others needs to be found.
    const std::size_t place = i == 0 ? 0 : random() % bytes.size();
    const auto bit = static_cast<char>(1U << random() % 8);
    bytes[place] = static_cast<char>(bytes[place] ^ bit);
    write_file(folder / "flipped.so", bytes);
    const Outcome check = berth({"check", config});
    CAPTURE(place);
    CAPTURE(check.err);
    REQUIRE((check.status == 0 || check.status == 78));
    if (check.status == 0) continue;
    ++refused;
    // "flipped.so: …", or "handler 'flipped' refuses: …" where what refuses is its own code.
    REQUIRE((has(check.err, "flipped.so") || has(check.err, "handler 'flipped'")));
  }
  CHECK(refused > 0);
}
