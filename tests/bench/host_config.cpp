#include "host_config.hpp"

#include <algorithm>

namespace berth::bench {
namespace {

// The connections of a round that has ended may still be closing when the next ones come, and the
// workers do not all get the same share of them.
int most_connections(const Model& model, int connections, int workers) {
  constexpr int kSpare = 1000;
  const int share = largest_share(connections, workers) + kSpare;
  return std::min(share, model.most_connections) * workers;
}

std::string handler(std::uint16_t upstream) {
  if (upstream == 0) return "    handler: echo\n    options: {reply: verbatim}\n";
  return "    handler: proxy\n    options: {upstream: ['tcp://127.0.0.1:" +
         std::to_string(upstream) + "']}\n";
}

std::string listener(const std::string& model, const HostConfig& config) {
  std::string text = "  - name: " + model + "\n    listen: " + scheme_of(config.transport) +
                     "127.0.0.1:0\n    model: " + model + "\n" + handler(config.upstream) +
                     "    workers: " + std::to_string(config.workers) + "\n    max_connections: " +
                     std::to_string(most_connections(*find_model(model, config.transport),
                                                     config.connections, config.workers)) +
                     "\n";
  if (config.transport != Transport::udp) text += "    backlog: 4096\n";
  if (config.transport == Transport::tls) {
    text += "    tls: {certificate: '" + config.certificate.certificate + "', key: '" +
            config.certificate.key + "'}\n";
  }
  // So many at most: as many as the bare server makes.
  if (model == "thread-pool") text += "    threads: " + std::to_string(config.connections) + "\n";
  return text;
}

}  // namespace

// At level info the host tells its ports; a line for each connection would be work that the bare
// servers do not do.
std::string host_config(const Options& options, const HostConfig& config) {
  std::string text = "plugins: ['" + std::filesystem::absolute(options.plugins).string() +
                     "']\n"
                     "log: {level: info, connections: false}\n"
                     "listeners:\n";
  for (const std::string& model : config.models) text += listener(model, config);
  return text;
}

std::string host_names_port_after(Transport transport) {
  return "listening on " + scheme_of(transport) + "127.0.0.1:";
}

}  // namespace berth::bench
