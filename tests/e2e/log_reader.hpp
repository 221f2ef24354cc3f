// What a host writes to its standard error, line by line as it comes. Read by a thread, so that the
// host never finds the pipe full and waiting for a line is waiting for an event.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace e2e {

// `2026-11-23 14:08:01.123 info  echo/4242 text`; of any other line only `text` is known.
struct LogLine {
  explicit LogLine(std::string whole);

  std::string level;
  std::string source;
  int pid = 0;
  std::string text;
  std::string whole;
};

class LogReader {
 public:
  // Reads from `descriptor`, which it closes, until the end of file: then no process of the host is
  // left that could write.
  explicit LogReader(int descriptor);
  LogReader(const LogReader&) = delete;
  LogReader& operator=(const LogReader&) = delete;
  // Waits for the end of file.
  ~LogReader();

  // The line that has `words` in it for the `nth` time (from 1). Throws where it does not come.
  LogLine wait_for(std::string_view words, std::size_t nth = 1);
  // What has been written by now: all of what a host said before it answered a command, say.
  [[nodiscard]] std::vector<LogLine> lines();
  [[nodiscard]] std::size_t count(std::string_view words);
  // From about here on reads nothing, so that a host's pipe of little room is soon full; until
  // resume().
  void pause();
  void resume();
  // False where the pipe is still held open by somebody when patience is at its end.
  [[nodiscard]] bool wait_for_end();
  [[nodiscard]] std::string whole();

 private:
  void read();
  void take_what_is_there();  // with the mutex held
  void wait_while_paused();
  void set_paused(bool paused, int room);

  const int descriptor_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable news_;
  std::vector<LogLine> lines_;
  std::string rest_;  // the begin of a line
  bool ended_ = false;
  bool paused_ = false;

  std::thread thread_;
};

}  // namespace e2e
