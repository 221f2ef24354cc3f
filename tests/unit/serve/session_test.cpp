// The operations of a session, under both ways of serving.
#include <doctest/doctest.h>

#include <future>
#include <string>
#include <vector>

#include "serve/session_rig.hpp"

namespace berth {
namespace {

using namespace std::chrono_literals;
using namespace berth::testing;
using Under = Session::Under;

TEST_CASE("a session reads what comes, writes it back and ends with its client") {
  under_each([](Under under) {
    Session session(under, echo);
    std::string got;
    const SessionReport& report = session.run([&](const Fd& client) {
      for (const char* const word : {"one", "two", "three"}) {
        send_all(client, word);
        got += receive(client, std::string_view(word).size()) + ' ';
      }
    });
    CHECK(got == "one two three ");
    CHECK(report.end == SessionEnd::client);
    CHECK(report.error == 0);
    CHECK(report.bytes_in == 11);
    CHECK(report.bytes_out == 11);
  });
}

TEST_CASE("the end of the stream is an end at every later read") {
  under_each([](Under under) {
    int ends = 0;
    Session session(under, [&](berth_connection* c) -> Script {
      for (int i = 0; i < 3; ++i) {
        ReadOp read(c);
        co_await read;
        if (read.at_end() && read.error == 0 && (i == 0 || !read.waited)) ++ends;
      }
      finish(c);
    });
    CHECK(session.run([](const Fd&) {}).end == SessionEnd::client);
    CHECK(ends == 3);
  });
}

TEST_CASE("after a half-close the reply still reaches its client") {
  under_each([](Under under) {
    std::string reply;
    Session session(under, [](berth_connection* c) -> Script {
      ReadOp read(c);
      do co_await read;
      while (!read.at_end());
      WriteOp write(c, "late reply");
      co_await write;
      finish(c);
    });
    session.run([&](const Fd& client) {
      send_all(client, "question");
      ::shutdown(client.get(), SHUT_WR);
      reply = receive_until_end(client);
    });
    CHECK(reply == "late reply");
  });
}

std::string pattern(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 7 + i / 251);
  return bytes;
}

TEST_CASE("a write of many parts that goes out piece by piece arrives to the byte") {
  under_each([](Under under) {
    // Of all sizes, empty ones among them, and more than one system call takes.
    const std::string bytes = pattern(600'000);
    std::vector<berth_bytes> parts;
    for (std::size_t at = 0, size = 0; at < bytes.size(); size = (size * 3 + 1) % 9001) {
      const std::size_t part = std::min(size, bytes.size() - at);
      parts.push_back({bytes.data() + at, part});
      at += part;
    }
    REQUIRE(parts.size() > 64);
    Pair pair = unix_pair();
    const int tiny = 1;  // the kernel makes it its least
    REQUIRE(::setsockopt(pair.served.get(), SOL_SOCKET, SO_SNDBUF, &tiny, sizeof tiny) == 0);
    bool waited = false;
    Session session(
        under,
        [&](berth_connection* c) -> Script {
          WriteOp write(c, parts.data(), parts.size());
          co_await write;
          waited = write.waited;
          finish(c);
        },
        std::move(pair));
    std::string got;
    const SessionReport& report =
        session.run([&](const Fd& client) { got = receive_until_end(client); });
    CHECK(waited);
    CHECK((got == bytes));
    CHECK(report.bytes_out == bytes.size());
  });
}

TEST_CASE("a write of nothing is done at once") {
  under_each([](Under under) {
    int error = -1;
    bool waited = true;
    Session session(under, [&](berth_connection* c) -> Script {
      const berth_bytes parts[2] = {{"", 0}, {nullptr, 0}};
      WriteOp write(c, parts, 2);
      co_await write;
      error = write.error;
      waited = write.waited;
      finish(c);
    });
    session.run([](const Fd&) {});
    CHECK(error == 0);
    CHECK_FALSE(waited);
  });
}

struct Halves {
  int running = 2;
  std::string read;
  int write_error = -1;
};

Script read_half(berth_connection* c, Halves& halves) {
  ReadOp read(c);
  co_await read;
  halves.read = read.data();
  if (--halves.running == 0) finish(c);
}

Script write_half(berth_connection* c, Halves& halves, const std::string& text) {
  WriteOp write(c, text);
  co_await write;
  halves.write_error = write.error;
  if (--halves.running == 0) finish(c);
}

TEST_CASE("a second read or write while one is pending is refused, and harms neither") {
  under_each([](Under under) {
    const std::string large = pattern(16'000'000);  // more than the kernel takes in on both sides
    Halves halves;
    int read_error = 0, write_error = 0;
    std::promise<void> refused;
    Session session(under, [&](berth_connection* c) -> Script {
      read_half(c, halves);
      write_half(c, halves, large);
      ReadOp second_read(c);
      co_await second_read;
      read_error = second_read.error;
      WriteOp second_write(c, "x");
      co_await second_write;
      write_error = second_write.error;
      refused.set_value();
    });
    std::string got;
    const SessionReport& report = session.run([&](const Fd& client) {
      refused.get_future().wait();
      send_all(client, "to be read");
      got = receive(client, large.size());
    });
    CHECK(read_error == EBUSY);
    CHECK(write_error == EBUSY);
    CHECK(halves.read == "to be read");
    CHECK(halves.write_error == 0);
    CHECK((got == large));
    CHECK(report.error == 0);
  });
}

TEST_CASE("an operation whose fields make no sense is refused") {
  under_each([](Under under) {
    std::vector<int> errors;
    Session session(under, [&](berth_connection* c) -> Script {
      ReadOp negative(c, -1ns);
      co_await negative;
      errors.push_back(negative.error);
      ReadOp small_read(c);
      small_read.size = 40;
      co_await small_read;
      errors.push_back(small_read.error);
      WriteOp small_write(c, "x");
      small_write.size = 0;
      co_await small_write;
      errors.push_back(small_write.error);
      SleepOp small_sleep(c, 0ns);
      small_sleep.size = 1;
      co_await small_sleep;
      errors.push_back(small_sleep.error);
      SleepOp past(c, -5s);  // counts as none
      co_await past;
      errors.push_back(past.error);
      finish(c);
    });
    session.run([](const Fd&) {});
    CHECK(errors == std::vector{EINVAL, EINVAL, EINVAL, EINVAL, 0});
  });
}

TEST_CASE("a connection tells the handler who it is") {
  under_each([](Under under) {
    std::string text;
    Session session(under, [&](berth_connection* c) -> Script {
      char buffer[64];
      const std::size_t length = c->host->listener(c, buffer, 2);
      text = std::string(buffer, 2) + "," + std::to_string(length) + ",";
      text.append(buffer, c->host->peer(c, buffer, sizeof buffer));
      text += "," + std::to_string(c->host->id(c)) + "," + std::to_string(c->host->stopping(c));
      c->host->log(c, BERTH_WARN, {"from the handler", 16});
      finish(c);
      co_return;
    });
    session.run([](const Fd&) {});
    CHECK(text == "ec,4,unknown,17,0");
    CHECK(session.log.text().find("connection 17 from unknown: from the handler") !=
          std::string::npos);
  });
}

TEST_CASE("what the host's table says of itself is what abi.h says") {
  CHECK(kHostTable.size == sizeof(berth_host));
  CHECK(kHostTable.abi_minor == BERTH_ABI_MINOR);
}

}  // namespace
}  // namespace berth
