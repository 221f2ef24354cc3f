// Connections that are held and idle, more of them than one process may have open: each part is
// held by a process of the benchmark's, on the load's processor like the benchmark itself.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/fd.hpp"
#include "load.hpp"

namespace berth::bench {

class Crowd {
 public:
  // Connects them all and has one reply on each. At most so many are held by one process. Throws
  // Failure, as what follows does.
  Crowd(const Workload& workload, const Destination& destination, int most_in_a_process);
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;
  // Kills those that did not finish.
  ~Crowd();

  void round_trip_on_each();
  // Ends all connections in order, as Load::finish() does.
  void finish();

 private:
  struct Part {
    Fd orders;  // one to the process, one answer from it
    pid_t process;
  };

  void start(const Workload& part, const Destination& destination);
  void give_all(char order) const;

  std::vector<Part> parts_;
};

}  // namespace berth::bench
