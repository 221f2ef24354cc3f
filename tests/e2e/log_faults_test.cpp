// A log that cannot be written loses lines, which are counted, and holds up no client.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <regex>
#include <string>
#include <vector>

#include "busy_port.hpp"
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

void exchange(std::uint16_t port) {
  Client client(port);
  client.send("served");
  REQUIRE(client.read_exactly(6) == "served");
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
  HostProcess host(one_listener(Model::name, "echo", {"options: {reply: verbatim}"}));
  exchange(host.port());
  host.log().wait_for(" ended: ");
  host.log().pause();
  for (std::size_t i = 0; i < kClients; ++i) exchange(host.port());
  host.log().resume();
  // With the next line that finds room it is told how many did not.
  CHECK(wait_until([&] {
    exchange(host.port());
    return host.log().count("could not be written: Resource temporarily unavailable") > 0;
  }));
  CHECK(host.stop(SIGTERM) == 0);
  REQUIRE(host.log().wait_for_end());
  const auto lines = host.log().lines();
  const auto served = host.log().wait_for("has ended; it served ").text;
  const std::size_t clients = std::stoul(served.substr(served.rfind("served ") + 7));
  CHECK(clients > kClients);
  CHECK(lines_lost(lines) > kClients);
  // One when it opens and one when it ends; each of them was written or counted.
  CHECK(lines_of_connections(lines) + lines_lost(lines) == 2 * clients);
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
  std::vector<std::uint16_t> ports;
  Config config;
  config.top("log: {file: /dev/full}");
  {
    std::vector<std::unique_ptr<BusyPort>> free;  // all at once, so that no two are the same
    for (const auto& model : kModelNames) {
      const auto& port = free.emplace_back(std::make_unique<BusyPort>());
      const std::string url = port->url();
      ports.push_back(static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1))));
      config.listener(model, model, "echo", {"listen: " + url, "options: {reply: verbatim}"});
    }
  }
  const TempFolder folder;
  write_file(folder / "berth.yaml", config.text());
  const int null = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  const pid_t pid =
      start_program({tested_build().program, "run", (folder / "berth.yaml").string()}, null, null);
  ::close(null);
  for (const auto port : ports) {
    REQUIRE(wait_until([&] { return !is_refused(port); }));
    for (int i = 0; i < 20; ++i) exchange(port);
  }
  ::kill(pid, SIGTERM);
  CHECK(wait_for_end(pid) == 0);
  CHECK(wait_until_childless().empty());
}
