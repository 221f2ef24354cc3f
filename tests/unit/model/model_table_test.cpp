#include <doctest/doctest.h>
#include <sys/select.h>

#include <set>
#include <string>

#include "model/model.hpp"

namespace berth {
namespace {

TEST_CASE("the table holds each model once, by its name, with something to say for itself") {
  std::set<std::string_view> names;
  for (const ModelRow* row : model_table()) {
    CAPTURE(std::string(row->name));
    CHECK(names.insert(row->name).second);
    CHECK(find_model(row->name) == row);
    for (const auto text : {row->summary, row->isolates, row->shares, row->costs, row->choose}) {
      CHECK_FALSE(text.empty());
    }
    CHECK((row->make_loop != nullptr));
    CHECK((row->make != nullptr));
    CHECK_FALSE(row->objection({}));
  }
  for (const char* const name : {"fork", "signal-fork", "thread", "select", "epoll", "io_uring"}) {
    CHECK(names.count(name) == 1);
  }
}

TEST_CASE("a model is found by its whole name only") {
  for (const char* const name : {"", "for", "forks", "Fork", "signal_fork", "unknown"}) {
    CHECK(find_model(name) == nullptr);
  }
}

ListenerSettings listener(unsigned max_connections, unsigned workers, std::size_t addresses) {
  ListenerSettings settings;
  settings.max_connections = max_connections;
  settings.workers = workers;
  settings.listen.resize(addresses);
  return settings;
}

TEST_CASE("select takes what fits under FD_SETSIZE and objects to one connection more") {
  static_assert(FD_SETSIZE == 1024);
  const ModelRow& select = *find_model("select");
  struct Row {
    unsigned workers;
    std::size_t addresses;
    unsigned most;  // connections
  };
  for (const Row& row : {Row{1, 1, 1007}, Row{1, 8, 1000}, Row{2, 1, 2014}, Row{3, 2, 3018}}) {
    CAPTURE(row.workers);
    CHECK_FALSE(select.objection(listener(row.most, row.workers, row.addresses)));
    CHECK(select.objection(listener(row.most + 1, row.workers, row.addresses)));
  }
  CHECK(select.objection(listener(4'294'967'295, 1, 1)));
}

TEST_CASE("select's objection names the limit and the ways out") {
  CHECK(find_model("select")->objection(listener(5000, 1, 2)) ==
        "select(2) watches descriptors under 1024 only, so a worker takes at most 1006 "
        "connections: lower max_connections (5000), raise workers, or choose fork, signal-fork or "
        "thread");
}

TEST_CASE("the models whose sessions block leave their sockets to block") {
  CHECK(find_model("fork")->blocking_sockets);
  CHECK(find_model("signal-fork")->blocking_sockets);
  CHECK(find_model("thread")->blocking_sockets);
  CHECK_FALSE(find_model("select")->blocking_sockets);
}

}  // namespace
}  // namespace berth
