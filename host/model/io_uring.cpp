// `io_uring`: one process, one thread, io_uring(7).
#include "model/loop_model.hpp"
#include "model/rows.hpp"
#include "plugin/try_in_child.hpp"
#include "serve/io_uring_demultiplexer.hpp"

namespace berth {

namespace {

// Tried in a process of its own: the end of a ring interrupts the system calls of who had it.
std::optional<std::string> objection_to_rings(const ListenerSettings&) {
  const auto words = try_in_child([] { return objection_to_io_uring().value_or(""); });
  if (!words) return "io_uring cannot be tried here: it " + words.error().message;
  if (words.value().empty()) return std::nullopt;
  return words.value();
}

}  // namespace

const ModelRow kIoUringModel = {
    .name = "io_uring",
    .summary = "one thread serves all connections; the kernel receives and sends for it",
    .isolates = "nothing: a crash ends all connections of the worker",
    .shares = "memory and the handler's state, without locks",
    .costs = "about 0.5 KiB a connection, and 4 MiB a worker; the fewest system calls",
    .choose = "as epoll, for the last of its speed, where the kernel allows it (Linux 6.0)",
    .blocking_sockets = true,
    .process_per_session = false,
    .descriptors_per_connection = 1,
    .keys = {},
    .most_sessions = any_number,
    .make_loop =
        [] { return std::make_unique<EventLoop>(std::make_unique<IoUringDemultiplexer>()); },
    .make = [](ModelContext context) -> std::unique_ptr<Model> {
      return std::make_unique<LoopModel>(std::move(context));
    },
    .objection = objection_to_rings,
};

}  // namespace berth
