#include "supervise/config_files.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <string>

namespace berth {
namespace {

TEST_CASE("files arrive as they were, and any number of times") {
  const ConfigFiles files = {{"/etc/a b.pem", Secret("one\0two\n")},
                             {"/etc/caf\xe9.key", Secret(std::string(70'000, 'x'))}};
  const auto place = make_place_for_files();
  REQUIRE(place);
  for (int time = 0; time < 2; ++time) {
    REQUIRE(write_files(files, place.value().get()));
    const auto read = read_files(place.value().get());
    REQUIRE(read);
    CHECK((read.value() == files));
  }
}

TEST_CASE("an empty place has no files, and one of something else is refused") {
  const auto place = make_place_for_files();
  REQUIRE(place);
  REQUIRE(read_files(place.value().get()));
  CHECK(read_files(place.value().get()).value().empty());
  for (const std::string text : {"x", "/a", "/a\n", "{}"}) {
    CAPTURE(text);
    REQUIRE(::ftruncate(place.value().get(), 0) == 0);
    REQUIRE(::pwrite(place.value().get(), text.data(), text.size(), 0) > 0);
    CHECK_FALSE(read_files(place.value().get()));
  }
  for (const std::string_view text : {std::string_view("/a\0"
                                                       "9\0x",
                                                       6),
                                      std::string_view("/a\0-1\0x", 7),
                                      std::string_view("/a\0"
                                                       "1",
                                                       4)}) {
    REQUIRE(::ftruncate(place.value().get(), 0) == 0);
    REQUIRE(::pwrite(place.value().get(), text.data(), text.size(), 0) > 0);
    CHECK_FALSE(read_files(place.value().get()));
  }
}

}  // namespace
}  // namespace berth
