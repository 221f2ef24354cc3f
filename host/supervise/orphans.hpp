// Processes that outlive the worker they belong to: its sessions under the fork models. The
// supervisor is their reaper (PR_SET_CHILD_SUBREAPER), and each dead worker's process group holds
// them together.
#pragma once

#include <sys/types.h>

#include <vector>

namespace berth {

class Orphans {
 public:
  // A worker is dead: its group may have members left.
  void add_group(pid_t group);
  // Whether any are left. A group that has a child of ours, be it a zombie, cannot have passed to
  // somebody else; one that has none is forgotten.
  [[nodiscard]] bool any();
  void send_signal(int signal);
  // Groups to be handed to another binary, which adds them.
  [[nodiscard]] const std::vector<pid_t>& groups() const { return groups_; }

 private:
  void forget_empty();

  std::vector<pid_t> groups_;
};

}  // namespace berth
