// `select`: one process, one thread, select(2).
#include "base/format.hpp"
#include "model/loop_model.hpp"
#include "model/rows.hpp"
#include "serve/select_demultiplexer.hpp"

namespace berth {

namespace {

// Descriptors that a worker uses beside its connections, with some to spare for the handler.
constexpr unsigned kOthers = 16;

std::optional<std::string> objection_to_limits(const ListenerSettings& settings) {
  const std::size_t room = FD_SETSIZE - kOthers;
  // The largest share of any worker.
  const std::size_t connections =
      (std::size_t{settings.max_connections} + settings.workers - 1) / settings.workers;
  const std::size_t wanted = connections + settings.listen.size();
  if (wanted <= room) return std::nullopt;
  return formatted(
      "select(2) watches descriptors under {} only, so a worker takes at most {} connections: "
      "lower max_connections ({}), raise workers, or choose fork, signal-fork or thread",
      FD_SETSIZE, room - settings.listen.size(), settings.max_connections);
}

}  // namespace

const ModelRow kSelectModel = {
    .name = "select",
    .summary = "one thread serves all connections, waiting with select(2)",
    .isolates = "nothing: a crash ends all connections of the worker",
    .shares = "memory and the handler's state, without locks",
    .costs = "well under 1 KiB a connection; each turn looks at every descriptor",
    .choose = "many short exchanges that do not use much CPU; up to some hundred connections",
    .blocking_sockets = false,
    .process_per_session = false,
    .descriptors_per_connection = 1,
    .keys = {},
    .most_sessions = any_number,
    .make_loop =
        [] { return std::make_unique<EventLoop>(std::make_unique<SelectDemultiplexer>()); },
    .make = [](ModelContext context) -> std::unique_ptr<Model> {
      return std::make_unique<LoopModel>(std::move(context));
    },
    .objection = objection_to_limits,
};

}  // namespace berth
