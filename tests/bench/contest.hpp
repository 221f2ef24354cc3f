// The servers of one comparison, all running at once, each idle unless it is loaded: the bare
// server, a second copy of it, and the host with one listener under the same model.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model.hpp"
#include "options.hpp"
#include "server.hpp"

namespace berth::bench {

class Contest {
 public:
  // Throws Failure if one of them does not start.
  Contest(const Options& options, const Model& model, const Workload& workload);

  [[nodiscard]] const std::vector<std::unique_ptr<Server>>& servers() const { return servers_; }
  // What each of them wrote, for the text of a failure.
  [[nodiscard]] std::string output() const;

 private:
  std::vector<std::unique_ptr<Server>> servers_;  // the reference comes first
};

}  // namespace berth::bench
