#include "cli/send_screen.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>

#include "base/fd.hpp"

namespace {

using berth::Fd;
using berth::quoted;
using berth::SendProgress;
using berth::SendScreen;
using std::chrono::milliseconds;
using std::chrono::seconds;

// A terminal as far as a screen can tell: what both streams wrote, in order.
class Terminal {
 public:
  Terminal() {
    int ends[2];
    REQUIRE(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
    reader_.reset(ends[0]);
    writer_.reset(ends[1]);
  }
  [[nodiscard]] SendScreen::Streams streams(bool is_terminal = true) const {
    return {writer_.get(), writer_.get(), is_terminal};
  }
  [[nodiscard]] std::string written() const {
    std::string text(4096, '\0');
    const ssize_t count = read(reader_.get(), text.data(), text.size());
    text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return text;
  }
  void stop_reading() { reader_.reset(); }

 private:
  Fd reader_;
  Fd writer_;
};

TEST_CASE("no byte of a reply can harm a terminal or be taken for another") {
  CHECK(quoted("Echo=>a at noon") == "'Echo=>a at noon'");
  CHECK(quoted("it's") == R"('it\'s')");
  CHECK(quoted("a\\n\n\t\x1b[2J\xff") == R"('a\\n\n\t\x1b[2J\xff')");
  CHECK(quoted("grüße") == "'grüße'");
}

TEST_CASE("a reply is a line of its own") {
  const Terminal terminal;
  SendScreen screen(terminal.streams(), 1);
  screen.on_reply(1, "Echo=>a");
  CHECK(terminal.written() == "Client received: 'Echo=>a'\n");
}

TEST_CASE("a failure names its client where there are several") {
  const Terminal terminal;
  SendScreen one(terminal.streams(), 1);
  one.on_failure(1, "no reply");
  CHECK(terminal.written() == "berth send: no reply\n");
  SendScreen several(terminal.streams(), 8);
  several.on_failure(3, "no reply");
  CHECK(terminal.written() == "client 3: no reply\n");
}

TEST_CASE("a wait over a second is shown, redrawn in place, and erased before a line") {
  const Terminal terminal;
  {
    SendScreen screen(terminal.streams(), 8);
    screen.on_progress({3, 8, milliseconds(999), milliseconds(999)});
    CHECK(terminal.written() == "");
    screen.on_progress({3, 8, milliseconds(1001), milliseconds(1000)});
    CHECK(terminal.written() == "\r\x1b[K3 of 8 replies, 1 s …");
    screen.on_progress({3, 8, milliseconds(1900), milliseconds(1900)});
    CHECK(terminal.written() == "");
    screen.on_progress({3, 8, seconds(2), seconds(2)});
    CHECK(terminal.written() == "\r\x1b[K3 of 8 replies, 2 s …");
    screen.on_reply(4, "x");
    CHECK(terminal.written() == "\r\x1b[KClient received: 'x'\n");
    screen.on_progress({8, 8, seconds(4), seconds(2)});
    CHECK(terminal.written() == "\r\x1b[K8 of 8 replies, waiting for the server to close, 4 s …");
  }
  CHECK(terminal.written() == "\r\x1b[K");
}

TEST_CASE("where standard error is no terminal, no progress is shown") {
  const Terminal terminal;
  SendScreen screen(terminal.streams(false), 8);
  screen.on_progress({3, 8, seconds(4), seconds(4)});
  CHECK(terminal.written() == "");
}

TEST_CASE("output that cannot be written is known afterwards") {
  // As `berth send` does it, so that a closed pipe is an error instead of the end.
  const auto former = std::signal(SIGPIPE, SIG_IGN);
  Terminal terminal;
  SendScreen screen(terminal.streams(), 1);
  CHECK(screen.output_error() == 0);
  terminal.stop_reading();
  screen.on_reply(1, "a");
  CHECK(screen.output_error() == EPIPE);
  std::signal(SIGPIPE, former);
}

}  // namespace
