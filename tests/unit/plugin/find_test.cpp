#include "plugin/find.hpp"

#include <doctest/doctest.h>

#include <fstream>

#include "scratch.hpp"

namespace berth {
namespace {

using testing::Scratch;

TEST_CASE("a handler is found in the first folder that has it") {
  const Scratch scratch;
  const auto first = scratch.folder("first"), second = scratch.folder("second");
  scratch.file("first/one.so");
  scratch.file("second/one.so");
  scratch.file("second/two.so");
  CHECK(find_handler("one", {first, second}).value() == first / "one.so");
  CHECK(find_handler("one", {second, first}).value() == second / "one.so");
  CHECK(find_handler("two", {first, second}).value() == second / "two.so");
}

TEST_CASE("a handler that is nowhere is told with the folders and the nearest name") {
  const Scratch scratch;
  const auto first = scratch.folder("first"), second = scratch.folder("second");
  scratch.file("second/sleep_echo.so");
  const std::string where = first.string() + " and " + second.string();
  CHECK(find_handler("sleep_eco", {first, second}).error().message ==
        "no handler 'sleep_eco': sleep_eco.so is not in " + where + "; did you mean 'sleep_echo'?");
  CHECK(find_handler("web", {first, second}).error().message ==
        "no handler 'web': web.so is not in " + where);
}

TEST_CASE("a folder that is not there has no handlers and is no error of its own") {
  const Scratch scratch;
  const auto folder = scratch.folder("there");
  scratch.file("there/one.so");
  CHECK(find_handler("one", {scratch.path / "absent", folder}).value() == folder / "one.so");
  CHECK(all_handlers({scratch.path / "absent"}).empty());
}

TEST_CASE("all handlers are listed by folder and name, without what an earlier folder hides") {
  const Scratch scratch;
  const auto first = scratch.folder("first"), second = scratch.folder("second");
  for (const char* const name : {"first/b.so", "first/a.so", "first/notes.txt", "first/lib.so.1",
                                 "second/a.so", "second/c.so"}) {
    scratch.file(name);
  }
  scratch.folder("second/folder.so");
  CHECK(all_handlers({first, second}) ==
        std::vector<std::filesystem::path>{first / "a.so", first / "b.so", second / "c.so"});
}

}  // namespace
}  // namespace berth
