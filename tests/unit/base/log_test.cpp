#include "base/log.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "base/fd.hpp"
#include "scratch.hpp"

namespace berth {
namespace {

namespace fs = std::filesystem;

// A folder for one test's log, gone with it.
class LogFolder {
 public:
  std::string file() const { return (folder_.path / "berth.log").string(); }
  std::string text() const { return testing::content_of(file()); }
  LogSettings settings(LogFormat format = LogFormat::text) const {
    LogSettings settings;
    settings.format = format;
    settings.file = file();
    return settings;
  }

 private:
  testing::Scratch folder_;
};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// Standard error is another descriptor as long as this lives.
class StandardError {
 public:
  explicit StandardError(int other) : saved_(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10)) {
    ::dup2(other, STDERR_FILENO);
  }
  ~StandardError() { ::dup2(saved_.get(), STDERR_FILENO); }
  StandardError(const StandardError&) = delete;

 private:
  Fd saved_;
};

struct Pipe {
  Pipe() {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    read = Fd(ends[0]);
    write = Fd(ends[1]);
  }
  std::string take() const {
    std::string text(std::size_t{1} << 20, '\0');
    const ssize_t got = ::read(read.get(), text.data(), text.size());
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return text;
  }
  Fd read, write;
};

// The text with every digit a 0: times and pids differ from run to run.
std::string shape_of(std::string text) {
  for (char& c : text) c = c >= '0' && c <= '9' ? '0' : c;
  return text;
}

std::string pid_text() { return std::to_string(::getpid()); }

TEST_CASE("a line has time, level, source, pid and text") {
  const LogFolder folder;
  Log log;
  REQUIRE(log.open(folder.settings()));
  log.info("connection {} from {}", 17, "127.0.0.1:2934");
  log.set_source("echo");
  log.critical("gone");
  const auto lines = lines_of(folder.text());
  REQUIRE(lines.size() == 2);
  CHECK(shape_of(lines[0]) == shape_of("2026-11-23 14:08:01.123 info  berth/" + pid_text() +
                                       " connection 17 from 127.0.0.1:2934"));
  CHECK(shape_of(lines[1]) ==
        shape_of("2026-11-23 14:08:01.123 crit  echo/" + pid_text() + " gone"));
  CHECK(lines[0].find("/" + pid_text() + " connection 17 ") != std::string::npos);
}

TEST_CASE("levels are padded to one width in text and spelt out in JSON") {
  const LogFolder folder;
  Log log;
  const LogLevel levels[] = {LogLevel::trace, LogLevel::debug, LogLevel::info,
                             LogLevel::warn,  LogLevel::error, LogLevel::critical};
  const std::string text_names[] = {"trace", "debug", "info ", "warn ", "error", "crit "};
  const std::string json_names[] = {"trace", "debug", "info", "warn", "error", "critical"};
  for (const LogFormat format : {LogFormat::text, LogFormat::json}) {
    LogSettings settings = folder.settings(format);
    settings.level = LogLevel::trace;
    fs::remove(settings.file);
    REQUIRE(log.open(settings));
    for (const LogLevel level : levels) log.write(level, "x");
    const auto lines = lines_of(folder.text());
    REQUIRE(lines.size() == 6);
    for (std::size_t i = 0; i < 6; ++i) {
      const std::string expected = format == LogFormat::text
                                       ? " " + text_names[i] + " berth/"
                                       : "\"level\":\"" + json_names[i] + "\"";
      CHECK(lines[i].find(expected) != std::string::npos);
    }
  }
}

TEST_CASE("a JSON line is an object with the time in RFC 3339") {
  const LogFolder folder;
  Log log;
  REQUIRE(log.open(folder.settings(LogFormat::json)));
  log.set_source("a\"b");
  log.warn("say \"hi\"\n{}", "\xff");
  std::string shape = shape_of(folder.text());
  // The offset from UTC is the machine's.
  const auto offset = shape.find_first_of("+-", std::string_view("{'time':'2026-11-23").size());
  REQUIRE(offset != std::string::npos);
  shape[offset] = '+';
  CHECK(
      shape ==
      shape_of(R"({"time":"2026-11-23T14:08:01.123+01:00","level":"warn","source":"a\"b","pid":)" +
               pid_text() + R"(,"text":"say \"hi\"\n\\xff"})" + "\n"));
}

