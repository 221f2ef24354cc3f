// The rows of the table, each defined in its model's own file; only table.cpp needs them all.
#pragma once

#include "model/model.hpp"
#include "serve/event_loop.hpp"

namespace berth {

extern const ModelRow kForkModel;
extern const ModelRow kSignalForkModel;
extern const ModelRow kPreforkModel;
extern const ModelRow kThreadModel;
extern const ModelRow kThreadPoolModel;
extern const ModelRow kSyncModel;
extern const ModelRow kSelectModel;
extern const ModelRow kEpollModel;
extern const ModelRow kIoUringModel;

// Also for models whose sessions do not live in the worker's loop.
[[nodiscard]] std::unique_ptr<EventLoop> make_epoll_loop();

}  // namespace berth
