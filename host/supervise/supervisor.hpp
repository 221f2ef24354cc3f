// The supervisor: owns the listening sockets, starts a worker for each listener (or several),
// starts again what dies, replaces one generation by the next, and takes all down in order. One
// process, one thread; it loads no plugin. What is to be done is decided by HostLife; this tells it
// what happens (signals, children, the control socket, files) and does it.
#pragma once

#include <deque>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/file_identity.hpp"
#include "base/log.hpp"
#include "serve/event_loop.hpp"
#include "supervise/child_job.hpp"
#include "supervise/control_server.hpp"
#include "supervise/file_watch.hpp"
#include "supervise/generation.hpp"
#include "supervise/host_life.hpp"
#include "supervise/listener_table.hpp"
#include "supervise/service_manager.hpp"

namespace berth {

class Supervisor {
 public:
  // What it serves, and with what: `file` is the config, `program` the path that the next binary is
  // to be found at.
  struct Setup {
    std::filesystem::path file;
    std::filesystem::path program;
    ConfigReader reader;
  };

  // Tells `manager` how far it is; listens with what of `activated` belongs to the listeners.
  Supervisor(Setup setup, Log& log, ServiceManager& manager, ActivatedSockets activated = {});
  ~Supervisor();

  // Binds, starts, serves until stopped. The error is what kept it from starting.
  [[nodiscard]] Result<void> run(CheckedConfig config);
  // Goes on where a former binary was, and replaces by itself what that one has started.
  [[nodiscard]] Result<void> take_over(const HandedOver& state);

 private:
  void keep_alive();
  void watch_signals();
  void on_signal();
  void on_signal(int signal);
  void on_children();
  void reopen_logs();
  void stop(const char* why);
  void stop_now(const char* why);

  // Does what the policy says. What happens meanwhile is done afterwards, in order.
  void carry_out(HostLife::Actions actions);
  void carry_out(const HostAction& action);
  void announce_when_settled();

  // A change of the config or the binary.
  void want(Wish wish, const char* why);
  void check_config();
  void on_config_checked(Result<std::string> answer);
  void bind_next();
  [[nodiscard]] Result<void> bind_all();
  // Whether the change under way is one of the config; else a listener is resumed.
  [[nodiscard]] bool is_reload() const { return next_ && next_->number > generation_->number; }
  void check_binary();
  void on_binary_checked(Result<std::string> answer);
  void replace_binary();
  void on_change_done();
  void on_change_failed();
  void fail_change(const std::string& why);
  [[nodiscard]] Result<void> adopt(const HandedOver& former);
  void watch_files();

  // The control socket.
  [[nodiscard]] Result<UnixListener> bind_control(const std::filesystem::path& given) const;
  [[nodiscard]] Result<void> open_control();
  [[nodiscard]] Result<void> prepare_control();
  void on_request(const ControlRequest& request, ControlClient client);
  void drain(const std::string& listener, ControlClient client);
  void resume(const std::string& listener, ControlClient client);
  // None where there is no such listener now, which the client is told.
  [[nodiscard]] std::optional<ListenerId> find_for(const std::string& name, ControlClient client);
  [[nodiscard]] std::string status() const;
  void answer_drained(ListenerId id, const char* what);
  void begin_for(std::vector<ControlClient>& clients);
  void refuse_what_waits();
  void answer_all(std::vector<ControlClient>& clients, const std::string& line);
  // With the files that configs name in `places`, which are to live as long as it is used.
  [[nodiscard]] Result<HandedOver> state(std::vector<Fd>& places) const;

  // For a check of a config or a binary. Plugins are tried one after the other, each with a limit
  // of its own.
  static constexpr Duration kCheckLimit = std::chrono::minutes(2);

  const Setup setup_;
  Log& log_;
  ServiceManager& manager_;
  EventLoop loop_;
  HostLife life_;
  ListenerTable listeners_;
  SharedGeneration generation_;  // the newest that serves
  SharedGeneration next_;        // the one that a change is about
  Plan plan_;
  std::string summary_;  // what the change under way comes to
  std::string failure_;  // why it has failed
  FileIdentity checked_program_;
  std::deque<HostAction> to_do_;
  bool doing_ = false;
  bool announced_ = false;

  Fd signals_;
  CallWatcher signal_watcher_;
  CallTimer alive_;
  ChildJob job_;
  Fd checked_files_;  // what the job that checks a config leaves beside its answer
  FileWatch files_;
  ControlServer control_;
  std::optional<UnixListener> next_control_;  // of the change under way
  // Who waits for the change under way, for a later one, for the end, for a listener's.
  std::vector<ControlClient> asked_;
  std::vector<ControlClient> asked_to_reload_;
  std::vector<ControlClient> asked_to_upgrade_;
  std::vector<ControlClient> asked_to_stop_;
  std::map<ListenerId, std::vector<ControlClient>> asked_to_drain_;
};

}  // namespace berth
