// berth_bench: how the host stands against bare C servers. See README.md beside this file.
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <fstream>
#include <functional>
#include <stdexcept>

#include "descriptors.hpp"
#include "failure.hpp"
#include "measure.hpp"
#include "options.hpp"
#include "report.hpp"
#include "start.hpp"
#include "tls.hpp"

namespace berth::bench {
namespace {

// A signal ends the servers in order and prints what was measured until then. A second Ctrl-C
// kills; a second SIGTERM does not, since timeout(1) sends two, and Apache's processes would be
// left.
volatile std::sig_atomic_t interrupted = 0;

struct Interrupted : std::runtime_error {
  Interrupted() : std::runtime_error("interrupted") {}
};

void handle_signals() {
  // OpenSSL writes with write(2). A handler, since what is ignored stays so in the servers.
  std::signal(SIGPIPE, [](int) {});
  struct sigaction action {};
  action.sa_handler = [](int) { interrupted = 1; };
  for (const int signal : {SIGTERM, SIGHUP}) sigaction(signal, &action, nullptr);
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
}

Progress progress_line(const std::string& title) {
  return [title, shown = isatty(STDERR_FILENO) != 0](const std::string& step) {
    if (interrupted != 0) throw Interrupted();
    if (shown) std::fprintf(stderr, "\r\033[K%s: %s", title.c_str(), step.c_str());
  };
}

void clear_progress_line() {
  if (isatty(STDERR_FILENO)) std::fputs("\r\033[K", stderr);
}

// Said once here, and not anew for each measurement.
void require_programs(const Options& options) {
  if (!options.berth.empty() && access(options.berth.c_str(), X_OK) != 0) {
    throw system_failure("cannot run the host, " + options.berth.string());
  }
  const bool tls =
      std::any_of(options.workloads.begin(), options.workloads.end(),
                  [](const Workload& workload) { return workload.transport == Transport::tls; });
  if (tls && !can_speak_tls()) throw Failure("TLS: this benchmark was built without OpenSSL");
}

// Those that are missing are told.
void leave_out_missing(Options& options) {
  if (options.peers.empty()) return;
  std::erase_if(options.peers, [&](const Peer* peer) {
    const std::string why = why_missing(*peer, options);
    if (!why.empty()) std::fprintf(stderr, "left out: %s (%s)\n", peer->name, why.c_str());
    return !why.empty();
  });
  if (options.peers.empty() && options.subjects.front().field->of_proxies) {
    throw Failure("none of the proxies is installed (.ci/install-packages bench does that)");
  }
}

// False if it failed, which has been said then.
bool try_to_measure(const std::string& title, const std::function<void(const Progress&)>& measure) {
  try {
    measure(progress_line(title));
    clear_progress_line();
    return true;
  } catch (const std::runtime_error& failure) {
    clear_progress_line();
    std::fprintf(stderr, "%s: %s\n", title.c_str(), failure.what());
    return false;
  }
}

// What a subject is put to: each kind of work but the one that takes no server of its own, with as
// many connections as this model is to hold.
std::vector<Workload> workloads_for(const Subject& subject,
                                    const std::vector<Workload>& workloads) {
  std::vector<Workload> own;
  for (Workload workload : workloads) {
    if (workload.kind->kind == Kind::start) continue;
    const Model& reference = subject.model != nullptr ? *subject.model : kModels[0];
    if (workload.connections == 0) workload.connections = reference.idle_connections;
    own.push_back(workload);
  }
  return own;
}

int measure_everything(const Options& options, Results& results) {
  int failures = 0;
  for (const Subject& subject : options.subjects) {
    for (const Workload& workload : workloads_for(subject, options.workloads)) {
      if (interrupted != 0) return failures;
      const std::string title = std::string(subject.name()) + ", " + workload.title();
      failures += !try_to_measure(title, [&](const Progress& progress) {
        require_descriptors(workload, options.workers);
        results.comparisons.push_back(measure(options, subject, workload, progress));
        failures += static_cast<int>(results.comparisons.back().left_out.size());
      });
    }
  }
  const bool wanted =
      std::any_of(options.workloads.begin(), options.workloads.end(),
                  [](const Workload& workload) { return workload.kind->kind == Kind::start; });
  if (!wanted || options.berth.empty() || interrupted != 0) return failures;
  failures += !try_to_measure("start of the host", [&](const Progress& progress) {
    results.start = measure_start(options, progress);
  });
  return failures;
}

void write_csv(const Options& options, const Results& results) {
  std::ofstream file(options.csv);
  file << csv(results, options.rounds);
  file.close();
  if (!file) throw Failure("cannot write " + options.csv.string());
}

int run(Options options) {
  require_programs(options);
  leave_out_missing(options);
  Results results;
  const int failures = measure_everything(options, results);
  std::fputs(report(results, options.markdown).c_str(), stdout);
  if (!options.csv.empty()) write_csv(options, results);
  if (failures > 0) std::fprintf(stderr, "measurements that failed: %d\n", failures);
  return failures > 0 ? 1 : 0;
}

}  // namespace
}  // namespace berth::bench

int main(int argc, char** argv) {
  int status = 0;
  const auto options = berth::bench::parse_options(argc, argv, status);
  if (!options) return status;
  // Children of a server that lost their parent come here to be ended.
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  berth::bench::handle_signals();
  try {
    return berth::bench::run(*options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "berth_bench: %s\n", error.what());
    return 1;
  }
}
