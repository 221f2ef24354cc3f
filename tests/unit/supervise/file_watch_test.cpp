#include "supervise/file_watch.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <memory>
#include <string>

#include "scratch.hpp"
#include "serve/epoll_demultiplexer.hpp"

namespace berth {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// A folder with a file that is watched, and a loop that runs until a change is told of.
struct Rig {
  Rig() { write("file", "one"); }

  void write(const std::string& name, const std::string& text) const {
    (void)scratch.file(name, text);
  }
  // How often a change was told of until the first, or until `patience` is at its end.
  int changes(Duration patience) {
    told = 0;
    CallTimer end(loop.timers(), [&] { loop.stop(); });
    end.arm(after(Clock::now(), patience));
    loop.run();
    return told;
  }

  testing::Scratch scratch;
  fs::path folder = scratch.path;
  EventLoop loop{std::make_unique<EpollDemultiplexer>()};
  int told = 0;
  FileWatch watch{loop, [this] {
                    ++told;
                    loop.stop();
                  }};
};

// What would be told late is told well within it.
constexpr Duration kNothingComes = 600ms;

TEST_CASE("a file that is written, replaced, removed or there again is told of") {
  Rig rig;
  REQUIRE(rig.watch.watch({rig.folder / "file"}));
  rig.write("file", "two!");
  CHECK(rig.changes(30s) == 1);
  rig.write("new", "four");
  fs::rename(rig.folder / "new", rig.folder / "file");
  CHECK(rig.changes(30s) == 1);
  fs::remove(rig.folder / "file");
  CHECK(rig.changes(30s) == 1);
  rig.write("file", "five");
  CHECK(rig.changes(30s) == 1);
}

TEST_CASE("a link that comes to lead elsewhere is told of, and what it leads to") {
  Rig rig;
  rig.write("other", "other");
  fs::create_symlink("file", rig.folder / "link");
  REQUIRE(rig.watch.watch({rig.folder / "link"}));
  rig.write("file", "two!");
  CHECK(rig.changes(30s) == 1);
  fs::create_symlink("other", rig.folder / "new");
  fs::rename(rig.folder / "new", rig.folder / "link");
  CHECK(rig.changes(30s) == 1);
}

TEST_CASE("what happens beside the files is not told of") {
  Rig rig;
  REQUIRE(rig.watch.watch({rig.folder / "file"}));
  rig.write("another", "text");
  fs::remove(rig.folder / "another");
  CHECK(rig.changes(kNothingComes) == 0);
}

TEST_CASE("changes that follow one another quickly are told of once") {
  Rig rig;
  REQUIRE(rig.watch.watch({rig.folder / "file"}));
  for (int i = 0; i < 20; ++i) rig.write("file", std::string(static_cast<std::size_t>(i), 'x'));
  CHECK(rig.changes(30s) == 1);
  CHECK(rig.changes(kNothingComes) == 0);
}

TEST_CASE("a change while nobody watched is told of when it is watched again") {
  Rig rig;
  REQUIRE(rig.watch.watch({rig.folder / "file"}));
  rig.watch.stop();
  rig.write("file", "changed");
  REQUIRE(rig.watch.watch({rig.folder / "file"}));
  CHECK(rig.changes(30s) == 1);
}

TEST_CASE("a folder that is not there cannot be watched, and the error names it") {
  Rig rig;
  const auto watched = rig.watch.watch({rig.folder / "none" / "file"});
  REQUIRE_FALSE(watched);
  CHECK(watched.error().message.find((rig.folder / "none").string()) != std::string::npos);
}

}  // namespace
}  // namespace berth
