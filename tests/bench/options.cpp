#include "options.hpp"

#include <getopt.h>
#include <sched.h>

#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>

namespace berth::bench {
namespace {

constexpr const char* kModelsByDefault = "fork,signal-fork,thread,select";
constexpr const char* kWorkByDefault =
    "roundtrip:1,roundtrip:64,roundtrip:512,pipeline:64,bulk:1,churn:32,idle:500";

constexpr const char* kHelp =
    R"(usage: berth_bench [OPTION…]
Measures the host against bare C servers of the same concurrency model, on 127.0.0.1.

  --models LIST     models to measure (fork,signal-fork,thread,select)
  --work LIST       what they are put to, KIND:CONNECTIONS each; kinds: roundtrip, pipeline, bulk,
                    churn, idle (roundtrip:1,roundtrip:64,roundtrip:512,pipeline:64,bulk:1,churn:32,idle:500)
  --rounds N        rounds a workload (30)
  --seconds S       length of a round (0.25)
  --berth PATH      the host's program (host/berth of this build)
  --plugins DIR     the folder of echo.so (plugins of this build)
  --bare DIR        the folder of the bare servers (the one of this program)
  --without-host    measure the bare servers alone
  --cores S,L       processors of the servers and of the load (0,1)
  --strace          count system calls per message too
  --markdown        print the tables as Markdown
  --help
)";

enum Flag : int {
  kModelsFlag = 256,
  kWorkFlag,
  kRoundsFlag,
  kSecondsFlag,
  kBerthFlag,
  kPluginsFlag,
  kBareFlag,
  kWithoutHostFlag,
  kCoresFlag,
  kStraceFlag,
  kMarkdownFlag,
  kHelpFlag,
};

constexpr option kFlags[] = {
    {"models", required_argument, nullptr, kModelsFlag},
    {"work", required_argument, nullptr, kWorkFlag},
    {"rounds", required_argument, nullptr, kRoundsFlag},
    {"seconds", required_argument, nullptr, kSecondsFlag},
    {"berth", required_argument, nullptr, kBerthFlag},
    {"plugins", required_argument, nullptr, kPluginsFlag},
    {"bare", required_argument, nullptr, kBareFlag},
    {"without-host", no_argument, nullptr, kWithoutHostFlag},
    {"cores", required_argument, nullptr, kCoresFlag},
    {"strace", no_argument, nullptr, kStraceFlag},
    {"markdown", no_argument, nullptr, kMarkdownFlag},
    {"help", no_argument, nullptr, kHelpFlag},
    {},
};

const Model* find_model(std::string_view name) {
  std::string known;
  for (const Model& model : kModels) {
    if (name == model.name) return &model;
    known += std::string(known.empty() ? "" : ", ") + model.name;
  }
  throw std::invalid_argument("no model is called '" + std::string(name) +
                              "' (there are: " + known + ")");
}

std::vector<const Model*> parse_models(std::string_view text) {
  std::vector<const Model*> models;
  for (const std::string_view name : split(text)) models.push_back(find_model(name));
  return models;
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
  if (std::sscanf(text, "%d,%d", &options.server_core, &options.load_core) != 2 ||
      options.server_core < 0 || options.load_core < 0 || options.server_core >= CPU_SETSIZE ||
      options.load_core >= CPU_SETSIZE) {
    throw std::invalid_argument("--cores takes two numbers, like 0,1");
  }
}

void apply(int flag, const char* value, Options& options, bool& without_host) {
  constexpr double kMostRounds = 10'000, kShortestRound = 0.01, kLongestRound = 60;
  switch (flag) {
    case kModelsFlag:
      options.models = parse_models(value);
      break;
    case kWorkFlag:
      options.workloads = parse_workloads(value);
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
    default:
      throw std::invalid_argument("");  // getopt has said what is wrong
  }
}

Options defaults() {
  Options options;
  options.models = parse_models(kModelsByDefault);
  options.workloads = parse_workloads(kWorkByDefault);
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
  return options;
}

}  // namespace berth::bench
