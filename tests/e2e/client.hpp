// A client of a host: one connection, by TCP over the loopback, with or without TLS, or to a Unix
// socket. What does not come within patience throws, and so fails the test.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "tls_end.hpp"

namespace e2e {

class Client {
 public:
  // Connects; at the host's limit the connection then waits in the backlog. With a buffer for so
  // many received bytes the host soon finds that this client does not read; 0: as it comes.
  explicit Client(std::uint16_t port, int receive_buffer = 0);
  // From another address of the loopback: 127.0.0.2.
  Client(std::uint16_t port, const std::string& from);
  // To a Unix socket: a path, or `@NAME`.
  explicit Client(const std::string& socket);
  // The other end of a connection that the test has accepted, which it takes over.
  [[nodiscard]] static Client accepted(int socket);
  // With TLS, hands shaken.
  Client(std::uint16_t port, const TlsWish& wish);
  Client(Client&& other) noexcept;
  Client& operator=(Client&& other) noexcept;
  ~Client() { close(); }

  void send(std::string_view bytes);
  // As much as there is room for on the way, without waiting; the count.
  std::size_t send_what_fits(std::string_view bytes);
  // The next bytes that come, at most so many; empty at the end of the stream.
  [[nodiscard]] std::string read_some(std::size_t at_most = 65536);
  // Without its newline.
  [[nodiscard]] std::string read_line();
  [[nodiscard]] std::string read_exactly(std::size_t count);
  [[nodiscard]] std::string read_to_end();
  // A line sent, a line back.
  [[nodiscard]] std::string ask(std::string_view command);
  // Whether something to read is here now.
  [[nodiscard]] bool has_input() const;
  // Whether the host has closed or reset the connection, as far as it can be seen by now, and has
  // sent nothing that is still to be read.
  [[nodiscard]] bool is_closed() const;
  // Waits until the host has closed or reset the connection; drops what comes before.
  void wait_until_closed();

  void finish_sending();  // half-close
  void cut_sending();     // the same without a word of TLS, as who sits between the two could do it
  void close();
  void reset();  // closes with a reset
  // Who it is, as the host's log has it: 127.0.0.1:2934, or uid=0,gid=0,pid=2934.
  [[nodiscard]] std::string address() const;
  // What was agreed upon, where there is TLS.
  [[nodiscard]] TlsEnd& tls() const { return *tls_; }

 private:
  Client() = default;

  int socket_ = -1;
  std::unique_ptr<TlsEnd> tls_;
};

// "127.0.0.1:2934"
[[nodiscard]] std::string loopback(std::uint16_t port);
// "flood 4000"
[[nodiscard]] std::string numbered(std::string_view command, std::size_t number);

// So many bytes, always the same, all values among them.
[[nodiscard]] std::string bytes_of_all_values(std::size_t size);

// Whether nobody listens on that port, or that Unix socket, or there is none.
[[nodiscard]] bool is_refused(std::uint16_t port);
[[nodiscard]] bool is_refused(const std::string& socket);

}  // namespace e2e
