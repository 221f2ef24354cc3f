#include "run.hpp"

#include <algorithm>
#include <cerrno>

using namespace std::chrono_literals;

Run::Run(berth::Connection client, Program& program, const Times& times)
    : client_(client),
      program_(program),
      times_(times),
      stream_(client.adopt(program.take_stream())) {
  const int errors = program.take_errors();
  if (errors >= 0) errors_ = client.adopt(errors);
}

berth::Task<> Run::serve() { co_await berth::when_all(feed(), deliver(), log_errors()); }

// The client's bytes to the program, and their end.
berth::Task<> Run::feed() {
  try {
    while (auto bytes = co_await client_.read()) {
      const bool taken = co_await write(stream_, *bytes);
      if (!taken) co_return;  // the program reads no more
    }
    stream_.close_write();
    client_has_finished_ = true;
    co_return;
  } catch (const berth::ConnectionLost&) {
  }
  co_await end();
}

// The program's bytes to the client. With its end the session is over, whatever the client does.
berth::Task<> Run::deliver() {
  bool ended = co_await copy_output();
  if (ended) {
    client_.close_write();
    ended = co_await ended_within(times_.finish);
  }
  if (!ended) co_await berth::when_all(discard_output(), end());
  over_ = true;
  client_.close_read();
  if (errors_) errors_->close_read();
}

// False where the client is lost before the end of the output, or has finished and nothing comes.
berth::Task<bool> Run::copy_output() {
  const berth::ReadOptions options{.within = times_.finish};
  for (;;) {
    const bool is_last = client_has_finished_;
    std::optional<std::string_view> bytes;
    try {
      bytes = co_await stream_.read(options);
    } catch (const berth::ConnectionLost& lost) {
      if (lost.timed_out() && !is_last) continue;
      co_return lost.code().value() == ECONNRESET;  // it has ended with input unread
    }
    if (!bytes) co_return true;
    const bool taken = co_await write(client_, *bytes);
    if (!taken) co_return false;
  }
}

berth::Task<> Run::discard_output() {
  try {
    while (co_await stream_.read()) {
    }
  } catch (const berth::ConnectionLost&) {
  }
  (void)co_await ended_within(0s);
  over_ = true;
}

berth::Task<bool> Run::write(berth::Connection connection, std::string_view bytes) {
  try {
    co_await connection.write(bytes);
    co_return true;
  } catch (const berth::ConnectionLost&) {
    co_return false;
  }
}

// The lines that the program writes to its standard error.
berth::Task<> Run::log_errors() {
  if (!errors_) co_return;
  berth::Buffer buffer(*errors_);
  try {
    for (bool more = true; more;) {
      more = co_await buffer.more({});
      log_lines(buffer, !more);
    }
  } catch (const berth::ConnectionLost&) {
  }
}

void Run::log_lines(berth::Buffer& buffer, bool is_last) {
  constexpr std::size_t kLongest = 1000;
  for (;;) {
    const std::string_view bytes = buffer.bytes();
    const std::size_t end = bytes.find('\n');
    if (bytes.empty() || (end == bytes.npos && bytes.size() < kLongest && !is_last)) return;
    client_.log(berth::Level::info, buffer.take(std::min(end, kLongest)));
    if (end <= kLongest) buffer.take(1);
  }
}

// Whether the program ends in that time (0: no limit). One whose output has ended has nearly always
// ended itself, or is about to.
berth::Task<bool> Run::ended_within(std::chrono::nanoseconds limit) {
  const auto start = std::chrono::steady_clock::now();
  try {
    for (Sleep pause = 1ms; !program_.has_ended(); pause = std::min(2 * pause, Sleep(100))) {
      if (limit != 0s && std::chrono::steady_clock::now() - start >= limit) co_return false;
      co_await client_.sleep_for(pause);
    }
  } catch (const berth::ConnectionLost&) {  // no time is left
    program_.kill();
  }
  co_return true;
}

// The client is lost: asks the program to end, and after a while makes it.
berth::Task<> Run::end() {
  if (over_) co_return;
  program_.terminate();
  try {
    const auto deadline = std::chrono::steady_clock::now() + times_.kill;
    for (Sleep pause = 1ms; !over_; pause = std::min(2 * pause, Sleep(50))) {
      if (std::chrono::steady_clock::now() >= deadline) break;
      co_await client_.sleep_for(pause);
    }
  } catch (const berth::ConnectionLost&) {
  }
  if (over_) co_return;
  program_.kill();
  stream_.close_read();  // what has left the group may hold it open
}
