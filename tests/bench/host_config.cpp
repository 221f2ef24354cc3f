#include "host_config.hpp"

#include <algorithm>

namespace berth::bench {
namespace {

// The connections of a round that has ended may still be closing when the next ones come, and the
// workers do not all get the same share of them.
int most_connections(const Model& model, int connections, int workers) {
  constexpr int kSpare = 1000;
  return std::min((connections + kSpare) * workers, model.most_connections * workers);
}

}  // namespace

// At level info the host tells its ports; a line for each connection would be work that the bare
// servers do not do.
std::string host_config(const Options& options, const std::vector<std::string>& models,
                        int connections, int workers) {
  std::string text = "plugins: ['" + std::filesystem::absolute(options.plugins).string() +
                     "']\n"
                     "log: {level: info, connections: false}\n"
                     "listeners:\n";
  for (const std::string& model : models) {
    text += "  - name: " + model +
            "\n"
            "    listen: tcp://127.0.0.1:0\n"
            "    model: " +
            model +
            "\n"
            "    handler: echo\n"
            "    options: {reply: verbatim}\n"
            "    backlog: 4096\n"
            "    workers: " +
            std::to_string(workers) + "\n    max_connections: " +
            std::to_string(most_connections(*find_model(model), connections, workers)) + "\n";
    // So many at most: as many as the bare server makes.
    if (model == "thread-pool") text += "    threads: " + std::to_string(connections) + "\n";
  }
  return text;
}

}  // namespace berth::bench
