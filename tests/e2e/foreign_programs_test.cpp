// Programs of other makes, as servers behind a listener and as its clients. Left out where they are
// not installed.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "client.hpp"
#include "command.hpp"
#include "host_process.hpp"
#include "log_reader.hpp"
#include "models.hpp"
#include "processes.hpp"
#include "temp_folder.hpp"

using namespace e2e;
namespace fs = std::filesystem;

namespace {

bool is_installed(const std::string& program) {
  if (std::system(("command -v " + program + " >/dev/null").c_str()) == 0) return true;
  MESSAGE("left out: " << program << " is not installed");
  return false;
}

// A line of the shell's; what it says is shown where it fails.
void run_line(const std::string& line) {
  const Outcome outcome = run_program({"/bin/sh", "-c", line});
  CAPTURE(line);
  CAPTURE(outcome.err);
  REQUIRE(outcome.status == 0);
}

// A listener that all transports lead to, where each session sends its first line back and ends.
struct LineServer {
  explicit LineServer(const std::string& model)
      : host(Config().listener(
            "it", model, "exec",
            {"listen: [tcp://127.0.0.1:0, tls://127.0.0.1:0, 'udp://127.0.0.1:0', 'unix://" +
                 stream + "', 'unix://" + abstract + "']",
             "tls: {certificate: " + tls_files().certificate + ", key: " + tls_files().key + "}",
             "options: {command: [/usr/bin/head, -n, '1']}"})),
        tcp(std::to_string(host.port("it", 0))),
        tls(std::to_string(host.port("it", 1))),
        udp(std::to_string(host.udp_port())) {}

  // A client, which takes what it sends from its standard input.
  void serves(const std::string& client) const {
    const Outcome outcome = run_program({"/bin/sh", "-c", "printf 'one line\\n' | " + client});
    CAPTURE(client);
    CAPTURE(outcome.err);
    CHECK(outcome.status == 0);
    CHECK(outcome.out == "one line\n");
  }

  const std::string stream = fresh_socket_path();
  const std::string abstract = "@" + stream;
  const HostProcess host;
  const std::string tcp, tls, udp;  // ports
};

// python3's, with a folder of its own.
class WebServer {
 public:
  WebServer() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    pid_ = start_program({"/bin/sh", "-c",
                          "exec python3 -u -m http.server 0 --bind 127.0.0.1 --directory '" +
                              folder_.path().string() + "'"},
                         ends[1], ends[1]);
    ::close(ends[1]);
    output_ = std::make_unique<LogReader>(ends[0]);
  }
  WebServer(const WebServer&) = delete;
  WebServer& operator=(const WebServer&) = delete;
  ~WebServer() { stop(); }

  // Before the end of a host, which is to leave no process behind.
  void stop() {
    if (pid_ == 0) return;
    ::kill(-pid_, SIGKILL);
    (void)wait_for_end(std::exchange(pid_, 0));
  }

  [[nodiscard]] const TempFolder& folder() const { return folder_; }
  [[nodiscard]] std::string url() const {
    const std::string line = output_->wait_for("Serving HTTP on 127.0.0.1 port ").text;
    return "tcp://127.0.0.1:" + std::to_string(std::stoi(line.substr(line.find(" port ") + 6)));
  }

 private:
  TempFolder folder_;
  std::unique_ptr<LogReader> output_;
  pid_t pid_ = 0;
};

}  // namespace

TEST_CASE_TEMPLATE("git clones from a git daemon that exec runs", Model, EACH_MODEL) {
  if (!is_installed("git")) return;
  const TempFolder folder;
  fs::permissions(folder.path(),
                  fs::perms::owner_all | fs::perms::others_read | fs::perms::others_exec);
  const std::string repository = folder / "project.git";
  const std::string work = folder / "work";
  run_line("git init -q '" + work + "' && cd '" + work + "' && seq 100000 > numbers && " +
           "git add numbers && git -c user.name=A -c user.email=a@example.org commit -qm one && " +
           "git clone -q --bare '" + work + "' '" + repository + "'");
  HostProcess host(one_listener(
      Model::name, "exec",
      {"options: {command: [/usr/bin/git, daemon, --inetd, --export-all, '--base-path=" +
       folder.path().string() +
       "'], environment: {GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: safe.directory, "
       "GIT_CONFIG_VALUE_0: '*'}}"}));
  const std::string clone = folder / "clone";
  run_line("git clone -q git://" + loopback(host.port()) + "/project.git '" + clone + "'");
  CHECK(contents(folder / "clone/numbers") == contents(folder / "work/numbers"));
  host.log().wait_for(" ended: ");
  CHECK(host.log().count("failed") == 0);
}

TEST_CASE_TEMPLATE("curl fetches from a web server behind a proxy", Model, EACH_MODEL) {
  if (!is_installed("curl") || !is_installed("python3")) return;
  WebServer web;
  const std::string page(3'000'000, 'p');
  write_file(web.folder() / "page", page);
  HostProcess host(
      one_listener(Model::name, "proxy", {"options: {upstream: [" + web.url() + "]}"}));
  const std::string url = "http://" + loopback(host.port()) + "/page";
  // Two in one connection, and one in another.
  const std::string out = web.folder() / "fetched";
  run_line("curl -sf " + url + " " + url + " >'" + out + "' && curl -sf " + url + " >>'" + out +
           "'");
  web.stop();
  CHECK((contents(out) == page + page + page));
}

TEST_CASE_TEMPLATE("openssl's s_client is served, and verifies who serves it", Model, EACH_MODEL,
                   Sync) {
  if (!is_installed("openssl")) return;
  const LineServer server(Model::name);
  const std::string client = "openssl s_client -quiet -verify_return_error -verify_ip 127.0.0.1 " +
                             ("-CAfile '" + tls_files().ca) + "' -connect 127.0.0.1:" + server.tls;
  server.serves(client + " -tls1_2");
  server.serves(client + " -tls1_3");
}

TEST_CASE_TEMPLATE("socat is served over TCP, TLS, UDP and Unix sockets", Model, EACH_MODEL, Sync) {
  if (!is_installed("socat")) return;
  const LineServer server(Model::name);
  const std::string client = "socat -t 60 - ";
  server.serves(client + "TCP:127.0.0.1:" + server.tcp);
  server.serves(client + "OPENSSL:127.0.0.1:" + server.tls + ",cafile='" + tls_files().ca + "'");
  server.serves(client + "UDP:127.0.0.1:" + server.udp + ",readbytes=9");
  server.serves(client + "UNIX-CONNECT:" + server.stream);
  server.serves(client + "ABSTRACT-CONNECT:" + server.abstract.substr(1));
}

TEST_CASE_TEMPLATE("ncat is served over TCP, TLS and a Unix socket", Model, EACH_MODEL, Sync) {
  if (!is_installed("ncat")) return;
  const LineServer server(Model::name);
  server.serves("ncat 127.0.0.1 " + server.tcp);
  server.serves("ncat --no-shutdown --ssl-verify --ssl-servername localhost --ssl-trustfile '" +
                tls_files().ca + "' 127.0.0.1 " + server.tls);
  server.serves("ncat -U " + server.stream);
}
