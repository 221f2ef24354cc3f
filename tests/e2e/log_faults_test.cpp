// A log that cannot be written loses lines, which are counted, and holds up no client.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <regex>
#include <string>
#include <vector>

#include "client.hpp"
#include "command.hpp"
#include "host_process.hpp"
#include "models.hpp"
#include "processes.hpp"
#include "temp_folder.hpp"
#include "tested_build.hpp"
#include "wait_for.hpp"

using namespace e2e;

namespace {

void exchange(std::uint16_t port, const std::string& question = "served",
              const std::string& reply = "served") {
  Client client(port);
  client.send(question);
  REQUIRE(client.read_exactly(reply.size()) == reply);
  client.finish_sending();
  REQUIRE(client.read_to_end().empty());
}

// What the lines that tell of lost ones say together.
std::size_t lines_lost(const std::vector<LogLine>& lines) {
  static const std::regex form(R"((\d+) lines? before this one could not be written: .*)");
  std::size_t sum = 0;
  for (const auto& line : lines) {
    std::smatch parts;
    if (std::regex_match(line.text, parts, form)) sum += std::stoul(parts[1]);
  }
  return sum;
}

std::size_t lines_of_connections(const std::vector<LogLine>& lines) {
  std::size_t count = 0;
  for (const auto& line : lines) count += line.text.rfind("connection ", 0) == 0 ? 1 : 0;
  return count;
}

std::vector<LogLine> lines_of(const std::string& text) {
  std::vector<LogLine> lines;
  for (std::size_t at = 0, end; (end = text.find('\n', at)) != text.npos; at = end + 1) {
    lines.emplace_back(text.substr(at, end - at));
  }
  return lines;
}

// A host whose log is a file in a file system of 64 KiB, which it alone sees: in a mount namespace
// of its own. Nobody but root can have one.
class HostOnSmallDisk {
 public:
  explicit HostOnSmallDisk(Config config) {
    const std::string disk = folder_ / "disk";
    std::filesystem::create_directory(disk);
    config.top("log: {file: " + disk + "/log}");
    write_file(folder_ / "berth.yaml", config.text());
    const std::string script = "mount -t tmpfs -o size=64k none " + disk + " && exec " +
                               tested_build().program + " run " + (folder_ / "berth.yaml").string();
    const int null = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    pid_ = start_program({"/usr/bin/unshare", "-m", "/bin/sh", "-c", script}, null, null);
    ::close(null);
    REQUIRE(wait_until([&] { return has(log(), "berth is ready"); }));
  }
  HostOnSmallDisk(const HostOnSmallDisk&) = delete;
  HostOnSmallDisk& operator=(const HostOnSmallDisk&) = delete;
  ~HostOnSmallDisk() {
    if (pid_ != 0) ::kill(pid_, SIGKILL);
    (void)wait_until_childless();
  }

  static bool can_be_had() {
    return ::access("/usr/bin/unshare", X_OK) == 0 &&
           run_program({"/usr/bin/unshare", "-m", "/bin/sh", "-c", "mount -t tmpfs none /tmp"})
                   .status == 0;
  }

