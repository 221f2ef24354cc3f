// `epoll`: one process, one thread, epoll(7).
#include "model/loop_model.hpp"
#include "model/rows.hpp"

namespace berth {

const ModelRow kEpollModel = {
    .name = "epoll",
    .summary = "one thread serves all connections, waiting with epoll(7)",
    .isolates = "nothing: a crash ends all connections of the worker",
    .shares = "memory and the handler's state, without locks",
    .costs = "about 0.5 KiB a connection; idle ones cost no time",
    .choose = "many connections, short exchanges; the choice where nothing speaks against it",
    .blocking_sockets = false,
    .process_per_session = false,
    .descriptors_per_connection = 1,
    .keys = {},
    .most_sessions = any_number,
    .make_loop = make_epoll_loop,
    .make = [](ModelContext context) -> std::unique_ptr<Model> {
      return std::make_unique<LoopModel>(std::move(context));
    },
    .objection = [](const ListenerSettings&) { return std::optional<std::string>(); },
};

}  // namespace berth
