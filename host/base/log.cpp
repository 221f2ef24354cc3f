#include "base/log.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spdlog/formatter.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>
#include <system_error>
#include <utility>

namespace berth {
namespace {

using spdlog::memory_buf_t;
using spdlog::details::log_msg;

// %v and %* below: the text and the level as this log writes them.
class OwnFlag : public spdlog::custom_flag_formatter {
 public:
  using Append = void (*)(const log_msg& message, memory_buf_t& line);
  explicit OwnFlag(Append append) : append_(append) {}
  void format(const log_msg& message, const std::tm&, memory_buf_t& line) override {
    append_(message, line);
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<OwnFlag>(append_);
  }

 private:
  Append append_;
};

void append(memory_buf_t& line, std::string_view text) {
  line.append(text.data(), text.data() + text.size());
}

std::string_view level_name(spdlog::level::level_enum level) {
  switch (static_cast<LogLevel>(level)) {
    case LogLevel::trace:
      return "trace";
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warn:
      return "warn";
    case LogLevel::error:
      return "error";
    case LogLevel::critical:
      return "critical";
  }
  return "off";
}

void append_level(const log_msg& message, memory_buf_t& line) {
  append(line, level_name(message.level));
}

void append_short_level(const log_msg& message, memory_buf_t& line) {
  std::string name(level_name(message.level).substr(0, 5));
  if (message.level == spdlog::level::critical) name = "crit";
  name.resize(5, ' ');
  append(line, name);
}

// Appends the text as far as the line has room for it.
template <Escape form>
void append_text(const log_msg& message, memory_buf_t& line) {
  constexpr std::size_t kTail = sizeof "\"}\n";
  const std::string_view text(message.payload.data(), message.payload.size());
  append(line, escaped(text, form, Log::kLongestLine - kTail - line.size()));
}

// spdlog's %P asks for the process's number at each line, as a log that forks needs it.
std::unique_ptr<spdlog::formatter> make_formatter(LogFormat format) {
  const bool json = format == LogFormat::json;
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<OwnFlag>('*', json ? &append_level : &append_short_level);
  formatter->add_flag<OwnFlag>('v', json ? &append_text<Escape::json> : &append_text<Escape::text>);
  formatter->set_pattern(json ? R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%*",)"
                                R"("source":"%n","pid":%P,"text":"%v"})"
                              : "%Y-%m-%d %H:%M:%S.%e %* %n/%P %v");
  return formatter;
}

// Where lines go. `own` is empty for a standard error that is written to as it is.
struct Target {
  Fd own;
  bool may_block = false;
  bool socket = false;

