// TLS between a connection's operations and its socket, the same under every model. Bytes of the
// handler's are encrypted into a buffer of this layer's and sent from there; what comes in stays in
// the buffer that it was received into until the handler wants it. A connection that waits for its
// client has neither.
//
// A client that closes its socket without having said that its stream was to end (close_notify) has
// its end told to the handler as an error, EPROTO: whoever sits between the two could have cut off
// the rest, and a handler that takes the end of the stream for the end of a message would be
// deceived (RFC 8446, 6.1). A handler that is through by then never knows.
#pragma once

#include <optional>
#include <string>

#include "net/tls_session.hpp"
#include "serve/layer.hpp"

namespace berth {

class TlsLayer final : public Layer, private TlsTransport {
 public:
  // The context outlives it.
  explicit TlsLayer(const TlsContext& context) : context_(context) {}

  [[nodiscard]] ssize_t open(Wire& wire) override;
  [[nodiscard]] bool wants_room() const override { return has_output(); }
  [[nodiscard]] ssize_t receive(Wire& wire, Lent& bytes) override;
  [[nodiscard]] ssize_t send(Wire& wire, Pieces pieces) override;
  [[nodiscard]] bool has_input() const override { return has_input_; }
  void cancel_send(Wire& wire) override;
  void on_sent(ssize_t result) override;
  [[nodiscard]] ssize_t half_close(Wire& wire) override;
  [[nodiscard]] bool has_last_word() const override;
  [[nodiscard]] std::string peer_name() const override;
  [[nodiscard]] TlsFailure failure() const override { return failure_; }

 private:
  using Step = TlsSession::Step;

  std::size_t take_in(char* to, std::size_t most) override;
  void give_out(std::string_view bytes) override;

  [[nodiscard]] ssize_t get_input(Wire& wire);
  [[nodiscard]] ssize_t decrypt(Wire& wire, Lent& bytes);
  void encrypt(Wire& wire, Pieces pieces);
  void write(std::string_view bytes);
  [[nodiscard]] ssize_t fail(Wire& wire, TlsFailure failure);

  [[nodiscard]] bool has_output() const { return out_begin_ < out_end_ || !more_out_.empty(); }
  [[nodiscard]] ssize_t flush(Wire& wire);
  void count_sent(std::size_t sent);
  void break_off(int error);

  const TlsContext& context_;
  std::optional<TlsSession> session_;  // from open() on, which may fail for want of memory
  Wire* wire_ = nullptr;  // since the first call that was given it: it is always the same

  Lent in_;  // what has come in and is not decrypted yet
  std::size_t in_begin_ = 0, in_end_ = 0;
  // What has to go out. It does not move: the kernel may be reading it. What it has no room for is
  // behind it.
  Lent out_;
  std::size_t out_begin_ = 0, out_end_ = 0;
  std::string more_out_;

  std::size_t taken_ = 0;  // bytes of the handler's that are encrypted and not yet told to be sent
  TlsFailure failure_;
  int broken_ = 0;  // nothing can be sent any more, since this error
  bool opened_ = false;
  bool has_input_ = false;  // decrypting may give something, or the end
  bool ended_ = false;      // close_notify has come
  bool half_closed_ = false;
};

}  // namespace berth
