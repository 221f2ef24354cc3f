// Asio with coroutines: one a connection.
#include <array>
#include <asio.hpp>

#include "peer.h"

namespace {

using asio::awaitable;
using asio::ip::tcp;

// Errors as values: an exception at the end of each connection would be what churn measures.
auto into(std::error_code& error) { return asio::redirect_error(asio::use_awaitable, error); }

awaitable<void> serve(tcp::socket socket) {
  std::array<char, kBufferSize> bytes;
  std::error_code error;
  while (!error) {
    const std::size_t size = co_await socket.async_read_some(asio::buffer(bytes), into(error));
    if (error) break;
    co_await asio::async_write(socket, asio::buffer(bytes.data(), size), into(error));
  }
}

awaitable<void> accept_all(tcp::acceptor& acceptor) {
  for (;;) {
    std::error_code error;
    tcp::socket socket = co_await acceptor.async_accept(into(error));
    if (error) continue;
    socket.set_option(tcp::no_delay(true), error);
    co_spawn(acceptor.get_executor(), serve(std::move(socket)), asio::detached);
  }
}

}  // namespace

int main() {
  asio::io_context context(1);  // one thread, which spares it the locks
  tcp::acceptor acceptor(context, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  acceptor.listen(kBacklog);
  print_port(acceptor.local_endpoint().port());
  co_spawn(context, accept_all(acceptor), asio::detached);
  context.run();
}
