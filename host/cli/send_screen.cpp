#include "cli/send_screen.hpp"

#include "base/escape.hpp"
#include "base/write_all.hpp"

namespace berth {

std::string quoted(std::string_view text) {
  std::string marked;
  for (const char c : text) {
    if (c == '\'' || c == '\\') marked += '\\';
    marked += c;
  }
  return "'" + escaped(marked) + "'";
}

void SendScreen::on_reply(std::size_t, std::string_view reply) {
  erase_progress();
  const int error = write_all(streams_.output, "Client received: " + quoted(reply) + "\n");
  if (output_error_ == 0) output_error_ = error;
}

void SendScreen::on_failure(std::size_t client, std::string_view why) {
  erase_progress();
  const std::string who = clients_ > 1 ? "client " + std::to_string(client) : "berth send";
  (void)write_all(streams_.errors, who + ": " + std::string(why) + "\n");
}

void SendScreen::on_progress(const SendProgress& progress) {
  using std::chrono::seconds;
  if (!streams_.errors_is_terminal || progress.quiet < seconds(1)) return;
  const auto elapsed = std::chrono::duration_cast<seconds>(progress.elapsed).count();
  const bool done = progress.replies == progress.expected;
  const std::string line =
      std::to_string(progress.replies) + " of " + std::to_string(progress.expected) + " replies, " +
      (done ? "waiting for the server to close, " : "") + std::to_string(elapsed) + " s …";
  if (line == progress_line_) return;
  (void)write_all(streams_.errors, "\r\x1b[K" + line);
  progress_line_ = line;
}

void SendScreen::erase_progress() {
  if (progress_line_.empty()) return;
  (void)write_all(streams_.errors, "\r\x1b[K");
  progress_line_.clear();
}

}  // namespace berth
