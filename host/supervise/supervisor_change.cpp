// The part of the supervisor that changes what is served: reload, and what it has in common with
// replacing the binary (supervisor_upgrade.cpp).
#include <sstream>
#include <utility>

#include "base/format.hpp"
#include "base/write_all.hpp"
#include "supervise/supervisor.hpp"

namespace berth {

namespace fs = std::filesystem;

namespace {

// The answer of the child that checks the config: verdict, text and handlers' files, each ended by
// a NUL, which none of them can hold.
constexpr std::string_view kFine = "fine";

std::string to_answer(const CheckedConfig& config) {
  std::string answer = std::string(kFine) + '\0' + config.text + '\0';
  for (const fs::path& handler : config.handlers) answer += handler.string() + '\0';
  return answer;
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
      (void)write_all(answer, checked.error().message);
      return 1;
    }
    if (auto written = write_files(checked.value().files, files); !written) {
      (void)write_all(answer, written.error().message);
      return 1;
    }
    (void)write_all(answer, to_answer(checked.value()));
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

}  // namespace berth