  int number() const { return own ? own.get() : STDERR_FILENO; }
};

// Standard error is shared with whoever started us, so that it must not be made non-blocking. A
// pipe or a terminal can be opened a second time, which gives this process a non-blocking end of
// its own; unless it belongs to someone else, whose privileges this process has not.
Target standard_error() {
  Target target;
  struct stat status = {};
  if (::fstat(STDERR_FILENO, &status) != 0 || S_ISREG(status.st_mode)) return target;
  target.socket = S_ISSOCK(status.st_mode);
  if (!target.socket) {
    target.own =
        Fd(::open("/proc/self/fd/2", O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  }
  target.may_block = !target.socket && !target.own;
  return target;
}

// Non-blocking, because a named pipe without a reader would hold up the start.
Result<Target> open_file(const std::string& file) {
  Target target;
  target.own = Fd(::open(file.c_str(),
                         O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0640));
  if (!target.own) return system_error("cannot open the log file " + file, errno);
  return target;
}

constexpr std::string_view kStandardError = "-";

Result<Target> open_target(const std::string& file) {
  if (file == kStandardError) return standard_error();
  return open_file(file);
}

}  // namespace

// The sink. Its base holds the mutex; no thread of spdlog's is ever started, since this process
// forks.
class Log::Lines : public spdlog::sinks::base_sink<std::mutex> {
 public:
  void use(Target target) {
    const std::lock_guard lock(mutex_);
    target_ = std::move(target);
    torn_ = false;
  }
  int descriptor() {
    const std::lock_guard lock(mutex_);
    return target_.number();
  }
  // Counts a line that nobody could even make up.
  void lose(int errno_value) {
    const std::lock_guard lock(mutex_);
    forget_lost_by_parent();
    ++lost_;
    lost_in_ = ::getpid();
    lost_because_ = errno_value;
  }

 protected:
  void sink_it_(const log_msg& message) override {
    forget_lost_by_parent();
    if (lost_ > 0 && !tell_lost(message)) {
      ++lost_;
      return;
    }
    lost_ = 0;
    if (!put(message)) {
      lost_ = 1;
      lost_in_ = ::getpid();
    }
  }
  void flush_() override {}

 private:
  // The lines that were lost before a fork are the parent's to tell.
  void forget_lost_by_parent() {
    if (lost_ > 0 && lost_in_ != ::getpid()) lost_ = 0;
  }

  bool tell_lost(const log_msg& next) {
    const std::string text =
        std::to_string(lost_) + (lost_ == 1 ? " line" : " lines") +
        " before this one could not be written: " + std::generic_category().message(lost_because_);
    return put(log_msg(next.time, {}, next.logger_name, spdlog::level::warn, text));
  }

  bool put(const log_msg& message) {
    memory_buf_t line;
    // The end of a line that the disk or the pipe had no room for is missing, its newline too.
    if (torn_) append(line, "\n");
    memory_buf_t formatted;
    formatter_->format(message, formatted);
    append(line, {formatted.data(), formatted.size()});
    return put({line.data(), line.size()});
  }

  bool put(std::string_view line) {
    while (!line.empty()) {
      const ssize_t taken = put_some(line);
      if (taken >= 0) {
        line.remove_prefix(static_cast<std::size_t>(taken));
        torn_ = !line.empty();
      } else if (errno != EINTR) {
        lost_because_ = errno;
        return false;
      }
    }
    return true;
  }

  ssize_t put_some(std::string_view line) {
    const int number = target_.number();
    if (target_.socket) {
      return ::send(number, line.data(), line.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    if (target_.may_block) {
      // Where poll(2) sees room in a pipe, there is room for a line; in a terminal, for most.
      pollfd ready = {number, POLLOUT, 0};
      if (::poll(&ready, 1, 0) == 0) {
        errno = EAGAIN;
        return -1;
      }
    }
    return ::write(number, line.data(), line.size());
  }

  Target target_ = standard_error();
  bool torn_ = false;
  std::size_t lost_ = 0;
  pid_t lost_in_ = 0;
  int lost_because_ = 0;
};

Log::Log() : lines_(std::make_unique<Lines>()) {
  lines_->set_formatter(make_formatter(settings_.format));
}
Log::~Log() = default;

Result<void> Log::open(const LogSettings& settings) {
  Result<Target> target = open_target(settings.file);
  if (!target) return target.error();
  lines_->use(std::move(*target));
  lines_->set_formatter(make_formatter(settings.format));
  settings_ = settings;
  return {};
}

void Log::reopen() {
  if (settings_.file == kStandardError) return;
  Result<Target> target = open_target(settings_.file);
  if (target) {
    lines_->use(std::move(*target));
  } else {
    warn("{}; the log goes on in the old file", target.error().message);
  }
}

void Log::go_on_in(Fd file) {
  if (settings_.file == kStandardError || !file) return;
  Target target;
  target.own = std::move(file);
  lines_->use(std::move(target));
}

// In JSON the name stands within quotes, where a quote of its own would end it.
void Log::set_source(std::string source) {
  source_ = escaped(source, Escape::json, kLongestLine / 2);
}

int Log::descriptor() const { return lines_->descriptor(); }

void Log::write(LogLevel level, std::string_view text) {
  if (!enabled(level)) return;
  const auto spdlog_level = static_cast<spdlog::level::level_enum>(level);
  try {
    lines_->log(log_msg(source_, spdlog_level, {text.data(), text.size()}));
  } catch (const std::bad_alloc&) {
    lose_line();
  }
}

void Log::lose_line() { lines_->lose(ENOMEM); }

}  // namespace berth