  [[nodiscard]] std::string log() const { return contents(inside("log")); }
  [[nodiscard]] std::uint16_t port() const {
    std::smatch parts;
    const std::string text = log();
    REQUIRE(std::regex_search(text, parts, std::regex(R"(listening on tcp://127\.0\.0\.1:(\d+))")));
    return static_cast<std::uint16_t>(std::stoi(parts[1]));
  }
  // From here on nobody finds room for a byte.
  void fill_disk() const {
    const int file = ::open(inside("filler").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    const std::string bytes(4096, 'x');
    while (::write(file, bytes.data(), bytes.size()) > 0) {
    }
    ::close(file);
  }
  void empty_disk() const { std::filesystem::remove(inside("filler")); }
  int stop() {
    ::kill(pid_, SIGTERM);
    const int status = wait_for_end(pid_);
    pid_ = 0;
    return status;
  }

 private:
  [[nodiscard]] std::string inside(const std::string& name) const {
    return "/proc/" + std::to_string(pid_) + "/root" + (folder_ / "disk").string() + "/" + name;
  }

  TempFolder folder_;
  pid_t pid_ = 0;
};

}  // namespace

TEST_CASE_TEMPLATE("while nobody reads the log's pipe clients are served and lines counted", Model,
                   EACH_MODEL) {
  constexpr std::size_t kClients = 300;  // far more lines than a page holds
  const char* const handler = Model::in_loop ? "probe" : "echo";
  const char* const key = Model::in_loop ? "workers: 1" : "options: {reply: verbatim}";
  HostProcess host(one_listener(Model::name, handler, {key}));
  const auto serve = [&] {
    Model::in_loop ? exchange(host.port(), "listener\n", "it\n") : exchange(host.port());
  };
  serve();
  // A line about a loop that a busy machine holds up would be lost and counted as well, and is none
  // of a connection's. After the first there is none for a while.
  if (Model::in_loop) {
    exchange(host.port(), "block 150\n", "blocking\n");
    host.log().wait_for("held the event loop up");
  }
  host.log().wait_for(" ended: ", Model::in_loop ? 2 : 1);
  host.log().pause();
  for (std::size_t i = 0; i < kClients; ++i) serve();
  host.log().resume();
  // With the next line that finds room it is told how many did not.
  CHECK(wait_until([&] {
    serve();
    return host.log().count("could not be written: Resource temporarily unavailable") > 0;
  }));
  CHECK(host.stop(SIGTERM) == 0);
  REQUIRE(host.log().wait_for_end());
  const auto lines = host.log().lines();
  const auto served = host.log().wait_for("has ended; it served ").text;
  const std::size_t clients = std::stoul(served.substr(served.rfind("served ") + 7));
  CHECK(clients > kClients);
  CHECK(lines_lost(lines) > kClients);
  // One when it opens and one when it ends, and of the probe one more; each of them was written or
  // counted.
  CHECK(lines_of_connections(lines) + lines_lost(lines) == (Model::in_loop ? 3 : 2) * clients);
}

TEST_CASE_TEMPLATE("while the disk is full clients are served and lost lines counted", Model,
                   EACH_MODEL) {
  if (!HostOnSmallDisk::can_be_had()) {
    MESSAGE("left out: mounting a small file system takes root and a mount namespace");
    return;
  }
  constexpr std::size_t kClients = 50;
  HostOnSmallDisk host(one_listener(Model::name, "echo", {"options: {reply: verbatim}"}));
  const auto port = host.port();
  exchange(port);
  host.fill_disk();
  for (std::size_t i = 0; i < kClients; ++i) exchange(port);
  host.empty_disk();
  CHECK(wait_until([&] {
    exchange(port);
    return has(host.log(), "could not be written: No space left on device");
  }));
  exchange(port);
  const auto lines = lines_of(host.log());
  CHECK(lines_lost(lines) >= kClients);
  CHECK(host.stop() == 0);
}

TEST_CASE("a log on a device that is always full holds up neither start nor clients nor end") {
  Config config;
  config.top("log: {file: /dev/full}").top("control: control.sock");
  for (const auto& model : kModelNames) {
    config.listener(model, model, "echo", {"options: {reply: verbatim}"});
  }
  const TempFolder folder;
  const std::string file = folder / "berth.yaml";
  write_file(file, config.text());
  const int null = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  const pid_t pid = start_program({tested_build().program, "run", file}, null, null);
  ::close(null);
  std::string status;
  REQUIRE(wait_until([&] {
    const Outcome outcome = berth({"status", "--json", file});
    status = outcome.out;
    return outcome.status == 0;
  }));
  static const std::regex form(R"(tcp://127\.0\.0\.1:(\d+))");
  std::size_t served = 0;
  for (std::sregex_iterator found(status.begin(), status.end(), form), end; found != end; ++found) {
    const auto port = static_cast<std::uint16_t>(std::stoi((*found)[1]));
    REQUIRE(wait_until([&] { return !is_refused(port); }));
    for (int i = 0; i < 20; ++i) exchange(port);
    ++served;
  }
  CHECK(served == kModelNames.size());
  ::kill(pid, SIGTERM);
  CHECK(wait_for_end(pid) == 0);
  CHECK(wait_until_childless().empty());
}
