// A session's datagram as a stream of one message: read() yields it, and then ends; write() answers
// it, whole, each time. Under an event loop answers go out with those of others at the end of the
// turn; else at once, by whoever writes. Passes from the acceptor to the session; sessions that
// have a process of their own get a copy.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/datagram.hpp"
#include "serve/datagram_socket.hpp"
#include "serve/layer.hpp"

namespace berth {

class DatagramLayer final : public Layer, private Lender, private OutgoingDatagram {
 public:
  // With a copy of the bytes. The socket is shared, because the acceptor receives on it and each
  // session answers on it, some of them long after the acceptor has let it go. Throws
  // std::bad_alloc.
  [[nodiscard]] static std::unique_ptr<DatagramLayer> make(std::shared_ptr<DatagramSocket> socket,
                                                           const Envelope& envelope,
                                                           std::string_view bytes);
  ~DatagramLayer() override;
  static void operator delete(void* memory) { ::operator delete(memory); }

  [[nodiscard]] const DatagramSocket& socket() const { return *socket_; }
  [[nodiscard]] const Envelope& envelope() const { return envelope_; }
  [[nodiscard]] std::string_view bytes() const { return {content(), size_}; }

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
  DatagramLayer(std::shared_ptr<DatagramSocket> socket, const Envelope& envelope,
                std::string_view bytes);
  // The bytes lie behind the object: one piece of memory for a datagram.
  static void* operator new(std::size_t size, std::size_t bytes) {
    return ::operator new(size + bytes);
  }
  static void operator delete(void* memory, std::size_t /*bytes*/) { ::operator delete(memory); }
  [[nodiscard]] char* content() const {
    return reinterpret_cast<char*>(const_cast<DatagramLayer*>(this) + 1);
  }
  void on_gone(ssize_t result) override;
  void take_back(char*) noexcept override {}
  void compose(Pieces pieces);
  [[nodiscard]] ssize_t send_at_once() const;

  std::shared_ptr<DatagramSocket> socket_;
  Envelope envelope_;
  std::size_t size_;
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
