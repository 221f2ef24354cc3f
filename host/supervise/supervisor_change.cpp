// The part of the supervisor that changes what is served: reload, and replacing the binary.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <set>
#include <sstream>
#include <utility>

#include "base/format.hpp"
#include "supervise/supervisor.hpp"

namespace berth {

namespace fs = std::filesystem;

namespace {

// Plugins are tried one after the other, each with a limit of its own.
constexpr Duration kCheckLimit = std::chrono::minutes(2);

// The answer of the child that checks the config: verdict, text and handlers' files, each ended by
// a NUL, which none of them can hold.
constexpr std::string_view kFine = "fine";

std::string to_answer(const CheckedConfig& config) {
  std::string answer = std::string(kFine) + '\0' + config.text + '\0';
  for (const fs::path& handler : config.handlers) answer += handler.string() + '\0';
  return answer;
}

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(fd, text.data(), text.size());
    if (count < 0 && errno != EINTR) return;
    if (count > 0) text.remove_prefix(static_cast<std::size_t>(count));
  }
}

Result<CheckedConfig> from_answer(const std::string& answer, int files, const ConfigReader& reader,
                                  const fs::path& file) {
  const Error no_answer{file.string() + ": its check ended without an answer"};
  std::istringstream parts(answer);
  std::string verdict;
  CheckedConfig config;
  if (!std::getline(parts, verdict, '\0') || verdict != kFine ||
      !std::getline(parts, config.text, '\0')) {
    return no_answer;
  }
  for (std::string handler; std::getline(parts, handler, '\0');) {
    config.handlers.emplace_back(handler);
  }
  auto checked_files = read_files(files);
  if (!checked_files) return checked_files.error();
  config.files = std::move(*checked_files);
  auto settings = reader.read(config.text, file, config.files);
  if (!settings) return settings.error();
  config.settings = std::move(*settings);
  if (config.settings.listeners.size() != config.handlers.size()) {
    return no_answer;
  }
  return config;
}

// What a change of the config comes to, `before` being how many listeners there were.
std::string summary_of(const Plan& plan, unsigned generation, std::size_t before) {
  std::size_t fresh = 0;
  std::size_t changed = 0;
  for (const PlannedListener& planned : plan) {
    if (planned.is_new) ++(planned.replaces ? changed : fresh);
  }
  const std::size_t kept = plan.size() - fresh - changed;
  return formatted("generation {} serves; listeners: {} changed, {} new, {} gone, {} untouched",
                   generation, changed, fresh, before - changed - kept, kept);
}

// Whether this process's descriptors are closed by an exec.
void set_close_on_exec(const std::vector<int>& descriptors, bool on) {
  for (const int descriptor : descriptors) {
    (void)::fcntl(descriptor, F_SETFD, on ? FD_CLOEXEC : 0);
  }
}

// While it lives this process may have as many descriptors as it can, so that no change of binary
// fails for want of the few that it needs.
class RoomForDescriptors {
 public:
  RoomForDescriptors() {
    (void)::getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit most = {before_.rlim_max, before_.rlim_max};
    (void)::setrlimit(RLIMIT_NOFILE, &most);
  }
  RoomForDescriptors(const RoomForDescriptors&) = delete;
  RoomForDescriptors& operator=(const RoomForDescriptors&) = delete;
  ~RoomForDescriptors() { (void)::setrlimit(RLIMIT_NOFILE, &before_); }

  [[nodiscard]] std::uint64_t before() const { return before_.rlim_cur; }

 private:
  rlimit before_{};
};

