// What `berth send` shows: replies on standard output, failures on standard error, and, where
// standard error is a terminal, one line that tells how far a longer wait has come. That line is
// redrawn in place and erased before anything else is written, since both streams may be the same
// terminal. Every line is one write(2), so that lines never mix.
#pragma once

#include <string>

#include "cli/send_all.hpp"

namespace berth {

class SendScreen final : public SendObserver {
 public:
  struct Streams {
    int output;
    int errors;
    bool errors_is_terminal;
  };

  // With more than one client, failures name theirs.
  SendScreen(Streams streams, std::size_t clients) : streams_(streams), clients_(clients) {}
  SendScreen(const SendScreen&) = delete;
  SendScreen& operator=(const SendScreen&) = delete;
  ~SendScreen() override { erase_progress(); }

  void on_reply(std::size_t client, std::string_view reply) override;
  void on_failure(std::size_t client, std::string_view why) override;
  void on_progress(const SendProgress& progress) override;

  // The errno of the first line of output that could not be written; 0 if all could.
  [[nodiscard]] int output_error() const { return output_error_; }

 private:
  void erase_progress();

  Streams streams_;
  std::size_t clients_;
  std::string progress_line_;  // as it stands on the terminal; empty: none
  int output_error_ = 0;
};

// `text` between single quotes, so that any bytes can be told apart and none can harm a terminal.
[[nodiscard]] std::string quoted(std::string_view text);

}  // namespace berth
