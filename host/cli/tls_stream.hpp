// A socket of `berth send` with TLS on it, which does not block: what cannot be done yet is tried
// again when poll(2) has reported something.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "net/tls_session.hpp"

namespace berth {

class TlsStream final : private TlsTransport {
 public:
  // The context outlives it, and so does the socket. `host` is whom the other side is to be.
  TlsStream(const TlsContext& context, const std::string& host, int socket);

  enum class Shaken { done, not_yet, failed };
  [[nodiscard]] Shaken shake_hands();

  // As send(2) and recv(2) on a socket that does not block; EPROTO where TLS itself has failed.
  [[nodiscard]] ssize_t send(std::string_view bytes);
  [[nodiscard]] ssize_t receive(char* to, std::size_t room);
  // Tells the other side that nothing more will be sent, as far as that goes at once.
  void close_for_sending();

  // Whether it waits for room to send, beside input.
  [[nodiscard]] bool wants_room() const { return !out_.empty(); }
  // Whether receive() may have something that poll(2) knows nothing of.
  [[nodiscard]] bool has_input() const { return session_.has_rest() || !in_.empty(); }
  [[nodiscard]] TlsFailure failure() const { return failure_; }

 private:
  std::size_t take_in(char* to, std::size_t most) override;
  void give_out(std::string_view bytes) override { out_ += bytes; }
  [[nodiscard]] int flush();
  [[nodiscard]] int get_input();

  const int socket_;
  std::string in_, out_;
  TlsSession session_;
  TlsFailure failure_;
};

}  // namespace berth
