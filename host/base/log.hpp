// The host's log. One per process, made in main and handed on; a forked child goes on with its copy.
// Each line is one write(2), so that lines of several processes never mix.
#pragma once

#include <spdlog/fmt/fmt.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace spdlog {
class logger;
}

namespace berth {

enum class LogLevel { trace, debug, info, warn, error, critical };
enum class LogFormat { text, json };

struct LogSettings {
  LogLevel level = LogLevel::info;
  LogFormat format = LogFormat::text;
  bool connections = true;  // a line when a connection opens and one when it ends
  std::string file = "-";   // "-": standard error; else absolute
};

// A line: `2026-11-23 14:08:01.123 info  echo/4242 text`. Safe to use from any thread.
class Log {
 public:
  // Text at level info to standard error, until open() says otherwise.
  Log();

  // The error names the file.
  [[nodiscard]] Result<void> open(const LogSettings& settings);
  // Opens the file anew (after a rotation); on failure goes on with the old one and says so.
  void reopen();

  // What the lines from here on say they come from: a listener's name, or "berth".
  void set_source(std::string source);

  [[nodiscard]] bool connections() const { return settings_.connections; }
  // The descriptor written to, for the few places that close all others.
  [[nodiscard]] int descriptor() const;

  template <class... Args>
  void info(fmt::format_string<Args...> format, Args&&... args) {
    write(LogLevel::info, fmt::format(format, std::forward<Args>(args)...));
  }
  template <class... Args>
  void warn(fmt::format_string<Args...> format, Args&&... args) {
    write(LogLevel::warn, fmt::format(format, std::forward<Args>(args)...));
  }
  template <class... Args>
  void error(fmt::format_string<Args...> format, Args&&... args) {
    write(LogLevel::error, fmt::format(format, std::forward<Args>(args)...));
  }
  template <class... Args>
  void critical(fmt::format_string<Args...> format, Args&&... args) {
    write(LogLevel::critical, fmt::format(format, std::forward<Args>(args)...));
  }

  // Text is escaped (control characters, bytes that are not UTF-8): peers and plugins may have
  // chosen it.
  void write(LogLevel level, std::string_view text);

 private:
  LogSettings settings_;
  std::string source_ = "berth";
  std::shared_ptr<spdlog::logger> logger_;  // spdlog's own way of holding one
};

// `text` with control characters and malformed bytes as \n, \t, \xHH.
[[nodiscard]] std::string escaped(std::string_view text);

}  // namespace berth
