// One session: a client, the program that serves it, and the tasks that carry bytes between them.
#pragma once

#include <berth/handler.hpp>

#include <chrono>
#include <optional>

#include "program.hpp"

class Run {
 public:
  // How long the program may go on when its client is lost and it was told to end; and how long it
  // may be silent when its client has finished (0: no limit), before it counts as lost.
  struct Times {
    std::chrono::nanoseconds kill, finish;
  };

  // The program has been started.
  Run(berth::Connection client, Program& program, const Times& times);

  // Until the program has ended and all that it wrote is delivered.
  berth::Task<> serve();

 private:
  using Sleep = std::chrono::milliseconds;

  berth::Task<> feed();
  berth::Task<> deliver();
  berth::Task<bool> copy_output();
  berth::Task<> discard_output();
  berth::Task<> log_errors();
  void log_lines(berth::Buffer& buffer, bool is_last);
  berth::Task<bool> ended_within(std::chrono::nanoseconds limit);
  berth::Task<> end();
  static berth::Task<bool> write(berth::Connection connection, std::string_view bytes);

  berth::Connection client_;
  Program& program_;
  Times times_;
  berth::ClientConnection stream_;
  std::optional<berth::ClientConnection> errors_;  // where they are to be logged
  bool client_has_finished_ = false;
  bool over_ = false;  // the program has ended, and all that it wrote is read
};
