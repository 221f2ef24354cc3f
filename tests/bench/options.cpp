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

// What is measured unless the command line says.
struct Defaults {
  const char* models;
  const char* work;
};

constexpr Defaults kOverTcp{
    "fork,signal-fork,prefork,thread,select,epoll,io_uring",
    "roundtrip:1,roundtrip:64,roundtrip:512,pipeline:64,bulk:1,churn:32,idle,start"};
constexpr Defaults kOverUdp{"sync,fork,prefork,thread,thread-pool,select,epoll,io_uring",
                            "roundtrip:1,roundtrip:64"};
constexpr Defaults kOverTls{"thread,select,epoll,io_uring",
                            "roundtrip:1,roundtrip:64,bulk:1,churn:32,idle"};
constexpr const char* kPeerWork = "roundtrip:64,churn:32,idle:500";
constexpr const char* kProxyWork = "roundtrip:1,roundtrip:64,bulk:1,churn:32";

constexpr const Defaults& defaults_of(Transport transport) {
  switch (transport) {
    case Transport::tcp:
      return kOverTcp;
    case Transport::udp:
      return kOverUdp;
    case Transport::tls:
      return kOverTls;
  }
  return kOverTcp;
}

constexpr const char* kHelp =
    R"(usage: berth_bench [OPTION…]
Measures the host against bare C servers of the same concurrency model, on 127.0.0.1.

  --transport NAME  tcp, udp or tls (tcp)
  --models LIST     models to measure (fork,signal-fork,prefork,thread,select,epoll,io_uring;
                    over udp sync,fork,prefork,thread,thread-pool,select,epoll,io_uring;
                    over tls thread,select,epoll,io_uring)
  --peers LIST      measure these beside the event loops, in place of the models; or all
  --proxies LIST    measure these beside the event loops with the handler proxy, in place of the
                    models; or all
  --work LIST       what they are put to, KIND:CONNECTIONS each; kinds: roundtrip, pipeline, bulk,
                    churn, idle, start
                    (roundtrip:1,roundtrip:64,roundtrip:512,pipeline:64,bulk:1,churn:32,idle,start;
                    over udp roundtrip:1,roundtrip:64;
                    over tls roundtrip:1,roundtrip:64,bulk:1,churn:32,idle;
                    with peers roundtrip:64,churn:32,idle:500;
                    with proxies roundtrip:1,roundtrip:64,bulk:1,churn:32)
  --workers N       processes that share the host's listener, or a bare server's port (1)
  --rounds N        rounds a workload (30)
  --seconds S       length of a round (0.25)
  --berth PATH      the host's program (host/berth of this build)
  --plugins DIR     the folder of echo.so and proxy.so (plugins of this build)
  --bare DIR        the folder of the bare servers (the one of this program)
  --without-host    measure the bare servers, or the others, alone
  --cores S,L       processors of the servers and of the load (0,1); more workers take the others,
                    and the load's only if there are no others left
  --strace          count system calls per message too
  --markdown        print the tables as Markdown
  --csv FILE        write the results there too, for plot.py
  --help
)";

enum Flag : int {
  kTransportFlag = 256,
  kModelsFlag,
  kPeersFlag,
  kProxiesFlag,
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
    {"transport", required_argument, nullptr, kTransportFlag},
    {"models", required_argument, nullptr, kModelsFlag},
    {"peers", required_argument, nullptr, kPeersFlag},
    {"proxies", required_argument, nullptr, kProxiesFlag},
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

// What can only be made sense of when the whole line is known.
struct Texts {
  Transport transport = Transport::tcp;
  const char* models = nullptr;
  const char* peers = nullptr;  // of the field
  const Field* field = nullptr;
  const char* work = nullptr;
  bool without_host = false;
};

std::vector<Subject> models_in(std::string_view text, Transport transport) {
  std::vector<Subject> subjects;
  for (const std::string_view name : split(text)) {
    subjects.push_back({.model = find_model(name, transport)});
  }
  return subjects;
}

std::vector<const Peer*> peers_in(std::string_view text, const Field& field) {
  std::vector<const Peer*> peers;
  if (text == "all") {
    for (const Peer& peer : field.members) peers.push_back(&peer);
    return peers;
  }
  for (const std::string_view name : split(text)) peers.push_back(find_peer(field, name));
  return peers;
}

void choose_field(const Field& field, const char* peers, Texts& texts) {
  if (texts.field != nullptr) {
    throw std::invalid_argument("--peers and --proxies are measured one at a time");
  }
  texts.field = &field;
  texts.peers = peers;
}

void choose_subjects(const Texts& texts, Options& options) {
  const Defaults& unless_said = defaults_of(texts.transport);
  const char* work = unless_said.work;
  if (texts.field == nullptr) {
    options.subjects =
        models_in(texts.models != nullptr ? texts.models : unless_said.models, texts.transport);
  } else if (texts.transport != Transport::tcp || texts.models != nullptr) {
    throw std::invalid_argument("--peers and --proxies are measured over tcp, without --models");
  } else {
    options.subjects = {{.field = texts.field}};
    options.peers = peers_in(texts.peers, *texts.field);
    work = texts.field->of_proxies ? kProxyWork : kPeerWork;
  }
  options.workloads = parse_workloads(texts.work != nullptr ? texts.work : work, texts.transport);
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

void apply(int flag, const char* value, Options& options, Texts& texts) {
  constexpr double kMostRounds = 10'000, kShortestRound = 0.01, kLongestRound = 60,
                   kMostWorkers = 64;
  switch (flag) {
    case kTransportFlag:
      texts.transport = parse_transport(value);
      break;
    case kModelsFlag:
      texts.models = value;
      break;
    case kPeersFlag:
      choose_field(kPeerField, value, texts);
      break;
    case kProxiesFlag:
      choose_field(kProxyField, value, texts);
      break;
    case kWorkFlag:
      texts.work = value;
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
      texts.without_host = true;
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
  Texts texts;
  try {
    for (int flag = 0; (flag = getopt_long(argc, argv, "", kFlags, nullptr)) != -1;) {
      if (flag == kHelpFlag) {
        std::fputs(kHelp, stdout);
        return std::nullopt;
      }
      apply(flag, optarg, options, texts);
    }
    if (optind < argc) throw std::invalid_argument("what is '" + std::string(argv[optind]) + "'?");
    choose_subjects(texts, options);
  } catch (const std::invalid_argument& error) {
    std::fprintf(stderr, "berth_bench: %s\n(--help tells the options)\n", error.what());
    status = kUsage;
    return std::nullopt;
  }
  if (texts.without_host) options.berth.clear();
  add_server_cores(options);
  return options;
}

}  // namespace berth::bench
