#include "transport.hpp"

#include <stdexcept>

namespace berth::bench {

Transport parse_transport(std::string_view name) {
  std::string known;
  for (const TransportFacts& facts : kTransports) {
    if (name == facts.name) return facts.transport;
    known += std::string(known.empty() ? "" : ", ") + facts.name;
  }
  throw std::invalid_argument("no transport is called '" + std::string(name) +
                              "' (there are: " + known + ")");
}

}  // namespace berth::bench
