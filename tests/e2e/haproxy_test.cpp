// Behind a real HAProxy, which sends headers of the PROXY protocol.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <stdexcept>
#include <string>

#include "client.hpp"
#include "host_process.hpp"
#include "log_reader.hpp"
#include "models.hpp"
#include "processes.hpp"
#include "temp_folder.hpp"

using namespace e2e;

namespace {

const char* const kProgram = "/usr/sbin/haproxy";

// An HAProxy that runs for one test, in front of a port of this machine.
class Haproxy {
 public:
  // `how` is what its `server` line says behind the address: "send-proxy-v2".
  Haproxy(std::uint16_t server, const std::string& how) {
    // Handed over listening, so that whoever connects before it is up waits for it.
    const int front = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    int ends[2];
    if (::bind(front, any, length) != 0 || ::listen(front, 16) != 0 ||
        ::getsockname(front, any, &length) != 0 || ::pipe2(ends, O_CLOEXEC) != 0) {
      throw std::runtime_error("cannot listen");
    }
    port_ = ntohs(address.sin_port);
    write_file(folder_ / "haproxy.cfg",
               "defaults\n  mode tcp\n  timeout connect 30s\n  timeout client 60s\n"
               "  timeout server 60s\n"
               "listen it\n  bind fd@" +
                   std::to_string(front) + "\n  server it " + loopback(server) + " " + how + "\n");
    pid_ = start_program({kProgram, "-db", "-f", folder_ / "haproxy.cfg"}, ends[1], ends[1]);
    ::close(ends[1]);
    ::close(front);
    said_ = std::make_unique<LogReader>(ends[0]);
  }
  Haproxy(const Haproxy&) = delete;
  Haproxy& operator=(const Haproxy&) = delete;
  ~Haproxy() {
    ::kill(pid_, SIGTERM);
    try {
      (void)wait_for_end(pid_);
    } catch (const std::exception&) {
      ::kill(pid_, SIGKILL);
    }
    CAPTURE(said_->whole());
    CHECK(said_->count("ALERT") == 0);
  }

  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  TempFolder folder_;
  std::uint16_t port_ = 0;
  pid_t pid_ = 0;
  std::unique_ptr<LogReader> said_;
};

#define LEAVE_OUT_WITHOUT_HAPROXY()                           \
  if (::access(kProgram, X_OK) != 0) {                        \
    MESSAGE("left out: " << kProgram << " is not installed"); \
    return;                                                   \
  }

}  // namespace

TEST_CASE_TEMPLATE("behind HAProxy the peer is its client", Model, EACH_MODEL) {
  LEAVE_OUT_WITHOUT_HAPROXY();
  HostProcess host(one_listener(Model::name, "probe", {"proxy_from: 127.0.0.1"}));
  for (const std::string how : {"send-proxy", "send-proxy-v2",
                                "send-proxy-v2 proxy-v2-options crc32c,authority,unique-id"}) {
    CAPTURE(how);
    const Haproxy proxy(host.port(), how);
    Client client(proxy.port());
    CHECK(client.ask("peer") == client.address());
    CHECK(client.ask("local") == loopback(proxy.port()));
    client.send("flood 1000000\n");
    CHECK(client.read_exactly(1000000).size() == 1000000);
  }
  CHECK(host.log().count("PROXY header") == 0);
  CHECK(host.log().count(" through 127.0.0.1:") == 3);
}

TEST_CASE("checks of HAProxy's are served with its own address, and told of by no warning") {
  LEAVE_OUT_WITHOUT_HAPROXY();
  HostProcess host(one_listener("epoll", "probe", {"proxy_from: 127.0.0.1"}));
  std::size_t sessions = 0;
  for (const std::string version : {"send-proxy", "send-proxy-v2"}) {
    const Haproxy proxy(host.port(), version + " check check-send-proxy inter 50ms");
    Client client(proxy.port());
    CHECK(client.ask("peer") == client.address());
    sessions += 3;
    host.log().wait_for(" ended: ", sessions);
  }
  {  // one that sends no header with its checks
    const Haproxy proxy(host.port(), "send-proxy-v2 check inter 50ms");
    Client client(proxy.port());
    CHECK(client.ask("peer") == client.address());
    host.log().wait_for(" through 127.0.0.1:", 3);
  }
  CHECK(host.log().count("PROXY header") == 0);
}
