// The table of what a listener is made of: each model, with each handler that is shipped, over each
// transport.
#include <doctest/doctest.h>
#include <unistd.h>

#include <string>

#include "client.hpp"
#include "datagram_client.hpp"
#include "host_process.hpp"
#include "models.hpp"

using namespace e2e;

namespace {

constexpr const char* kMessage = "a message";

// One listener of a handler, which all transports lead to.
class Listener {
 public:
  Listener(Config& config, const std::string& model, const std::string& handler,
           const std::string& options)
      : handler_(handler) {
    config.listener(
        handler, model, handler,
        {"listen: [tcp://127.0.0.1:0, tls://127.0.0.1:0, 'udp://127.0.0.1:0', 'unix://" + stream_ +
             "', 'unixgram://" + datagrams_ + "']",
         "tls: {certificate: " + tls_files().certificate + ", key: " + tls_files().key + "}",
         "options: " + options});
  }

  void check(const HostProcess& host, const std::string& reply) const {
    CAPTURE(handler_);
    check_stream("tcp", Client(host.port(handler_, 0)), reply);
    check_stream("tls", Client(host.port(handler_, 1), TlsWish()), reply);
    check_stream("unix", Client(stream_), reply);
    check_datagram("udp", DatagramClient(host.udp_port(handler_)), reply);
    check_datagram("unixgram", DatagramClient(datagrams_), reply);
  }

 private:
  static void check_stream(const std::string& transport, Client client, const std::string& reply) {
    CAPTURE(transport);
    client.send(kMessage);
    client.finish_sending();
    CHECK(client.read_to_end().rfind(reply, 0) == 0);
  }
  static void check_datagram(const std::string& transport, DatagramClient client,
                             const std::string& reply) {
    CAPTURE(transport);
    client.send(kMessage);
    CHECK(client.receive().rfind(reply, 0) == 0);
  }

  std::string handler_;
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
  echo.check(host, std::string("Echo=>") + kMessage + " at ");
  sleep_echo.check(host, std::string("Echo=>") + kMessage + " at ");
  exec.check(host, kMessage);
  proxy.check(host, kMessage);
}