TEST_CASE("lines below the level are neither written nor formatted") {
  const LogFolder folder;
  Log log;
  LogSettings settings = folder.settings();
  settings.level = LogLevel::error;
  REQUIRE(log.open(settings));
  CHECK_FALSE(log.enabled(LogLevel::warn));
  CHECK(log.enabled(LogLevel::critical));
  log.info("{}", 1);
  log.write(LogLevel::warn, "x");
  CHECK(folder.text().empty());
  log.error("here");
  CHECK(lines_of(folder.text()).size() == 1);
}

TEST_CASE("text that a peer chose cannot forge a line") {
  const LogFolder folder;
  Log log;
  REQUIRE(log.open(folder.settings()));
  log.write(LogLevel::info, "a\n2026-01-01 00:00:00.000 crit  berth/1 {} %s \x1b[2J");
  const auto lines = lines_of(folder.text());
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].ends_with("a\\n2026-01-01 00:00:00.000 crit  berth/1 {} %s \\x1b[2J"));
}

TEST_CASE("a line is never longer than a pipe takes in one piece") {
  const LogFolder folder;
  Log log;
  for (const LogFormat format : {LogFormat::text, LogFormat::json}) {
    REQUIRE(log.open(folder.settings(format)));
    log.info("{}", std::string(100'000, '"'));
    const auto line = lines_of(folder.text()).back();
    CHECK(line.size() < Log::kLongestLine);
    CHECK(line.size() > Log::kLongestLine - 100);
    CHECK(line.find(" bytes more)") != std::string::npos);
  }
}

TEST_CASE("a forked child writes its own pid") {
  const LogFolder folder;
  Log log;
  REQUIRE(log.open(folder.settings()));
  log.info("parent");
  const pid_t child = ::fork();
  if (child == 0) {
    log.info("child");
    ::_exit(0);
  }
  REQUIRE(child > 0);
  REQUIRE(::waitpid(child, nullptr, 0) == child);
  const auto lines = lines_of(folder.text());
  REQUIRE(lines.size() == 2);
  CHECK(lines[1].ends_with("berth/" + std::to_string(child) + " child"));
}

TEST_CASE("lines of several processes and threads do not mix") {
  const LogFolder folder;
  Log log;
  REQUIRE(log.open(folder.settings()));
  const std::string text(1500, 'x');
  std::vector<pid_t> children;
  for (int i = 0; i < 3; ++i) {
    children.push_back(::fork());
    if (children.back() == 0) {
      for (int k = 0; k < 100; ++k) log.info("{}", text);
      ::_exit(0);
    }
  }
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 2; ++i) {
      threads.emplace_back([&] {
        for (int k = 0; k < 100; ++k) log.info("{}", text);
      });
    }
  }
  for (const pid_t child : children) REQUIRE(::waitpid(child, nullptr, 0) == child);
  const auto lines = lines_of(folder.text());
  CHECK(lines.size() == 500);
  for (const std::string& line : lines) REQUIRE(line.ends_with(" " + text));
}

TEST_CASE("a file that cannot be opened is named, and the log goes on as it was") {
  const LogFolder folder;
  Log log;
  REQUIRE(log.open(folder.settings()));
  LogSettings elsewhere = folder.settings();
  elsewhere.file = "/nonexistent-berth/x.log";
  const Result<void> opened = log.open(elsewhere);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().message ==
        "cannot open the log file /nonexistent-berth/x.log: No such file or directory");
  log.info("still here");
  CHECK(folder.text().find("still here") != std::string::npos);
}

TEST_CASE("reopen follows a rotation") {
  const LogFolder folder;
  Log log;
  REQUIRE(log.open(folder.settings()));
  log.info("before");
  fs::rename(folder.file(), folder.file() + ".1");
  log.info("between");
  log.reopen();
  log.info("behind");
  const auto lines = lines_of(folder.text());
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].ends_with("behind"));
}

TEST_CASE("a log that somebody else has opened is gone on in, unless it is standard error") {
  const LogFolder first;
  const LogFolder second;
  const auto opened = [](const LogFolder& folder) {
    return Fd(::open(folder.file().c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
  };
  Log log;
  const int before = log.descriptor();
  log.go_on_in(opened(second));
  CHECK(log.descriptor() == before);
  REQUIRE(log.open(first.settings()));
  log.info("before");
  log.go_on_in(Fd());
  log.info("still");
  log.go_on_in(opened(second));
  log.info("behind");
  CHECK(lines_of(first.text()).size() == 2);
  const auto lines = lines_of(second.text());
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].ends_with("behind"));
}

