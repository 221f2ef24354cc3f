// What is wrong with several settings together, which need not all stand in one listener: where
// listeners have them from `defaults:`, one message tells it for all of them.
#pragma once

#include <string>
#include <vector>

#include "base/source.hpp"

namespace berth {

class SharedComplaints {
 public:
  // `listener` is how the message names it: "'echo'".
  void add(Position where, std::string text, const std::string& listener);
  // "listeners 'echo', 'web': TEXT", a message for each place and text.
  void tell(Diagnostics& problems) const;

 private:
  struct Complaint {
    Position where;
    std::string text;
    std::vector<std::string> listeners;
  };
  std::vector<Complaint> complaints_;
};

}  // namespace berth
