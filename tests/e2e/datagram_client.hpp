// A client of a host that sends datagrams, by UDP over the loopback or to a Unix socket. What does
// not come within patience throws, and so fails the test.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace e2e {

class DatagramClient {
 public:
  // To a port of this address, which may be one of IPv6. Takes answers from anywhere: see sender().
  explicit DatagramClient(std::uint16_t port, const std::string& to = "127.0.0.1");
  // To a Unix socket: a path, or `@NAME`. Has a name of its own, unless it is to be `nameless`.
  enum class Name { own, none };
  explicit DatagramClient(const std::string& socket, Name name = Name::own);
  DatagramClient(DatagramClient&& other) noexcept;
  DatagramClient& operator=(DatagramClient&&) = delete;
  ~DatagramClient();

  void send(std::string_view bytes);
  // False where there is no room, or nobody.
  [[nodiscard]] bool try_to_send(std::string_view bytes);
  // The next datagram.
  [[nodiscard]] std::string receive();
  // Whether one comes within so many milliseconds.
  [[nodiscard]] bool has_input(int within_ms = 0) const;
  // A line sent, a line back, without its newline.
  [[nodiscard]] std::string ask(std::string_view command);
  // Who sent the one last received: "127.0.0.2:2934", "[::1]:2934".
  [[nodiscard]] std::string sender() const { return sender_; }
  // Who it is, as the host's log has it.
  [[nodiscard]] std::string address() const;
  // Asks the kernel for room for many answers.
  void make_room() const;

 private:
  int socket_;
  std::string to_;  // the kernel's form
  std::string sender_;
};

}  // namespace e2e
