// The host's log. One per process, made in main and handed on; a forked child goes on with its
// copy. Each line is one write(2), so that lines of several processes never mix. Writing never
// fails and never waits for whoever reads the log: a line that cannot be written now (disk full,
// pipe full, reader gone, no memory) is lost, and how many were is told with the next one that gets
// through.
#pragma once

#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.hpp"
#include "base/escape.hpp"
#include "base/fd.hpp"
#include "base/format.hpp"
#include "base/result.hpp"

namespace berth {

enum class LogLevel { trace, debug, info, warn, error, critical };
enum class LogFormat { text, json };

// Of what may happen again and again a line is written at most once in so long.
inline constexpr Duration kQuietTime = std::chrono::seconds(10);

struct LogSettings {
  LogLevel level = LogLevel::info;
  LogFormat format = LogFormat::text;
  bool connections = true;  // a line when a connection opens and one when it ends
  std::string file = "-";   // "-": standard error; else absolute

  bool operator==(const LogSettings&) const = default;
};

// A line: `2026-11-23 14:08:01.123 info  echo/4242 text`. Safe to use from any thread, but for
// open() and set_source(), which the main thread calls while it is the only one.
class Log {
 public:
  // Text at level info to standard error, until open() says otherwise.
  Log();
  ~Log();

  // The error names the file; the log then goes on as it was.
  [[nodiscard]] Result<void> open(const LogSettings& settings);
  // Opens the file anew (after a rotation); on failure goes on with the old one and says so. There
  // is nothing to open where the log is standard error.
  void reopen();
  // For a process that may not open the file itself: goes on in what another has opened.
  void go_on_in(Fd file);

  // What the lines from here on say they come from: a listener's name, or "berth".
  void set_source(std::string source);

  [[nodiscard]] bool connections() const { return settings_.connections; }
  [[nodiscard]] bool enabled(LogLevel level) const { return level >= settings_.level; }
  // The descriptor written to, for the few places that close all others.
  [[nodiscard]] int descriptor() const;

  template <class... Args>
  void debug(fmt::format_string<Args...> form, Args&&... args) {
    log(LogLevel::debug, form, std::forward<Args>(args)...);
  }
  template <class... Args>
  void info(fmt::format_string<Args...> form, Args&&... args) {
    log(LogLevel::info, form, std::forward<Args>(args)...);
  }
  template <class... Args>
  void warn(fmt::format_string<Args...> form, Args&&... args) {
    log(LogLevel::warn, form, std::forward<Args>(args)...);
  }
  template <class... Args>
  void error(fmt::format_string<Args...> form, Args&&... args) {
    log(LogLevel::error, form, std::forward<Args>(args)...);
  }
  template <class... Args>
  void critical(fmt::format_string<Args...> form, Args&&... args) {
    log(LogLevel::critical, form, std::forward<Args>(args)...);
  }

  // Text is escaped (control characters, bytes that are not UTF-8): peers and plugins may have
  // chosen it. What would make a line longer than kLongestLine is cut, and the line says so.
  void write(LogLevel level, std::string_view text);

  // Counts a line as lost that could not even be made up, for want of memory.
  void lose_line();

  // PIPE_BUF: up to here the kernel keeps the lines of several writers to one pipe apart.
  static constexpr std::size_t kLongestLine = 4096;

 private:
  template <class... Args>
  void log(LogLevel level, fmt::format_string<Args...> form, Args&&... args) {
    if (!enabled(level)) return;
    try {
      write(level, formatted(form, std::forward<Args>(args)...));
    } catch (const std::bad_alloc&) {
      lose_line();
    }
  }

  class Lines;

  LogSettings settings_;
  std::string source_ = "berth";
  std::unique_ptr<Lines> lines_;
};

}  // namespace berth
