#include "supervise/worker_start.hpp"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <optional>

#include "base/privileges.hpp"
#include "model/model.hpp"
#include "net/tls_server.hpp"
#include "plugin/handler.hpp"
#include "plugin/load.hpp"
#include "plugin/options.hpp"
#include "serve/resources.hpp"
#include "serve/source_counts.hpp"
#include "supervise/protocol.hpp"
#include "supervise/worker.hpp"

namespace berth {

namespace {

// Beside those of its connections: the log, the channel, sockets, the handler's own.
constexpr rlim_t kOtherDescriptors = 64;

void keep_only(const WorkerStart& start) {
  std::vector<int> kept = {0, 1, 2, start.log.descriptor(), start.channel.get()};
  for (const ListeningSocket& socket : start.sockets) kept.push_back(socket.number);
  close_all_but(std::move(kept));
}

// Raised as far as this listener needs and no further: programs that select(2) expect a low limit.
void raise_descriptor_limit(const ModelRow& model, const ListenerSettings& settings,
                            unsigned max_connections, Log& log) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  // Whatever the model, the worker itself keeps one that waits for its PROXY header.
  const unsigned of_each =
      std::max(model.descriptors_per_connection, HeaderReader::is_needed(settings) ? 1u : 0u);
  const rlim_t needed = rlim_t{max_connections} * of_each + kOtherDescriptors;
  if (limit.rlim_cur >= needed) return;
  if (limit.rlim_max < needed) {
    log.warn(
        "max_connections needs {} descriptors and the limit is {}: accepting will pause there "
        "(ulimit -Hn, or descriptors under 'resources')",
        needed, limit.rlim_max);
  }
  limit.rlim_cur = std::min(needed, limit.rlim_max);
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// The plugin's file is opened with the rights that the host has; nothing in it runs before they are
// dropped. What limits the worker's resources belongs behind that, where it binds the plugin and
// none of the host's own preparations.
Result<const berth_plugin*> drop_and_load(const WorkerStart& start) {
  if (!start.settings.privileges) return Error{"it is not known as which user it is to run"};
  const auto opened = open_plugin(start.handler);
  if (!opened) return opened.error();
  if (auto dropped = drop_privileges(*start.settings.privileges); !dropped) return dropped.error();
  return load_plugin(start.handler, opened.value());
}

Result<Handler> make_handler(const WorkerStart& start) {
  const auto plugin = drop_and_load(start);
  if (!plugin) return plugin.error();
  Diagnostics problems("options");
  const BoundOptions options =
      bind_options(*plugin.value(), start.settings.options, start.settings.where.handler, problems);
  if (!problems.empty()) return Error{problems.to_text()};
  auto handler = Handler::create(*plugin.value(), options);
  if (!handler) {
    return Error{"handler '" + start.settings.handler + "' refuses: " + handler.error().message};
  }
  return handler;
}

// What the supervisor is told by signals a worker is told on its channel, so that they mean nothing
// here. They are caught by a function that does nothing: blocked or ignored they would be so in
// every program that a handler runs, where what is caught is as it is by default (man 2 execve).
// Where sessions have processes of their own these see to it, and the worker counts on the blocked
// ones.
void disregard_signals(const ModelRow& model) {
  struct sigaction nothing {};
  nothing.sa_handler = [](int) {};
  nothing.sa_flags = SA_RESTART;
  ::sigaction(SIGPIPE, &nothing, nullptr);
  if (model.process_per_session) return;
  for (const int signal : {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2}) {
    ::sigaction(signal, &nothing, nullptr);
  }
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// Before there are sessions, so that those which are processes have it from the worker; and before
// the plugin is loaded, which finds the texts wiped that are not needed any more.
Result<std::optional<TlsContext>> make_tls(const WorkerStart& start) {
  if (!start.settings.tls) return std::optional<TlsContext>();
  auto context = make_server_context(*start.settings.tls);
  if (!context) return context.error();
  set_ticket_keys(context.value(), start.ticket_keys.text());
  start.settings.tls->key.text.forget();
  start.ticket_keys.forget();
  warm_up(context.value());
  return std::optional<TlsContext>(std::move(context.value()));
}

// Serves; the text of what kept it from that, if anything did.
Result<void> serve(WorkerStart& start) {
  const ModelRow& model = *find_model(start.settings.model);
  disregard_signals(model);
  const unsigned room =
      std::min(share_of(start.settings.max_connections, start.settings.workers, start.index),
               model.most_sessions(start.settings));
  // What the handler does when it is created counts as well.
  if (!model.process_per_session) limit_resources(start.settings.resources);
  raise_descriptor_limit(model, start.settings, room, start.log);
  catch_crashes(start.board.crash);
  ::tzset();  // read once here, not in every session's process
  auto tls = make_tls(start);
  if (!tls) return tls.error();
  auto handler = make_handler(start);
  if (!handler) return handler.error();
  std::optional<SourceCounts> sources;
  if (start.sources != nullptr) {
    sources.emplace(*start.sources, start.index, start.settings.max_connections_per_source);
  }
  SessionContext sessions{.settings = start.settings,
                          .handler = *handler,
                          .log = start.log,
                          .stop = {},
                          .sources = sources ? &*sources : nullptr,
                          .tls = tls.value() ? &*tls.value() : nullptr};
  const Worker::Share share = {
      .max_connections = room,
      .rate = share_of(start.settings.rate, start.settings.workers, start.index),
      .broadcasts = start.index == 0};
  Worker worker(model, sessions, share, start.sockets, start.channel, start.board);
  worker.run();
  return {};
}

}  // namespace

unsigned share_of(unsigned total, unsigned workers, unsigned index) {
  return total / workers + (index < total % workers ? 1 : 0);
}

RateGate share_of(const RateLimit& rate, unsigned workers, unsigned index) {
  if (rate.connections == 0) return {};
  // Rounded up, so that together they never take more than the whole.
  const auto one = static_cast<Duration::rep>(rate.connections);
  const Duration interval((rate.in.count() * workers + one - 1) / one);
  return {interval, std::max(1u, share_of(rate.burst, workers, index))};
}

void run_worker(WorkerStart start) {
  ::setpgid(0, 0);
  keep_only(start);
  start.log.set_source(start.settings.name);
  const int channel = start.channel.get();
  try {
    const auto served = serve(start);
    if (served) std::_Exit(EXIT_SUCCESS);
    report(channel, FromWorker::cannot_start, served.error().message);
  } catch (const std::exception& fault) {
    report(channel, FromWorker::cannot_start, fault.what());
  }
  std::_Exit(EXIT_FAILURE);
}

}  // namespace berth
