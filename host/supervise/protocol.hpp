// All that passes between the supervisor and a worker: short messages over one socket pair. Its end
// of file tells the worker that the supervisor is gone. What a worker sends is data to the
// supervisor, never an order: a message that it does not know is dropped.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/clock.hpp"
#include "base/fd.hpp"
#include "base/result.hpp"

namespace berth {

enum class FromWorker : char {
  ready = 'R',         // the handler was created; it waits for the order to serve
  alive = 'A',         // a heartbeat
  cannot_start = 'X',  // or go on; with the reason; the worker ends
};

struct WorkerReport {
  FromWorker kind;
  std::string text;
};

enum class ToWorker : char {
  serve = 'S',      // accept connections
  drain = 'D',      // take what waits in the queues, accept no more, end with the last session
  hand_over = 'H',  // likewise, but leave the queues to others, who listen on the same sockets
  log = 'L',        // go on in this log file; with its descriptor, since the worker may not open it
};

struct Order {
  ToWorker kind;
  Duration deadline = Duration::zero();  // of a drain, from now
};

// The supervisor's end and the worker's. Close-on-exec, non-blocking.
[[nodiscard]] Result<std::pair<Fd, Fd>> make_channel();

// Lost where the other side does not read for long or is gone; neither needs an answer.
void report(int channel, FromWorker kind, std::string_view text = {});
void order(int channel, Order what);
void order_log(int channel, int descriptor);

// What an end of the channel had to say. A message that was not understood is dropped; `nothing` is
// that none waits.
enum class Heard { nothing, message, other_side_gone };
[[nodiscard]] Heard next_report(int channel, WorkerReport& into);
// `log` is the descriptor that came with the order, if one did; close-on-exec.
[[nodiscard]] Heard next_order(int channel, Order& into, Fd& log);

}  // namespace berth
