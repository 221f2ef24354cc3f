// Asio with callbacks: a session object a connection, kept alive by the callbacks under way.
#include <array>
#include <asio.hpp>
#include <memory>

#include "peer.h"

namespace {

using asio::ip::tcp;

class Session : public std::enable_shared_from_this<Session> {
 public:
  explicit Session(tcp::socket socket) : socket_(std::move(socket)) {}

  void read() {
    socket_.async_read_some(asio::buffer(bytes_),
                            [self = shared_from_this()](std::error_code error, std::size_t size) {
                              if (!error) self->write(size);
                            });
  }

 private:
  void write(std::size_t size) {
    asio::async_write(socket_, asio::buffer(bytes_.data(), size),
                      [self = shared_from_this()](std::error_code error, std::size_t) {
                        if (!error) self->read();
                      });
  }

  tcp::socket socket_;
  std::array<char, kBufferSize> bytes_;
};

void accept_all(tcp::acceptor& acceptor) {
  acceptor.async_accept([&acceptor](std::error_code error, tcp::socket socket) {
    if (!error) {
      socket.set_option(tcp::no_delay(true), error);
      std::make_shared<Session>(std::move(socket))->read();
    }
    accept_all(acceptor);
  });
}

}  // namespace

int main() {
  asio::io_context context(1);  // one thread, which spares it the locks
  tcp::acceptor acceptor(context, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  acceptor.listen(kBacklog);
  print_port(acceptor.local_endpoint().port());
  accept_all(acceptor);
  context.run();
}
