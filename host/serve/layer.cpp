#include "serve/layer.hpp"

#include "serve/session_context.hpp"

namespace berth {

std::unique_ptr<Layer> make_layer(SessionContext&, AcceptedConnection& accepted) {
  switch (accepted.scheme) {
    case Scheme::tcp:
    case Scheme::unix_socket:
    case Scheme::tls:
    case Scheme::udp:
    case Scheme::unix_datagram:
      break;
  }
  return nullptr;
}

}  // namespace berth
