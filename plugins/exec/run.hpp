// One session: a client, the program that serves it, and the tasks that carry bytes between them.
#pragma once

#include <berth/handler.hpp>

#include <chrono>
#include <optional>

#include "program.hpp"

class Run {
 public:
  // The program has been started. A client that is lost ends it, with SIGTERM and after
  // `kill_after` with SIGKILL.
  Run(berth::Connection client, Program& program, std::chrono::nanoseconds kill_after);

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
  berth::Task<> wait_for_end();
  berth::Task<> end();
  static berth::Task<bool> write(berth::Connection connection, std::string_view bytes);

  berth::Connection client_;
  Program& program_;
  std::chrono::nanoseconds kill_after_;
  berth::ClientConnection stream_;
  std::optional<berth::ClientConnection> errors_;  // where they are to be logged
  bool over_ = false;  // the program has ended, and all that it wrote is read
};
