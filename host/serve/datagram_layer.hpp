// A session's datagram as a stream of one message: read() yields it, and then ends; write() answers
// it, whole, each time. Under an event loop answers go out with those of others at the end of the
// turn; else at once, by whoever writes.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "serve/datagram.hpp"
#include "serve/layer.hpp"

namespace berth {

class DatagramLayer final : public Layer, private Lender, private OutgoingDatagram {
 public:
  explicit DatagramLayer(std::unique_ptr<Datagram> datagram);
  ~DatagramLayer() override;

  [[nodiscard]] ssize_t open(Wire&) override { return 0; }
  [[nodiscard]] ssize_t receive(Wire&, Lent& bytes) override;
  [[nodiscard]] bool has_input() const override { return true; }
  [[nodiscard]] bool has_messages() const override { return true; }
  [[nodiscard]] ssize_t send(Wire& wire, Pieces pieces) override;
  void cancel_send(Wire&) override;
  [[nodiscard]] ssize_t half_close(Wire&) override { return 0; }
  [[nodiscard]] Duration retry_after() override;
  [[nodiscard]] std::optional<SocketAddress> local() const override;

 private:
  void on_gone(ssize_t result) override;
  void take_back(char*) noexcept override {}
  void compose(Pieces pieces);
  [[nodiscard]] ssize_t send_at_once() const;

  std::unique_ptr<Datagram> datagram_;
  bool was_read_ = false;

  // An answer on its way. Where it is sent later, the pieces are copied: the bytes are not.
  enum class Sending : std::uint8_t { nothing, waits, over } sending_ = Sending::nothing;
  ssize_t result_ = 0;  // of what is over
  Wire* wire_ = nullptr;
  DatagramControl control_;
  std::array<berth_bytes, 8> few_;
  std::vector<berth_bytes> many_;
  std::string joined_;
  Duration retry_;
};

}  // namespace berth
