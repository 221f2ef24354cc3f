// As whom a host's workers run, and what they can still do. Most of this takes a host that runs as
// root: as anybody else these cases are left out, and say so.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "busy_port.hpp"
#include "client.hpp"
#include "command.hpp"
#include "host_process.hpp"
#include "installed.hpp"
#include "models.hpp"
#include "temp_folder.hpp"
#include "tested_build.hpp"

using namespace e2e;
namespace fs = std::filesystem;

namespace {

// A user that nobody has to be known by.
constexpr const char* kUser = "23456";
constexpr const char* kGroup = "34567";

// Root of a system that has the user above; not of a container with one user.
bool is_root() {
  std::ifstream map("/proc/self/uid_map");
  long long first = 0, outside = 0, count = 0;
  const bool has_user = map >> first >> outside >> count && first + count > 34567;
  if (::geteuid() == 0 && has_user) return true;
  MESSAGE("left out: this takes root");
  return false;
}

// /proc/PID/status, by key, words parted by one space.
std::map<std::string, std::string> status_of(pid_t pid) {
  std::map<std::string, std::string> status;
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string key;
    words >> key;
    std::string& value = status[key.substr(0, key.size() - 1)];
    for (std::string word; words >> word;) value += (value.empty() ? "" : " ") + word;
  }
  return status;
}

std::string four(const std::string& word) { return word + " " + word + " " + word + " " + word; }

void check_powerless(pid_t pid) {
  auto status = status_of(pid);
  for (const char* const set : {"CapInh", "CapPrm", "CapEff", "CapAmb"}) {
    CAPTURE(set);
    CHECK(status[set] == "0000000000000000");
  }
  CHECK(status["NoNewPrivs"] == "1");
}

// The config of one listener in a file of its own, checked and run; both refuse it alike.
Outcome refused(const Config& config, const TempFolder& folder) {
  const std::string file = folder / "berth.yaml";
  write_file(file, config.text());
  const Outcome check = berth({"check", file});
  const Outcome run = berth({"run", file});
  CHECK(check.status == 78);
  CHECK(run.status == 78);
  CHECK(check.err == run.err);
  return check;
}

// What `check` says of a config that it finds fine.
std::string fine(const Config& config, const TempFolder& folder) {
  const std::string file = folder / "berth.yaml";
  write_file(file, config.text());
  const Outcome check = berth({"check", file});
  CAPTURE(check.err);
  CHECK(check.status == 0);
  return check.out;
}

// A folder with the handler `echo`, nobody's but the test's.
struct PluginFolder {
  PluginFolder() {
    fs::create_directory(path());
    fs::copy_file(tested_build().plugins + "/echo.so", file());
    fs::permissions(path(), fs::perms(0755));
    fs::permissions(file(), fs::perms(0755));
  }
  [[nodiscard]] fs::path path() const { return folder / "plugins"; }
  [[nodiscard]] fs::path file() const { return path() / "mine.so"; }
  [[nodiscard]] Config config() const {
    return one_listener("fork", "mine").search_also(path().string());
  }

  TempFolder folder;
};

}  // namespace

TEST_CASE_TEMPLATE("a worker of a root host is the user it is told to be, with no way back", Model,
                   EACH_MODEL) {
  if (!is_root()) return;
  HostProcess host(one_listener(Model::name, "probe",
                                {std::string("user: ") + kUser, std::string("group: ") + kGroup}));
  Client client(host.port());
  const pid_t session = std::stoi(client.ask("pid"));
  for (const pid_t pid : {host.worker(), session}) {
    CAPTURE(pid);
    auto status = status_of(pid);
    CHECK(status["Uid"] == four(kUser));
    CHECK(status["Gid"] == four(kGroup));
    CHECK(status["Groups"] == kGroup);
    CHECK(status["CapBnd"] == "0000000000000000");
    check_powerless(pid);
  }
  CHECK(client.ask("become-root") == "refused");
  CHECK(status_of(host.pid())["Uid"] == four("0"));
}

TEST_CASE("workers are as powerless after a reload and an upgrade, and the host as mighty") {
  if (!is_root()) return;
  const InstalledProgram program;
  const std::string user = std::string("user: ") + kUser;
  const std::string group = std::string("group: ") + kGroup;
  HostProcess host(one_listener("epoll", "probe", {user, group}), {.program = program.path()});
  for (const char* command : {"upgrade", "reload", "upgrade"}) {
    CAPTURE(command);
    host.write_config(
        one_listener("epoll", "probe", {user, group, numbered("max_connections:", 7)}));
    REQUIRE(host.command({command}).status == 0);
    auto status = status_of(host.worker());
    CHECK(status["Uid"] == four(kUser));
    check_powerless(host.worker());
    CHECK(status_of(host.pid())["Uid"] == four("0"));
    CHECK(Client(host.port()).ask("become-root") == "refused");
  }
}

TEST_CASE("where nothing is said, a root host runs its handlers as nobody, and says so") {
  if (!is_root()) return;
  HostProcess host(one_listener("select", "probe"));
  CHECK(host.log().count("handlers run as user 'nobody' where the config names no other") == 1);
  CHECK(status_of(host.worker())["Uid"].rfind("0 ", 0) != 0);
  check_powerless(host.worker());
  CHECK(Client(host.port()).ask("become-root") == "refused");
}

