#include "options.hpp"

#include <getopt.h>
#include <sched.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>

namespace berth::bench {
namespace {

constexpr const char* kModelsByDefault = "fork,signal-fork,thread,select,epoll,io_uring";
constexpr const char* kWorkByDefault =
    "roundtrip:1,roundtrip:64,roundtrip:512,pipeline:64,bulk:1,churn:32,idle,start";
constexpr const char* kPeerWorkByDefault = "roundtrip:64,churn:32,idle:500";

constexpr const char* kHelp =
    R"(usage: berth_bench [OPTION…]
Measures the host against bare C servers of the same concurrency model, on 127.0.0.1.

  --models LIST     models to measure (fork,signal-fork,thread,select,epoll,io_uring)
  --peers LIST      measure these beside the event loops, in place of the models; or all
  --work LIST       what they are put to, KIND:CONNECTIONS each; kinds: roundtrip, pipeline, bulk,
                    churn, idle, start
                    (roundtrip:1,roundtrip:64,roundtrip:512,pipeline:64,bulk:1,churn:32,idle,start;
                    with peers roundtrip:64,churn:32,idle:500)
  --workers N       processes that share the host's listener, or a bare server's port (1)
  --rounds N        rounds a workload (30)
  --seconds S       length of a round (0.25)
  --berth PATH      the host's program (host/berth of this build)
  --plugins DIR     the folder of echo.so (plugins of this build)
  --bare DIR        the folder of the bare servers (the one of this program)
  --without-host    measure the bare servers alone
  --cores S,L       processors of the servers and of the load (0,1); more workers take the others,
                    and the load's only if there are no others left
  --strace          count system calls per message too
  --markdown        print the tables as Markdown
  --csv FILE        write the results there too, for plot.py
  --help
)";

enum Flag : int {
  kModelsFlag = 256,
  kPeersFlag,
  kWorkFlag,
  kWorkersFlag,
  kRoundsFlag,
  kSecondsFlag,
  kBerthFlag,
  kPluginsFlag,
  kBareFlag,
  kWithoutHostFlag,
  kCoresFlag,
  kStraceFlag,
  kMarkdownFlag,
  kCsvFlag,
  kHelpFlag,
};

constexpr option kFlags[] = {
    {"models", required_argument, nullptr, kModelsFlag},
    {"peers", required_argument, nullptr, kPeersFlag},
    {"work", required_argument, nullptr, kWorkFlag},
    {"workers", required_argument, nullptr, kWorkersFlag},
    {"rounds", required_argument, nullptr, kRoundsFlag},
    {"seconds", required_argument, nullptr, kSecondsFlag},
    {"berth", required_argument, nullptr, kBerthFlag},
    {"plugins", required_argument, nullptr, kPluginsFlag},
    {"bare", required_argument, nullptr, kBareFlag},
    {"without-host", no_argument, nullptr, kWithoutHostFlag},
    {"cores", required_argument, nullptr, kCoresFlag},
    {"strace", no_argument, nullptr, kStraceFlag},
    {"markdown", no_argument, nullptr, kMarkdownFlag},
    {"csv", required_argument, nullptr, kCsvFlag},
    {"help", no_argument, nullptr, kHelpFlag},
    {},
};

std::vector<const Model*> parse_models(std::string_view text) {
  std::vector<const Model*> models;
  for (const std::string_view name : split(text)) models.push_back(find_model(name));
  return models;
}

std::vector<const Peer*> parse_peers(std::string_view text) {
  std::vector<const Peer*> peers;
  if (text == "all") {
    for (const Peer& peer : kPeers) peers.push_back(&peer);
    return peers;
  }
  for (const std::string_view name : split(text)) peers.push_back(find_peer(name));
  return peers;
}

double parse_number(const char* text, double least, double most) {
  char* end = nullptr;
  const double number = std::strtod(text, &end);
  if (end == text || *end != '\0' || !(number >= least && number <= most)) {
    throw std::invalid_argument("'" + std::string(text) + "' is no number that can be meant here");
  }
  return number;
}

void parse_cores(const char* text, Options& options) {
  int server = -1, load = -1;
  const auto valid = [](int core) { return core >= 0 && core < CPU_SETSIZE; };
  if (std::sscanf(text, "%d,%d", &server, &load) != 2 || !valid(server) || !valid(load)) {
    throw std::invalid_argument("--cores takes two numbers, like 0,1");
  }
  options.server_cores = {server};
  options.load_core = load;
}

// One for each worker while there are any, the load's own as the last resort.
void add_server_cores(Options& options) {
  const auto wanted = static_cast<std::size_t>(options.workers);
  const long there = sysconf(_SC_NPROCESSORS_ONLN);
  std::vector<int>& cores = options.server_cores;
  for (int core = 0; core < there && cores.size() < wanted; ++core) {
    if (core != cores.front() && core != options.load_core) cores.push_back(core);
  }
  if (cores.size() < wanted && cores.front() != options.load_core) {
    cores.push_back(options.load_core);
  }
}

void apply(int flag, const char* value, Options& options, bool& without_host) {
  constexpr double kMostRounds = 10'000, kShortestRound = 0.01, kLongestRound = 60,
                   kMostWorkers = 64;
  switch (flag) {
    case kModelsFlag:
      options.models = parse_models(value);
      break;
    case kPeersFlag:
      options.peers = parse_peers(value);
      break;
    case kWorkFlag:
      options.workloads = parse_workloads(value);
      break;
    case kWorkersFlag:
      options.workers = static_cast<int>(parse_number(value, 1, kMostWorkers));
      break;
    case kRoundsFlag:
      options.rounds = static_cast<int>(parse_number(value, 1, kMostRounds));
      break;
    case kSecondsFlag:
      options.round_length = std::chrono::duration_cast<Duration>(
          std::chrono::duration<double>(parse_number(value, kShortestRound, kLongestRound)));
      break;
    case kBerthFlag:
      options.berth = value;
      break;
    case kPluginsFlag:
      options.plugins = value;
      break;
    case kBareFlag:
      options.bare = value;
      break;
    case kWithoutHostFlag:
      without_host = true;
      break;
    case kCoresFlag:
      parse_cores(value, options);
      break;
    case kStraceFlag:
      options.count_syscalls = true;
      break;
    case kMarkdownFlag:
      options.markdown = true;
      break;
    case kCsvFlag:
      options.csv = value;
      break;
    default:
      throw std::invalid_argument("");  // getopt has said what is wrong
  }
}

Options defaults() {
  Options options;
  options.models = parse_models(kModelsByDefault);
  options.server_cores = {0};
  options.bare = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  const std::filesystem::path build = options.bare.parent_path().parent_path();
  options.berth = build / "host/berth";
  options.plugins = build / "plugins";
  return options;
}

}  // namespace

std::optional<Options> parse_options(int argc, char** argv, int& status) {
  constexpr int kUsage = 64;
  status = 0;
  Options options = defaults();
  bool without_host = false;
  try {
    for (int flag = 0; (flag = getopt_long(argc, argv, "", kFlags, nullptr)) != -1;) {
      if (flag == kHelpFlag) {
        std::fputs(kHelp, stdout);
        return std::nullopt;
      }
      apply(flag, optarg, options, without_host);
    }
    if (optind < argc) throw std::invalid_argument("what is '" + std::string(argv[optind]) + "'?");
  } catch (const std::invalid_argument& error) {
    std::fprintf(stderr, "berth_bench: %s\n(--help tells the options)\n", error.what());
    status = kUsage;
    return std::nullopt;
  }
  if (without_host) options.berth.clear();
  if (options.workloads.empty()) {
    options.workloads =
        parse_workloads(options.peers.empty() ? kWorkByDefault : kPeerWorkByDefault);
  }
  add_server_cores(options);
  return options;
}

}  // namespace berth::bench