TEST_CASE("a failed reopen is told in the old file") {
  const LogFolder folder;
  Log log;
  REQUIRE(log.open(folder.settings()));
  const Fd old(::open(folder.file().c_str(), O_RDONLY | O_CLOEXEC));
  fs::remove(folder.file());
  fs::create_directory(folder.file());
  log.reopen();
  log.info("goes on");
  std::string text(4096, '\0');
  const ssize_t got = ::read(old.get(), text.data(), text.size());
  REQUIRE(got > 0);
  text.resize(static_cast<std::size_t>(got));
  const auto lines = lines_of(text);
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].ends_with("cannot open the log file " + folder.file() +
                           ": Is a directory; the log goes on in the old file"));
}

TEST_CASE("the log's descriptor is close-on-exec and appends") {
  const LogFolder folder;
  Log log;
  CHECK(log.descriptor() >= 0);
  REQUIRE(log.open(folder.settings()));
  CHECK(log.descriptor() > STDERR_FILENO);
  CHECK((::fcntl(log.descriptor(), F_GETFD) & FD_CLOEXEC) != 0);
  CHECK((::fcntl(log.descriptor(), F_GETFL) & O_APPEND) != 0);
}

TEST_CASE("a full disk loses lines, and they are counted") {
  const LogFolder folder;
  Log log;
  LogSettings settings = folder.settings();
  settings.file = "/dev/full";
  REQUIRE(log.open(settings));
  for (int i = 0; i < 3; ++i) log.info("lost");
  REQUIRE(log.open(folder.settings()));
  log.info("back");
  const auto lines = lines_of(folder.text());
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].find(" warn  berth/") != std::string::npos);
  CHECK(
      lines[0].ends_with(" 3 lines before this one could not be written: No space left on device"));
  CHECK(lines[1].ends_with(" back"));
}

TEST_CASE("a line that was cut short by a full disk does not swallow the next") {
  const LogFolder folder;
  rlimit saved = {};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &saved) == 0);
  const auto ignored = std::signal(SIGXFSZ, SIG_IGN);
  Log log;
  REQUIRE(log.open(folder.settings()));
  const rlimit small = {100, saved.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  log.info("{}", std::string(200, 'x'));
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &saved) == 0);
  log.info("back");
  std::signal(SIGXFSZ, ignored);
  const auto lines = lines_of(folder.text());
  REQUIRE(lines.size() == 3);
  CHECK(lines[0].size() == 100);
  CHECK(lines[1].find(" 1 line before this one could not be written") != std::string::npos);
  CHECK(lines[2].ends_with(" back"));
}

TEST_CASE("a pipe that nobody reads does not hold up the log") {
  const Pipe pipe;
  const StandardError redirected(pipe.write.get());
  Log log;
  for (int i = 0; i < 1000; ++i) log.info("{}", std::string(1000, 'x'));
  const std::string first = pipe.take();
  CHECK(first.size() > 10'000);
  log.info("back");
  const auto lines = lines_of(pipe.take());
  REQUIRE(lines.size() >= 2);
  CHECK(lines[lines.size() - 2].find(
            " lines before this one could not be written: Resource temporarily unavailable") !=
        std::string::npos);
  CHECK(lines.back().ends_with(" back"));
  // The pipe is shared with others, whose writes must go on blocking.
  CHECK((::fcntl(pipe.write.get(), F_GETFL) & O_NONBLOCK) == 0);
}

TEST_CASE("a socket that nobody reads does not hold up the log") {
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  const Fd ours(ends[0]);
  Fd theirs(ends[1]);
  const StandardError redirected(ours.get());
  Log log;
  for (int i = 0; i < 1000; ++i) log.info("{}", std::string(1000, 'x'));
  theirs.reset();
  // Nor does one whose reader is gone end the process by SIGPIPE.
  log.info("nobody");
}

TEST_CASE("what was lost before a fork is not told by the child") {
  const LogFolder folder;
  Log log;
  LogSettings settings = folder.settings();
  settings.file = "/dev/full";
  REQUIRE(log.open(settings));
  log.info("lost");
  REQUIRE(log.open(folder.settings()));
  const pid_t child = ::fork();
  if (child == 0) {
    log.info("child");
    ::_exit(0);
  }
  REQUIRE(::waitpid(child, nullptr, 0) == child);
  CHECK(lines_of(folder.text()).size() == 1);
  log.info("parent");
  CHECK(lines_of(folder.text()).size() == 3);
}

}  // namespace
}  // namespace berth
