// A plugin of which one bit has fallen over: whoever checks it is not harmed.
#include <doctest/doctest.h>

#include <random>
#include <string>

#include "busy_port.hpp"
#include "command.hpp"
#include "temp_folder.hpp"
#include "tested_build.hpp"

using namespace e2e;

namespace {

// A config for a plugin of these bytes.
class Flipped {
 public:
  Flipped() {
    write_file(config_,
               "plugins: " + folder_.path().string() +
                   "\nlisteners:\n  - {name: it, model: fork, handler: flipped, listen: '" +
                   port_.url() + "'}\n");
  }
  [[nodiscard]] std::string file() const { return folder_ / "flipped.so"; }
  [[nodiscard]] Outcome check(const std::string& bytes) const {
    write_file(file(), bytes);
    return berth({"check", config_});
  }

 private:
  const BusyPort port_;
  const TempFolder folder_;
  const std::string config_ = folder_ / "berth.yaml";
};

}  // namespace

TEST_CASE("a plugin that needs a library which is not there is refused by its own name") {
  std::string bytes = contents(tested_build().plugins + "/echo.so");
  const std::size_t needed = bytes.find("libc.so.6");
  REQUIRE(needed != std::string::npos);
  bytes[needed + 3] = '#';
  const Flipped flipped;
  const Outcome check = flipped.check(bytes);
  CHECK(check.status == 78);
  CHECK_MESSAGE(has(check.err, "cannot load " + flipped.file() + ": lib#.so.6: cannot open"),
                check.err);
}

TEST_CASE("a plugin with one bit flipped is taken, or refused by name, and ends nobody") {
  const int flips = tested_build().sanitized ? 20 : 200;
  const unsigned seed = std::random_device()();
  CAPTURE(seed);
  std::mt19937 random(seed);
  const std::string whole = contents(tested_build().plugins + "/echo.so");
  REQUIRE(!whole.empty());
  const Flipped flipped;
  int refused = 0;
  for (int i = 0; i < flips; ++i) {
    std::string bytes = whole;
    // The first makes it no shared object at all; where most of a file matters to nobody who loads
    // it, none of the others needs to be found.
    const std::size_t place = i == 0 ? 0 : random() % bytes.size();
    const auto bit = static_cast<char>(1U << random() % 8);
    bytes[place] = static_cast<char>(bytes[place] ^ bit);
    const Outcome check = flipped.check(bytes);
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
