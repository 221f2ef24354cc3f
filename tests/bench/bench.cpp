// berth_bench: how the host stands against bare C servers. See README.md beside this file.
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <optional>
#include <stdexcept>

#include "failure.hpp"
#include "measure.hpp"
#include "options.hpp"
#include "report.hpp"

namespace berth::bench {
namespace {

// Both ends of every connection are descriptors of some process that is started here.
void raise_descriptor_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// A first Ctrl-C ends the servers in order and prints what was measured until then; a second one
// kills.
volatile std::sig_atomic_t interrupted = 0;

struct Interrupted : std::runtime_error {
  Interrupted() : std::runtime_error("interrupted") {}
};

void heed_interruptions() {
  struct sigaction action {};
  action.sa_handler = [](int) { interrupted = 1; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaction(signal, &action, nullptr);
}

Progress progress_line(const Model& model, const Workload& workload) {
  return [title = std::string(model.name) + ", " + workload.title(),
          shown = isatty(STDERR_FILENO) != 0](const std::string& step) {
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
}

// Nothing if it failed, which has been said then.
std::optional<Comparison> try_to_measure(const Options& options, const Model& model,
                                         const Workload& workload) {
  try {
    Comparison comparison = measure(options, model, workload, progress_line(model, workload));
    clear_progress_line();
    return comparison;
  } catch (const std::runtime_error& failure) {
    clear_progress_line();
    std::fprintf(stderr, "%s, %s: %s\n", model.name, workload.title().c_str(), failure.what());
    return std::nullopt;
  }
}

int run(const Options& options) {
  require_programs(options);
  std::vector<Comparison> comparisons;
  int failures = 0;
  for (const Model* model : options.models) {
    for (const Workload& workload : options.workloads) {
      if (interrupted != 0) break;
      if (auto comparison = try_to_measure(options, *model, workload)) {
        comparisons.push_back(*std::move(comparison));
      } else {
        ++failures;
      }
    }
  }
  std::fputs(report(comparisons, options.markdown).c_str(), stdout);
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
  berth::bench::raise_descriptor_limit();
  berth::bench::heed_interruptions();
  try {
    return berth::bench::run(*options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "berth_bench: %s\n", error.what());
    return 1;
  }
}
