// The part of the supervisor that replaces the binary, and that takes over from a former one.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <set>
#include <utility>

#include "base/write_all.hpp"
#include "supervise/supervisor.hpp"

namespace berth {

namespace fs = std::filesystem;

namespace {

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

// ---- To another binary ----

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
    (void)write_all(answer, system_error("cannot be run", errno).message);
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
