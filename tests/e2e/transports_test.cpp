// The table of what a listener is made of: each model, with each handler that is shipped, over each
// transport.
#include <doctest/doctest.h>
#include <unistd.h>

#include <map>
#include <string>

#include "client.hpp"
#include "datagram_client.hpp"
#include "host_process.hpp"
#include "models.hpp"

using namespace e2e;

namespace {

constexpr const char* kMessage = "a message";

// What a reply begins with, by the scheme.
using Replies = std::map<std::string, std::string>;

Replies to_all(const std::string& reply) {
  return {{"tcp", reply}, {"tls", reply}, {"udp", reply}, {"unix", reply}, {"unixgram", reply}};
}

// One listener of a handler, which all transports lead to.
class Listener {
 public:
  Listener(Config& config, const std::string& model, const std::string& handler,
           const std::string& options, const std::string& message = kMessage)
      : handler_(handler), message_(message) {
    config.listener(
        handler, model, handler,
        {"listen: [tcp://127.0.0.1:0, tls://127.0.0.1:0, 'udp://127.0.0.1:0', 'unix://" + stream_ +
             "', 'unixgram://" + datagrams_ + "']",
         "tls: {certificate: " + tls_files().certificate + ", key: " + tls_files().key + "}",
         "options: " + options});
  }

  void check(const HostProcess& host, const Replies& replies) const {
    CAPTURE(handler_);
    check_stream(replies, "tcp", Client(host.port(handler_, 0)));
    check_stream(replies, "tls", Client(host.port(handler_, 1), TlsWish()));
    check_stream(replies, "unix", Client(stream_));
    check_datagram(replies, "udp", DatagramClient(host.udp_port(handler_)));
    check_datagram(replies, "unixgram", DatagramClient(datagrams_));
  }

 private:
  void check_stream(const Replies& replies, const std::string& scheme, Client client) const {
    CAPTURE(scheme);
    client.send(message_);
    client.finish_sending();
    CHECK(client.read_to_end().rfind(replies.at(scheme), 0) == 0);
  }
  void check_datagram(const Replies& replies, const std::string& scheme,
                      DatagramClient client) const {
    CAPTURE(scheme);
    client.send(message_);
    CHECK(client.receive().rfind(replies.at(scheme), 0) == 0);
  }

  std::string handler_;
  std::string message_;
  std::string stream_ = fresh_socket_path();
  std::string datagrams_ = fresh_socket_path();
};

}  // namespace

TEST_CASE_TEMPLATE("every handler serves over every transport", Model, EACH_MODEL, Sync) {
  const std::string behind = "@berth-e2e-" + std::to_string(::getpid()) + "-behind-" + Model::name;
  Config config;
  config.listener("behind", "thread", "echo",
                  {"listen: 'unix://" + behind + "'", "options: {reply: verbatim}"});
  const Listener echo(config, Model::name, "echo", "{reply: stamped}");
  const Listener sleep_echo(config, Model::name, "sleep_echo", "{delay: 1ms}");
  const Listener exec(config, Model::name, "exec", "{command: [/bin/cat]}");
  const Listener proxy(config, Model::name, "proxy", "{upstream: ['unix://" + behind + "']}");
  const HostProcess host(config);
  echo.check(host, to_all(std::string("Echo=>") + kMessage + " at "));
  sleep_echo.check(host, to_all(std::string("Echo=>") + kMessage + " at "));
  exec.check(host, to_all(kMessage));
  proxy.check(host, to_all(kMessage));
}

TEST_CASE_TEMPLATE("a handler is told the scheme by which its client came, and so is a program",
                   Model, EACH_MODEL, Sync) {
  Config config;
  const Listener probe(config, Model::name, "probe", "{}", "scheme\n");
  const Listener exec(config, Model::name, "exec",
                      "{command: [/bin/sh, -c, 'echo $PROTO $(set | grep -c ^${PROTO}REMOTE)']}");
  const HostProcess host(config);
  probe.check(host, {{"tcp", "tcp\n"},
                     {"tls", "tls\n"},
                     {"udp", "udp\n"},
                     {"unix", "unix\n"},
                     {"unixgram", "unixgram\n"}});
  exec.check(host, {{"tcp", "TCP 2\n"},
                    {"tls", "TCP 2\n"},
                    {"udp", "UDP 2\n"},
                    {"unix", "UNIX 3\n"},
                    {"unixgram", "UNIX 3\n"}});
}

TEST_CASE_TEMPLATE("over other transports too silent clients are let go", Model, EACH_MODEL_ON_UNIX,
                   EACH_MODEL_ON_TLS) {
  HostProcess host(one_listener_of<Model>("probe", "idle_timeout: 300ms"));
  Client silent = host.connect<Model>();
  CHECK(silent.ask("id") == "1");
  silent.wait_until_closed();
  host.log().wait_for("the client was silent for too long (idle_timeout)");
}
