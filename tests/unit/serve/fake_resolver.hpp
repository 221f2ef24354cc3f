// What getaddrinfo(3) says of some names, in this program; all others it asks the system for:
//
//   both.test   127.0.0.2, then 127.0.0.1
//   none.test   there is no such name
//   mute.test   the name server does not answer
//   slow.test   127.0.0.1, but only when a SlowName lets it
#pragma once

namespace berth::testing {

// While it lives slow.test is not found; one at a time.
class SlowName {
 public:
  SlowName();
  SlowName(const SlowName&) = delete;
  SlowName& operator=(const SlowName&) = delete;
  ~SlowName() { release(); }

  // Blocks until so many have asked.
  void wait_until_asked(int times = 1);
  void release();
};

}  // namespace berth::testing
