#include "contest.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "failure.hpp"

namespace berth::bench {
namespace {

class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& content)
      : path_(std::filesystem::temp_directory_path() / "berth_bench_XXXXXX.yaml") {
    constexpr int kSuffixSize = 5;  // ".yaml"
    const Fd made(mkostemps(path_.data(), kSuffixSize, O_CLOEXEC));
    if (!made) throw system_failure("cannot make " + path_);
    std::ofstream(path_) << content;
  }
  ~TemporaryFile() { unlink(path_.c_str()); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// At level info the host tells its port; a line for each connection would be work that the bare
// servers do not do.
std::string host_configuration(const Options& options, const Model& model,
                               const Workload& workload) {
  constexpr int kUsualConnections = 1000;
  const int connections =
      std::min(std::max(kUsualConnections, 2 * workload.connections), model.most_connections);
  return "plugins: ['" + std::filesystem::absolute(options.plugins).string() +
         "']\n"
         "log: {level: info, connections: false}\n"
         "listeners:\n"
         "  - name: bench\n"
         "    listen: tcp://127.0.0.1:0\n"
         "    model: " +
         model.name +
         "\n"
         "    handler: echo\n"
         "    options: {reply: verbatim}\n"
         "    backlog: 4096\n"
         "    max_connections: " +
         std::to_string(connections) + "\n";
}

}  // namespace

Contest::Contest(const Options& options, const Model& model, const Workload& workload) {
  if (workload.connections > model.most_connections) {
    throw Failure("the model holds " + std::to_string(model.most_connections) +
                  " connections at most");
  }
  const Command bare{{options.bare / model.reference, "0"}, ""};
  for (const char* name : {"bare", "copy"}) {
    servers_.push_back(std::make_unique<Server>(name, bare, options.server_core));
  }
  if (options.berth.empty()) return;
  // It has read the file by the time it tells its port.
  const TemporaryFile configuration(host_configuration(options, model, workload));
  const Command host{{options.berth, "run", configuration.path()}, "listening on tcp://127.0.0.1:"};
  servers_.push_back(std::make_unique<Server>("host", host, options.server_core));
}

std::string Contest::output() const {
  std::string text;
  for (const auto& server : servers_) {
    text += server->name() + " wrote:\n" + server->output();
  }
  return text;
}

}  // namespace berth::bench
