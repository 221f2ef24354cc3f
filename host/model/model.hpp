// A concurrency model: what becomes of an accepted connection. One object per worker, made in the
// worker after its handler; used on the worker's main thread, or as a guest of its loop. Accepting,
// the limit on connections, the drain and its deadline are the worker's (serve/), the same for all
// models.
#pragma once

#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "serve/listener_settings.hpp"
#include "serve/session_context.hpp"

namespace berth {

class EventLoop;

class Model {
 public:
  virtual ~Model() = default;

  // Starts a session on an accepted connection. Where that fails (no process, no thread, no
  // memory) the connection is closed with a line in the log, and service goes on.
  virtual void start(AcceptedConnection&& connection) = 0;

  // Sessions started and not yet over, crashed ones included until they are known to be gone.
  [[nodiscard]] virtual std::size_t sessions() const = 0;

  // Whether all that its sessions have started is over too, once they are: a name may still be
  // resolved that no session waits for any more.
  [[nodiscard]] virtual bool at_rest() const { return true; }
  // Whether sessions run on the worker's loop, on its thread.
  [[nodiscard]] virtual bool serves_in_loop() const { return false; }

  // Tells every session that a drain has begun; reads marked `ends_on_stop` end.
  virtual void begin_drain() = 0;

  // The log goes on in another file: processes that were started before it have the old one.
  virtual void on_log_reopened() {}

  // The drain's deadline: ends what is pending on every connection with ECANCELED.
  virtual void cancel_sessions() = 0;

  // What is still there a moment after cancel_sessions(): ended without asking. Models whose
  // sessions live in the worker's own process leave it to the end of that process.
  virtual void kill_sessions() {}
};

// What a model needs of its worker; all of it outlives the model.
struct ModelContext {
  EventLoop& loop;
  SessionContext& sessions;
  unsigned max_connections;  // the worker's share of the listener's
  // The worker's own descriptors, which a session's process must not keep open.
  std::vector<int> listening_sockets;
  int channel;  // to the supervisor
  // To be called whenever a session is over.
  std::function<void()> on_session_end;
  // Where a model had all the sessions that it can have: to be called first by the thread that is
  // through with one, as a guest of the loop. After Taken::nobody and Taken::not_now
  // on_session_end() is still owed, on the loop's own thread; after Taken::nobody the guest may
  // instead wait for the listening sockets itself, and call this again.
  std::function<Taken()> take_waiting = {};
  // To be called in a session's process: closes its copies of connections that are no sessions yet.
  // Null where there are none.
  std::function<void()> close_copies = {};
};

// A row of the table of models.
struct ModelRow {
  std::string_view name;
  // For `berth models` and its readers, a phrase each.
  std::string_view summary;
  std::string_view isolates;
  std::string_view shares;
  std::string_view costs;
  std::string_view choose;

  // The sockets of this model's connections: non-blocking, or left to block.
  bool blocking_sockets;
  // Whether each session has a process of its own, for which `resources` are then meant.
  bool process_per_session;
  // Descriptors that the worker keeps open for each connection.
  unsigned descriptors_per_connection;
  // The keys of a listener that mean something under this model alone, or only under some.
  std::span<const std::string_view> keys;
  // How many sessions a worker can have at once, whatever max_connections says.
  unsigned (*most_sessions)(const ListenerSettings& settings);
  // The loop that the worker's main thread turns.
  std::unique_ptr<EventLoop> (*make_loop)();
  std::unique_ptr<Model> (*make)(ModelContext context);
  // Why these settings cannot be served under this model, with the remedy; nothing if they can.
  std::optional<std::string> (*objection)(const ListenerSettings& settings);
};

// For models without a limit of their own.
[[nodiscard]] inline unsigned any_number(const ListenerSettings&) {
  return std::numeric_limits<unsigned>::max();
}

// Every model, in the order in which `berth models` shows them.
[[nodiscard]] std::span<const ModelRow* const> model_table();
// The row of that name, or null.
[[nodiscard]] const ModelRow* find_model(std::string_view name);

}  // namespace berth