void lower_descriptor_limit(std::uint64_t to) {
  rlimit limit{};
  if (to == 0 || ::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = std::min<rlim_t>(to, limit.rlim_max);
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

// Does not come back, or with errno.
void become(const fs::path& program, const fs::path& file, int state, bool only_check) {
  const std::string descriptor = std::to_string(state);
  std::vector<const char*> words = {program.c_str(), "run", "--handed-over", descriptor.c_str()};
  if (only_check) words.push_back("--only-check");
  words.push_back(file.c_str());
  words.push_back(nullptr);
  ::execv(program.c_str(), const_cast<char* const*>(words.data()));
}

}  // namespace

void Supervisor::want(Wish wish, const char* why) {
  if (life_.stopping()) return;
  const char* const what = wish == Wish::upgrade ? "upgrade" : "reload";
  log_.info("{}: {}{}", why, what, life_.changing() ? " after the change under way" : "");
  carry_out(life_.want(wish));
}

// From now on these wait for the change that begins.
void Supervisor::begin_for(std::vector<ControlClient>& clients) {
  asked_.insert(asked_.end(), clients.begin(), clients.end());
  clients.clear();
  failure_.clear();
}

// ---- The config ----

void Supervisor::check_config() {
  manager_.reloading();
  begin_for(asked_to_reload_);
  auto memory = make_place_for_files();
  if (!memory) return fail_change(memory.error().message);
  const int files = memory->get();
  const auto work = [this, files](int answer) {
    const auto checked = setup_.reader.check(setup_.file);
    if (!checked) {
      write_all(answer, checked.error().message);
      return 1;
    }
    if (auto written = write_files(checked.value().files, files); !written) {
      write_all(answer, written.error().message);
      return 1;
    }
    write_all(answer, to_answer(checked.value()));
    return 0;
  };
  checked_files_ = std::move(*memory);
  auto started = job_.start({log_.descriptor(), files}, work, kCheckLimit,
                            [this](auto answer) { on_config_checked(std::move(answer)); });
  if (!started) fail_change(started.error().message);
}

void Supervisor::fail_change(const std::string& why) {
  failure_ = why;
  carry_out(life_.on_check_failed());
}

void Supervisor::on_config_checked(Result<std::string> answer) {
  if (!answer) return fail_change(answer.error().message);
  const Fd files = std::move(checked_files_);
  auto config = from_answer(answer.value(), files.get(), setup_.reader, setup_.file);
  if (!config) return fail_change(config.error().message);
  const bool log_changes = config->settings.log != generation_->config.settings.log;
  next_ = std::make_shared<Generation>(Generation{generation_->number + 1, std::move(*config)});
  plan_ = listeners_.plan(next_->config, life_, log_changes);
  summary_ = summary_of(plan_, next_->number, listeners_.in_service(life_));
  carry_out(life_.on_checked(plan_));
  if (life_.waits_for_drain()) {
    log_.info("the reload waits for listeners of an older generation that still drain");
  }
}

void Supervisor::bind_next() {
  auto bound = bind_all();
  if (!bound) failure_ = bound.error().message;
  carry_out(life_.on_bound(static_cast<bool>(bound)));
}

Result<void> Supervisor::bind_all() {
  if (is_reload()) {
    const LogSettings& log = next_->config.settings.log;
    if (log != generation_->config.settings.log) {
      if (auto opened = log_.open(log); !opened) return opened;
    }
    if (auto prepared = prepare_control(); !prepared) return prepared;
  }
  return listeners_.bind(plan_, next_, life_);
}

void Supervisor::on_change_done() {
  if (is_reload()) generation_ = next_;
  listeners_.settle(plan_);
  if (next_control_) control_.move_to(*std::exchange(next_control_, std::nullopt));
  log_.info("{}", summary_);
  manager_.ready(summary_);
  watch_files();
  answer_all(asked_, answer_ok(summary_));
}

void Supervisor::on_change_failed() {
  if (failure_.empty()) {
    failure_ = life_.stopping()
                   ? "the host is stopping"
                   : "a worker of the new generation did not become ready (see the log)";
  }
  next_control_.reset();
  if (is_reload() && next_->config.settings.log != generation_->config.settings.log) {
    (void)log_.open(generation_->config.settings.log);
  }
  while (failure_.ends_with('\n')) failure_.pop_back();
  std::istringstream lines(failure_);
  for (std::string line; std::getline(lines, line);) log_.error("{}", line);
  next_ = generation_;
  if (!life_.stopping()) {
    log_.error("nothing has been changed");
    manager_.ready("the last reload failed, and changed nothing (see the log)");
  }
  watch_files();
  answer_all(asked_, answer_error(failure_));
  failure_.clear();
}

void Supervisor::watch_files() {
  if (!generation_->config.settings.watch || life_.stopping()) return files_.stop();
  std::vector<fs::path> files = generation_->config.handlers;
  files.push_back(setup_.file);
  for (const auto& [file, text] : generation_->config.files) files.push_back(file);
  if (auto watched = files_.watch(files); !watched) {
    log_.error("files are not watched: {}", watched.error().message);
  }
}

// ---- The binary ----

void Supervisor::check_binary() {
  begin_for(asked_to_upgrade_);
  checked_program_ = identity_of(setup_.program);
  std::vector<Fd> places;
  const auto handed_over = state(places);
  if (!handed_over) return fail_change(handed_over.error().message);
  auto memory = write_handed_over(handed_over.value());
  if (!memory) return fail_change(memory.error().message);
  const int state_fd = memory->get();
  std::vector<int> kept = {state_fd};
  for (const Fd& place : places) kept.push_back(place.get());
  const auto work = [this, state_fd, kept](int answer) {
    (void)::dup2(answer, STDOUT_FILENO);
    (void)::dup2(answer, STDERR_FILENO);
    set_close_on_exec(kept, false);
    become(setup_.program, setup_.file, state_fd, true);
    write_all(answer, system_error("cannot be run", errno).message);
    return 1;
  };
  auto started = job_.start(kept, work, kCheckLimit,
                            [this](auto answer) { on_binary_checked(std::move(answer)); });
  if (!started) fail_change(started.error().message);
}

void Supervisor::on_binary_checked(Result<std::string> answer) {
  if (!answer) return fail_change(setup_.program.string() + ": " + answer.error().message);
  if (!answer.value().ends_with(kTakesOver)) {
    return fail_change(setup_.program.string() + " is no berth that can take over from this one");
  }
  carry_out(life_.on_binary_checked());
  if (life_.waits_for_drain()) {
    log_.info("the upgrade waits for listeners of an older generation that still drain");
  }
}

void Supervisor::replace_binary() {
  if (identity_of(setup_.program) != checked_program_) {  // it may have waited for a drain
    return fail_change(setup_.program.string() +
                       " has been replaced since it was checked; ask again");
  }
  const RoomForDescriptors room;
  std::vector<Fd> places;
  auto handed_over = state(places);
  if (!handed_over) return fail_change(handed_over.error().message);
  handed_over->descriptor_limit = room.before();
  auto memory = write_handed_over(handed_over.value());
  if (!memory) return fail_change(memory.error().message);
  std::vector<int> descriptors = descriptors_of(handed_over.value());
  descriptors.push_back(memory->get());
  log_.info("handing over to {}", setup_.program.string());
  // The new one takes them out of its environment in its turn; this one has no use for them.
  const auto variables = manager_.environment().to_variables();
  for (const auto& [name, value] : variables) ::setenv(name.c_str(), value.c_str(), 1);
  set_close_on_exec(descriptors, false);
  become(setup_.program, setup_.file, memory->get(), false);
  const int error = errno;
  set_close_on_exec(descriptors, true);
  for (const auto& [name, value] : variables) ::unsetenv(name.c_str());
  fail_change(system_error("cannot run " + setup_.program.string(), error).message);
}

Result<HandedOver> Supervisor::state(std::vector<Fd>& places) const {
  HandedOver state = {.generation = generation_->number,
                      .configs = {},
                      .listeners = listeners_.hand_over(life_),
                      .control = control_.descriptor(),
                      .control_file = control_.file_descriptor(),
                      .control_path = control_.path(),
                      .clients = {}};
  std::set<SharedGeneration> generations = listeners_.generations();
  generations.insert(generation_);
  for (const SharedGeneration& generation : generations) {
    HandedOver::Config& config = state.configs.emplace_back();
    config.generation = generation->number;
    config.text = generation->config.text;
    if (!generation->config.files.empty()) {
      auto place = make_place_for_files();
      if (!place) return place.error();
      const auto written = write_files(generation->config.files, place->get());
      if (!written) return written.error();
      config.files = place->get();
      places.push_back(std::move(*place));
    }
    for (const fs::path& handler : generation->config.handlers) {
      config.handlers.push_back(handler.string());
    }
  }
  for (const auto& clients : {asked_, asked_to_reload_, asked_to_upgrade_}) {
    for (const ControlClient client : clients) {
      if (const int socket = control_.descriptor_of(client); socket >= 0) {
        state.clients.push_back(socket);
      }
    }
  }
  return state;
}

// ---- From a former binary ----

Result<void> Supervisor::take_over(const HandedOver& former) {
  watch_signals();
  set_close_on_exec(descriptors_of(former), true);
  if (auto adopted = adopt(former); !adopted) return adopted;
  lower_descriptor_limit(former.descriptor_limit);
  announced_ = true;
  log_.info("berth " BERTH_VERSION " has taken over {} listeners; replacing them",
            life_.listeners().size());
  carry_out(life_.carry_on());
  // What was started by the former binary differs from all that this one would start.
  carry_out(life_.want(Wish::reload));
  keep_alive();
  loop_.run();
  log_.info("berth has stopped");
  return {};
}

Result<void> Supervisor::adopt(const HandedOver& former) {
  std::map<unsigned, SharedGeneration> generations;
  for (const HandedOver::Config& config : former.configs) {
    const Fd place(config.files);
    auto files = files_of(config);
    if (!files) return files.error();
    auto settings = setup_.reader.read(config.text, setup_.file, files.value());
    if (!settings) return settings.error();
    CheckedConfig checked;
    checked.text = config.text;
    checked.files = std::move(*files);
    checked.settings = std::move(*settings);
    checked.handlers.assign(config.handlers.begin(), config.handlers.end());
    if (checked.handlers.size() != checked.settings.listeners.size()) {
      return Error{"a config was handed over without its handlers"};
    }
    generations[config.generation] =
        std::make_shared<Generation>(Generation{config.generation, std::move(checked)});
  }
  if (!generations.contains(former.generation)) {
    return Error{"the newest config was not handed over"};
  }
  generation_ = next_ = generations.at(former.generation);
  if (auto opened = log_.open(generation_->config.settings.log); !opened) {
    log_.error("{}", opened.error().message);
  }
  for (const HandedOver::Listener& listener : former.listeners) {
    auto adopted = listeners_.adopt(listener, generations.at(listener.generation), life_);
    if (!adopted) return adopted.error();
  }
  if (former.control >= 0) {
    control_.adopt(Fd(former.control), Fd(former.control_file), former.control_path);
  }
  for (const int client : former.clients) {
    asked_to_reload_.push_back(control_.adopt_client(Fd(client)));
  }
  return {};
}

}  // namespace berth
