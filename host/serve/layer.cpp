#include "serve/layer.hpp"

#include <utility>

#include "serve/datagram_layer.hpp"
#include "serve/session_context.hpp"
#include "serve/tls_layer.hpp"

namespace berth {

std::unique_ptr<Layer> make_layer(SessionContext& context, AcceptedConnection& accepted) {
  switch (accepted.scheme) {
    case Scheme::tls:
      return std::make_unique<TlsLayer>(*context.tls);
    case Scheme::tcp:
    case Scheme::unix_socket:
      break;
    case Scheme::udp:
    case Scheme::unix_datagram:
      return std::make_unique<DatagramLayer>(std::move(accepted.datagram));
  }
  return nullptr;
}

}  // namespace berth
