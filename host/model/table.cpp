#include <algorithm>
#include <array>

#include "model/rows.hpp"
#include "serve/epoll_demultiplexer.hpp"

namespace berth {

std::span<const ModelRow* const> model_table() {
  static constexpr std::array kTable = {&kForkModel,   &kSignalForkModel, &kPreforkModel,
                                        &kThreadModel, &kThreadPoolModel, &kSelectModel,
                                        &kEpollModel,  &kIoUringModel,    &kSyncModel};
  return kTable;
}

const ModelRow* find_model(std::string_view name) {
  const auto table = model_table();
  const auto found = std::find_if(table.begin(), table.end(),
                                  [&](const ModelRow* row) { return row->name == name; });
  return found == table.end() ? nullptr : *found;
}

std::unique_ptr<EventLoop> make_epoll_loop() {
  return std::make_unique<EventLoop>(std::make_unique<EpollDemultiplexer>());
}

}  // namespace berth