TEST_CASE("`user: root` is the way to stay root, and no program gains anything even then") {
  if (!is_root()) return;
  HostProcess host(one_listener("select", "probe").top("user: root"));
  auto status = status_of(host.worker());
  CHECK(status["Uid"] == four("0"));
  CHECK(status["NoNewPrivs"] == "1");
  CHECK(host.log().count("handlers run as user") == 0);
}

TEST_CASE("listeners of one host run as different users") {
  if (!is_root()) return;
  Config config;
  config.top(std::string("user: ") + kUser).top(std::string("group: ") + kGroup);
  config.listener("one", "select", "probe");
  config.listener("other", "fork", "probe", {"user: nobody"});
  HostProcess host(config);
  CHECK(status_of(host.worker("one"))["Uid"] == four(kUser));
  CHECK(status_of(host.worker("one"))["Gid"] == four(kGroup));
  CHECK(status_of(host.worker("other"))["Uid"] != four(kUser));
  CHECK(status_of(host.worker("other"))["Gid"] != four(kGroup));  // it has that user's own
}

TEST_CASE("a worker has no capability and gains none, whoever runs the host") {
  HostProcess host(one_listener("epoll", "probe"));
  check_powerless(host.worker());
}

TEST_CASE("a user that is not there is told at its place, with the nearest name") {
  const TempFolder folder;
  const std::string file = folder / "berth.yaml";
  Outcome told = refused(one_listener("fork", "echo", {"user: nobdoy"}), folder);
  CHECK(has(told.err, file + ":6:11: there is no user 'nobdoy'; did you mean 'nobody'?"));
  told = refused(one_listener("fork", "echo").top("group: nogruop"), folder);
  CHECK(has(told.err, file + ":2:8: there is no group 'nogruop'"));
}

TEST_CASE("who is not root cannot run workers as somebody else, and is told so") {
  if (::geteuid() == 0) return;
  const TempFolder folder;
  const Outcome told = refused(one_listener("fork", "echo", {"user: root"}), folder);
  CHECK(has(told.err, "berth.yaml:6:11: user 'root' needs root: the host runs as user"));
}

TEST_CASE("nothing of a plugin runs as root while it is checked") {
  if (!is_root()) return;
  const TempFolder folder;
  CHECK(has(fine(one_listener("fork", "refuses_root"), folder), "fine, 1 listeners"));
  const Outcome told = refused(one_listener("fork", "refuses_root", {"user: root"}), folder);
  CHECK(has(told.err, "refuses_root.so ended the process (exit status 9)"));
  const Outcome shown = berth({"handlers", tested_build().handlers});
  CHECK(has(shown.out, "refuses_root  (" + tested_build().handlers + "/refuses_root.so)"));
}

TEST_CASE("a plugin in a folder that only root may enter is served all the same") {
  if (!is_root()) return;
  const PluginFolder plugins;
  fs::permissions(plugins.path(), fs::perms(0700));
  HostProcess host(one_listener("fork", "mine", {"options: {reply: verbatim}"})
                       .search_also(plugins.path().string()));
  Client client(host.port());
  client.send("served");
  CHECK(client.read_exactly(6) == "served");
}

TEST_CASE("a plugin that only root may read is refused with the remedy") {
  if (!is_root()) return;
  const PluginFolder plugins;
  fs::permissions(plugins.file(), fs::perms(0700));
  const Outcome told = refused(plugins.config(), plugins.folder);
  CHECK(has(told.err, "cannot load " + plugins.file().string()));
  CHECK(has(told.err, "may not read it: chmod a+r " + plugins.file().string()));
}

TEST_CASE("a plugin that others could replace is refused as root, and warned of otherwise") {
  const PluginFolder plugins;
  struct Opened {
    fs::path path;
    unsigned mode, before;
  };
  for (const Opened& opened :
       {Opened{plugins.file(), 0775, 0755}, Opened{plugins.path(), 0777, 0755},
        Opened{plugins.path(), 01777, 0755}, Opened{plugins.folder.path(), 0702, 0700}}) {
    CAPTURE(opened.path);
    fs::permissions(opened.path, fs::perms(opened.mode));
    const std::string remedy = "(chmod go-w " + opened.path.string() + ")";
    if (::geteuid() == 0) {
      CHECK(has(refused(plugins.config(), plugins.folder).err, remedy));
    } else {
      CHECK(has(fine(plugins.config(), plugins.folder), remedy));
    }
    fs::permissions(opened.path, fs::perms(opened.before));
  }
  CHECK(!has(fine(plugins.config(), plugins.folder), plugins.path().string()));
}

TEST_CASE("a plugin that somebody else owns is refused as root") {
  if (!is_root()) return;
  const PluginFolder plugins;
  REQUIRE(::chown(plugins.file().c_str(), 23456, 0) == 0);
  const Outcome told = refused(plugins.config(), plugins.folder);
  CHECK(has(told.err, plugins.file().string() + " belongs to user 23456 and not to root"));
  CHECK(has(told.err, "(chown 0 " + plugins.file().string() + ")"));
}
