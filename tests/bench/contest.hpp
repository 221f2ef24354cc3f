// The servers of one comparison, all running at once, each idle unless it is loaded.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "options.hpp"
#include "server.hpp"
#include "temporary_folder.hpp"
#include "tls.hpp"

namespace berth::bench {

struct Entrant {
  std::string name;
  Command command;
  // Where it fails it is left out; the failure of any other fails the whole comparison.
  bool optional = false;
  std::unique_ptr<Server> upstream = nullptr;  // which a proxy stands before
};

// What the entrants are made for.
struct Setting {
  const Options& options;
  const Workload& workload;
  const TemporaryFolder& folder;
  const Certificate& certificate;  // for TLS alone
};

class Contest {
 public:
  // Of a model: its bare server, a second copy of it, and the host with one listener under that
  // model. Of a field: its reference, a second copy of it, the host's event loops, and all its
  // members that were chosen.
  static std::vector<Entrant> entrants_of(const Subject& subject, const Setting& setting);

  // Starts them; throws Failure if one does not start that is not optional.
  Contest(std::vector<Entrant> entrants, const std::vector<int>& cores);

  // The reference comes first.
  [[nodiscard]] const std::vector<Entrant>& entrants() const { return entrants_; }
  [[nodiscard]] const std::vector<std::unique_ptr<Server>>& servers() const { return servers_; }
  // A line for each that did not start.
  [[nodiscard]] const std::vector<std::string>& left_out() const { return left_out_; }
  // What each of them wrote, for the text of a failure.
  [[nodiscard]] std::string output() const;

 private:
  std::vector<Entrant> entrants_;
  std::vector<std::unique_ptr<Server>> servers_;  // one for each entrant
  std::vector<std::string> left_out_;
};

}  // namespace berth::bench
