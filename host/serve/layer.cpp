#include "serve/layer.hpp"

#include <utility>

#include "serve/datagram_layer.hpp"
#include "serve/session_context.hpp"

namespace berth {

std::unique_ptr<Layer> make_layer(SessionContext&, AcceptedConnection& accepted) {
  switch (accepted.scheme) {
    case Scheme::tcp:
    case Scheme::unix_socket:
    case Scheme::tls:
      break;
    case Scheme::udp:
    case Scheme::unix_datagram:
      return std::make_unique<DatagramLayer>(std::move(accepted.datagram));
  }
  return nullptr;
}

}  // namespace berth
