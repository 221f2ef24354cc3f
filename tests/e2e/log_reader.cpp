#include "log_reader.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <regex>
#include <stdexcept>

#include "wait_for.hpp"

namespace e2e {

namespace {

bool has(const LogLine& line, std::string_view words) {
  return line.whole.find(words) != std::string::npos;
}

}  // namespace

LogLine::LogLine(std::string line) : whole(std::move(line)) {
  static const std::regex form(
      R"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} (\w+) +(\S+)/(\d+) ([^\n]*))");
  std::smatch parts;
  if (!std::regex_match(whole, parts, form)) {
    text = whole;
    return;
  }
  level = parts[1];
  source = parts[2];
  pid = std::stoi(parts[3]);
  text = parts[4];
}

LogReader::LogReader(int descriptor) : descriptor_(descriptor) {
  (void)::fcntl(descriptor_, F_SETFL, O_NONBLOCK);
  thread_ = std::thread([this] { read(); });
}

LogReader::~LogReader() {
  resume();
  thread_.join();
}

void LogReader::pause() { set_paused(true, 4096); }
void LogReader::resume() { set_paused(false, 1 << 20); }

void LogReader::set_paused(bool paused, int room) {
  const std::scoped_lock lock(mutex_);
  if (!ended_) (void)::fcntl(descriptor_, F_SETPIPE_SZ, room);
  paused_ = paused;
  news_.notify_all();
}

void LogReader::wait_while_paused() {
  std::unique_lock lock(mutex_);
  news_.wait(lock, [this] { return !paused_; });
}

void LogReader::read() {
  for (bool ended = false; !ended;) {
    wait_while_paused();
    pollfd pipe{.fd = descriptor_, .events = POLLIN, .revents = 0};
    (void)::poll(&pipe, 1, -1);
    const std::scoped_lock lock(mutex_);
    if (!paused_) take_what_is_there();
    ended = ended_;
  }
  ::close(descriptor_);
}

void LogReader::take_what_is_there() {
  std::array<char, 65536> buffer;
  ssize_t count = -1;
  while (!ended_ && (count = ::read(descriptor_, buffer.data(), buffer.size())) > 0) {
    rest_.append(buffer.data(), static_cast<std::size_t>(count));
    for (std::size_t end; (end = rest_.find('\n')) != rest_.npos; rest_.erase(0, end + 1)) {
      lines_.emplace_back(rest_.substr(0, end));
    }
  }
  if (count == 0) {
    if (!rest_.empty()) lines_.emplace_back(rest_);
    ended_ = true;
  }
  news_.notify_all();
}

LogLine LogReader::wait_for(std::string_view words, std::size_t nth) {
  std::unique_lock lock(mutex_);
  std::size_t looked_at = 0;
  std::size_t found = 0;
  const auto come = [&] {
    while (looked_at < lines_.size()) {
      if (has(lines_[looked_at++], words) && ++found == nth) return true;
    }
    return false;
  };
  if (news_.wait_for(lock, kPatience, [&] { return come() || ended_; }) && found == nth) {
    return lines_[looked_at - 1];
  }
  throw std::runtime_error("the log does not come to say: " + std::string(words));
}

std::vector<LogLine> LogReader::lines() {
  const std::scoped_lock lock(mutex_);
  if (!paused_) take_what_is_there();
  return lines_;
}

std::size_t LogReader::count(std::string_view words) {
  const std::scoped_lock lock(mutex_);
  if (!paused_) take_what_is_there();
  std::size_t found = 0;
  for (const auto& line : lines_) found += has(line, words) ? 1 : 0;
  return found;
}

bool LogReader::wait_for_end() {
  std::unique_lock lock(mutex_);
  return news_.wait_for(lock, kPatience, [&] { return ended_; });
}

std::string LogReader::whole() {
  std::string all;
  for (const auto& line : lines()) all += line.whole + "\n";
  return all;
}

}  // namespace e2e
