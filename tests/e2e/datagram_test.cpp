// Datagrams, by UDP and over Unix sockets: each is a session, under every model.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "client.hpp"
#include "command.hpp"
#include "datagram_client.hpp"
#include "host_process.hpp"
#include "installed.hpp"
#include "models.hpp"
#include "processes.hpp"
#include "strace.hpp"
#include "temp_folder.hpp"
#include "wait_for.hpp"

using namespace e2e;

namespace {

constexpr std::size_t kLongest = 65'507;
const std::string kVerbatim = "options: {reply: verbatim}";
const std::string kUdp = "listen: udp://127.0.0.1:0";
// For strace: all that datagrams come and go by.
const std::string kDatagramCalls = "trace=recvfrom,recvmsg,recvmmsg,sendto,sendmsg,sendmmsg";

// What a datagram brings back; "" goes and comes as one that is empty.
std::string echo(DatagramClient& client, const std::string& message) {
  client.send(message);
  return client.receive();
}

void check_echoes(DatagramClient client) {
  for (const std::string& message :
       {std::string("hello"), std::string(), std::string(kLongest, 'x'), std::string("bye")}) {
    CHECK(echo(client, message) == message);
  }
  CHECK_FALSE(client.has_input());
}

// Clients that send and wait for the answer, over and over; whatever does not come is lost.
class Load {
 public:
  explicit Load(std::uint16_t port) : port_(port) {
    for (int i = 0; i < 3; ++i) threads_.emplace_back([this, i] { run(i); });
  }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;
  ~Load() { finish(); }

  void finish() {
    ends_ = true;
    for (auto& thread : threads_) thread.join();
    threads_.clear();
  }
  [[nodiscard]] bool goes_on() {
    const int before = answered_;
    return wait_until([&] { return answered_ > before + 100 || lost_ > 0; });
  }
  [[nodiscard]] int lost() const { return lost_; }

 private:
  void run(int number) {
    DatagramClient client(port_);
    while (!ends_ && lost_ == 0) {
      const std::string message = std::to_string(number) + " " + std::to_string(++sent_);
      client.send(message);
      if (!client.has_input(10'000) || client.receive() != message) {
        ++lost_;
      } else {
        ++answered_;
      }
    }
  }

  std::uint16_t port_;
  std::atomic<bool> ends_{false};
  std::atomic<int> sent_{0}, answered_{0}, lost_{0};
  std::vector<std::thread> threads_;
};

// The most sessions that the log says were open at the same time.
int most_at_once(LogReader& log) {
  int open = 0, most = 0;
  for (const auto& line : log.lines()) {
    const bool begins = line.text.rfind("connection ", 0) == 0;
    if (has(line.text, " ended: ")) {
      --open;
    } else if (begins && !has(line.text, ": session destroyed")) {
      most = std::max(most, ++open);
    }
  }
  return most;
}

mode_t mode_of(const std::string& path) {
  struct stat status {};
  REQUIRE(::lstat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

}  // namespace

TEST_CASE_TEMPLATE("each datagram is read once, and answered from the address it was sent to",
                   Model, EACH_MODEL) {
  const std::string path = fresh_socket_path();
  HostProcess host(one_listener(
      Model::name, "echo",
      {kVerbatim,
       "listen: [udp://0.0.0.0:0, 'udp://[::1]:0', unixgram://" + path + ", tcp://127.0.0.1:0]"}));
  DatagramClient elsewhere(host.udp_port(), "127.0.0.2");
  CHECK(echo(elsewhere, "hello") == "hello");
  CHECK(elsewhere.sender() == "127.0.0.2:" + std::to_string(host.udp_port()));
  check_echoes(DatagramClient(host.udp_port()));
  check_echoes(DatagramClient(host.udp_port("it", 1), "::1"));
  check_echoes(DatagramClient(path));
  Client stream(host.port());
  stream.send("stream");
  CHECK(stream.read_exactly(6) == "stream");
}

TEST_CASE_TEMPLATE("a session knows who sent its datagram, and where to", Model, EACH_MODEL) {
  const std::string path = fresh_socket_path();
  HostProcess host(one_listener(
      Model::name, "probe", {"listen: [udp://0.0.0.0:0, 'unixgram://" + path + "?mode=0600']"}));
  DatagramClient client(host.udp_port(), "127.0.0.3");
  CHECK(client.ask("peer") == client.address());
  CHECK(client.ask("local") == "127.0.0.3:" + std::to_string(host.udp_port()));
  CHECK(client.ask("listener") == "it");
  CHECK(client.ask("sleep 10") == "slept");
  CHECK(mode_of(path) == 0600);
  DatagramClient local(path);
  CHECK(local.ask("peer") == local.address());
  CHECK(local.ask("local") == path);
  client.send("peer\nlistener\nlocal\n");  // three writes, three datagrams
  CHECK(client.receive() == client.address() + "\n");
  CHECK(client.receive() == "it\n");
  CHECK(client.receive() == "127.0.0.3:" + std::to_string(host.udp_port()) + "\n");
}

TEST_CASE_TEMPLATE("of several hundred datagrams that come at once each is answered", Model,
                   EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "echo", {kVerbatim, kUdp, "max_connections: 50"}));
  DatagramClient client(host.udp_port());
  client.make_room();
  std::set<std::string> expected, received;
  for (int i = 0; i < 300; ++i) {
    expected.insert(numbered("message", static_cast<std::size_t>(i)));
    client.send(numbered("message", static_cast<std::size_t>(i)));
  }
  while (received.size() < expected.size()) received.insert(client.receive());
  CHECK(received == expected);
  CHECK_FALSE(client.has_input());
}

TEST_CASE_TEMPLATE("no more datagrams than max_connections are served at a time", Model,
                   EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "probe", {kUdp, "max_connections: 3"}));
  DatagramClient client(host.udp_port());
  constexpr std::size_t kMany = 9;
  for (std::size_t i = 0; i < kMany; ++i) client.send("sleep 30\n");
  for (std::size_t i = 0; i < kMany; ++i) CHECK(client.receive() == "slept\n");
  host.log().wait_for(" ended: ", kMany);
  CHECK(most_at_once(host.log()) == 3);
  CHECK(host.log().count("further clients wait in the socket's queue") == 1);
}

TEST_CASE_TEMPLATE("a datagram that makes its handler crash costs what the model says", Model,
                   EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "faulty", {kUdp}));
  host.expect_error("SIGSEGV");
  if (!Model::own_process) host.expect_error("worker 0 (pid ");
  DatagramClient client(host.udp_port());
  CHECK(echo(client, "before") == "before");
  client.send("segv");
  host.log().wait_for("SIGSEGV");
  CHECK(echo(client, "after") == "after");
  CHECK(host.log().count("is ready (pid ") == (Model::own_process ? 1 : 2));
}

TEST_CASE_TEMPLATE("an answer that is too long, or to nobody, ends its session alone", Model,
                   EACH_MODEL) {
  const std::string path = fresh_socket_path();
  HostProcess host(one_listener(Model::name, "echo",
                                {"listen: [" + kUdp.substr(8) + ", unixgram://" + path + "]"}));
  DatagramClient client(host.udp_port());
  client.send(std::string(kLongest, 'x'));  // which comes back with the time
  host.log().wait_for("Message too long");
  DatagramClient(path, DatagramClient::Name::none).send("who am I?");
  host.log().wait_for("Transport endpoint is not connected");
  {
    DatagramClient gone(path);
    ::kill(host.worker(), SIGSTOP);
    gone.send("nobody will read this");
  }
  ::kill(host.worker(), SIGCONT);
  host.log().wait_for("Connection refused");
  CHECK(echo(client, "hello").rfind("Echo=>hello at ", 0) == 0);
}

TEST_CASE_TEMPLATE("reloads lose no datagram, with more workers and fewer", Model, EACH_MODEL) {
  const auto config = [](int workers) {
    return one_listener(Model::name, "echo",
                        {kVerbatim, kUdp, numbered("workers:", static_cast<std::size_t>(workers))});
  };
  HostProcess host(config(1));
  Load load(host.udp_port());
  for (const int workers : {2, 3, 1}) {
    host.write_config(config(workers));
    const Outcome outcome = host.command({"reload"});
    CHECK_MESSAGE(outcome.status == 0, outcome.err);
    CHECK(load.goes_on());
  }
  load.finish();
  CHECK(load.lost() == 0);
}

TEST_CASE_TEMPLATE("an upgrade of the host loses no datagram", Model, EACH_MODEL) {
  const InstalledProgram program;
  const std::string path = fresh_socket_path();
  HostProcess host(
      one_listener(
          Model::name, "echo",
          {kVerbatim, "listen: [" + kUdp.substr(8) + ", unixgram://" + path + "]", "workers: 2"}),
      {.program = program.path()});
  Load load(host.udp_port());
  for (int round = 0; round < 2; ++round) {
    program.install_again();
    const Outcome outcome = host.command({"upgrade"});
    CHECK_MESSAGE(outcome.status == 0, outcome.err);
    CHECK(load.goes_on());
  }
  load.finish();
  CHECK(load.lost() == 0);
  check_echoes(DatagramClient(path));
}

TEST_CASE_TEMPLATE("a host that ends answers what waits in its queue", Model, EACH_MODEL) {
  HostProcess host(one_listener(Model::name, "probe", {kUdp}));
  DatagramClient client(host.udp_port());
  CHECK(client.ask("listener") == "it");
  const pid_t worker = host.worker();
  ::kill(worker, SIGSTOP);
  for (int i = 0; i < 40; ++i) client.send("sleep 10\n");
  host.send_signal(SIGTERM);
  ::kill(worker, SIGCONT);
  for (int i = 0; i < 40; ++i) CHECK(client.receive() == "slept\n");
  CHECK(host.wait_for_exit() == 0);
}

TEST_CASE("datagrams are served one after the other under sync") {
  HostProcess host(one_listener("sync", "echo", {kVerbatim, kUdp}));
  check_echoes(DatagramClient(host.udp_port()));
}

TEST_CASE("several workers share an address of UDP, and another host cannot have it") {
  HostProcess host(one_listener("epoll", "probe", {kUdp, "workers: 2"}));
  host.expect_error("worker 0 (pid ");
  const std::uint16_t port = host.udp_port();
  for (int i = 0; i < 20; ++i) CHECK(DatagramClient(port).ask("listener") == "it");
  const TempFolder folder;
  write_file(
      folder / "berth.yaml",
      one_listener("epoll", "probe", {"listen: udp://127.0.0.1:" + std::to_string(port)}).text());
  const Outcome second = berth({"run", folder / "berth.yaml"});
  CHECK(second.status == 1);
  CHECK(has(second.err,
            "Address already in use (another program or listener uses that port: ss -uanp"));
  ::kill(host.worker("it", 0), SIGKILL);
  for (int i = 0; i < 20; ++i) CHECK(DatagramClient(port).ask("listener") == "it");
}

TEST_CASE("who is denied is not answered, and told") {
  HostProcess host(one_listener("epoll", "probe", {kUdp, "deny: [127.0.0.0/8]"}));
  DatagramClient client(host.udp_port());
  client.send("id\n");
  host.log().wait_for("connection from " + client.address() + " denied: its address is in 'deny'");
  CHECK_FALSE(client.has_input());
}

TEST_CASE("what the kernel drops, and what is too long, is counted and told") {
  const std::string path = fresh_socket_path();
  HostProcess host(one_listener(
      "epoll", "echo", {kVerbatim, "listen: [" + kUdp.substr(8) + ", unixgram://" + path + "]"}));
  DatagramClient local(path);
  local.send(std::string(66'000, 'x'));
  host.log().wait_for("1 datagram dropped: longer than the 65536 bytes that are taken");
  CHECK_FALSE(local.has_input());
  DatagramClient client(host.udp_port());
  CHECK(echo(client, "hello") == "hello");
  ::kill(host.worker(), SIGSTOP);
  for (int i = 0; i < 200; ++i) client.send(std::string(60'000, 'x'));  // more than any queue takes
  ::kill(host.worker(), SIGCONT);
  CHECK(host.stop(SIGTERM) == 0);  // which tells the rest
  CHECK(host.log().count("dropped by the kernel") == 1);
}

TEST_CASE("the path of a dead socket of datagrams is taken over, that of a live one is not") {
  const std::string path = fresh_socket_path();
  const std::string listen = "listen: unixgram://" + path;
  {
    HostProcess first(one_listener("epoll", "probe", {listen}));
    first.allow_error("the supervisor is gone");
    first.send_signal(SIGKILL);
    (void)first.wait_for_exit();
  }
  REQUIRE(wait_until([&] { return !DatagramClient(path).try_to_send("anybody?"); }));
  HostProcess host(one_listener("epoll", "probe", {listen}));
  CHECK(mode_of(path) == 0660);
  CHECK(DatagramClient(path).ask("listener") == "it");
  const TempFolder folder;
  write_file(folder / "berth.yaml", one_listener("epoll", "probe", {listen}).text());
  const Outcome second = berth({"run", folder / "berth.yaml"});
  CHECK(second.status == 1);
  CHECK(has(second.err, "cannot bind unixgram://" + path + ": Address already in use"));
  CHECK(host.stop(SIGTERM) == 0);
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("a path is one address, for streams or for datagrams, and a port is two") {
  const TempFolder folder;
  const auto check = [&](const std::string& addresses) {
    write_file(folder / "berth.yaml",
               one_listener("epoll", "probe", {"listen: [" + addresses + "]"}).text());
    return berth({"check", folder / "berth.yaml"});
  };
  CHECK(check("tcp://127.0.0.1:7, udp://127.0.0.1:7, unix://@a, unixgram://@a").status == 0);
  CHECK(has(check("unix:///run/s, unixgram:///run/s").err, "unixgram:///run/s is listened on in"));
  CHECK(has(check("udp://0.0.0.0:7, 'udp://0.0.0.0:7?group=239.1.2.3'").err,
            "udp://0.0.0.0:7 is listened on in"));
}

TEST_CASE("a listener serves a socket of UDP that a service manager hands over") {
  HostProcess host(one_listener("fork", "probe", {kUdp, "workers: 1"}),
                   {.by = {BERTH_WITH_SOCKETS, "it=udp"}, .environment = {}});
  DatagramClient client(host.udp_port());
  CHECK(client.ask("local") == "127.0.0.1:" + std::to_string(host.udp_port()));
  CHECK(client.ask("peer") == client.address());
}

TEST_CASE("what is sent to all of a network is answered once, however many workers there are") {
  HostProcess host(one_listener("epoll", "probe", {"listen: 'udp://0.0.0.0:0'", "workers: 3"}));
  DatagramClient client(host.udp_port(), "127.255.255.255");
  client.send("local\n");
  CHECK(client.receive() == "127.255.255.255:" + std::to_string(host.udp_port()) + "\n");
  CHECK(client.sender() == "127.0.0.1:" + std::to_string(host.udp_port()));
  // Each worker has had its copy by the time that one answers a second one.
  client.send("local\n");
  (void)client.receive();
  CHECK_FALSE(client.has_input(50));
}

TEST_CASE("what is sent to a group comes to who has joined it, and is answered from an address") {
  const std::string group = "239.255.77.1";
  const auto listen = [](const std::string& settings) {
    return "listen: 'udp://0.0.0.0:0" + settings + "'";
  };
  HostProcess host(
      one_listener("epoll", "probe", {listen("?group=" + group + "&interface=lo"), "workers: 2"}));
  DatagramClient client(host.udp_port(), group);
  if (!client.try_to_send("local\n") || !client.has_input(2'000)) {
    MESSAGE("left out: groups cannot be reached over the loopback here");
    return;
  }
  CHECK(client.receive() == group + ":" + std::to_string(host.udp_port()) + "\n");
  CHECK(client.sender() == "127.0.0.1:" + std::to_string(host.udp_port()));
  CHECK_FALSE(client.has_input(50));  // one worker of two has answered
  host.write_config(one_listener("epoll", "probe", {listen(""), "workers: 2"}));
  CHECK(host.command({"reload"}).status == 0);
  client.send("local\n");
  CHECK(DatagramClient(host.udp_port()).ask("listener") == "it");
  CHECK_FALSE(client.has_input(50));
  host.write_config(one_listener("epoll", "probe", {listen("?group=" + group + "&interface=no")}));
  host.expect_error("cannot join the group");
  host.expect_error("nothing has been changed");
  const Outcome refused = host.command({"reload"});
  CHECK(refused.status == 1);
  CHECK(has(refused.err, "cannot join the group " + group +
                             " on interface 'no': No such device "
                             "(there is no such interface"));
}

TEST_CASE_TEMPLATE("datagrams that come one by one cost a system call each way", Model, e2e::Select,
                   e2e::Epoll, e2e::IoUring) {
  LEAVE_OUT_UNLESS_TRACEABLE();
  HostProcess host(one_listener(Model::name, "echo", {kVerbatim, kUdp}));
  DatagramClient client(host.udp_port());
  CHECK(echo(client, "hello") == "hello");
  Strace strace(host.worker(), {kDatagramCalls});
  for (int i = 0; i < 4; ++i) CHECK(echo(client, "hello") == "hello");
  strace.stop();
  const std::size_t spurious = strace.calls().count("EAGAIN");  // wake-ups
  CHECK(strace.calls().count("recvfrom(") - spurious == 4);
  CHECK(strace.calls().count("sendto(") == 4);
  CHECK(strace.calls().count("sendmsg(") + strace.calls().count("sendmmsg(") == 0);
}

TEST_CASE_TEMPLATE("datagrams that wait are taken, and answered, with one system call", Model,
                   e2e::Select, e2e::Epoll, e2e::IoUring) {
  LEAVE_OUT_UNLESS_TRACEABLE();
  HostProcess host(one_listener(Model::name, "echo", {kVerbatim, kUdp}));
  DatagramClient client(host.udp_port());
  CHECK(echo(client, "hello") == "hello");
  Strace strace(host.worker(), {kDatagramCalls});
  ::kill(host.worker(), SIGSTOP);
  for (int i = 0; i < 36; ++i) client.send("hello");
  ::kill(host.worker(), SIGCONT);
  for (int i = 0; i < 36; ++i) CHECK(client.receive() == "hello");
  strace.stop();
  CHECK(strace.calls().count("sendto(") == 4);    // after one that came alone
  CHECK(strace.calls().count("recvmmsg(") <= 2);  // a wake-up may be spurious
  CHECK(strace.calls().count("sendmmsg(") == 1);
}

TEST_CASE("`berth send` speaks in datagrams, and says what is wrong where none comes back") {
  const std::string path = fresh_socket_path();
  HostProcess host(one_listener("thread", "echo",
                                {"listen: [" + kUdp.substr(8) + ", unixgram://" + path + "]"}));
  const std::string udp = "udp://127.0.0.1:" + std::to_string(host.udp_port());
  for (const std::string& address : {udp, "unixgram://" + path}) {
    const Outcome sent = berth({"send", address, "hello", "", "again"});
    CHECK_MESSAGE(sent.status == 0, sent.err);
    CHECK(has(sent.out, "Client received: 'Echo=>hello at "));
    CHECK(has(sent.out, "Client received: 'Echo=> at "));
    CHECK(has(sent.out, "Client received: 'Echo=>again at "));
  }
  ::kill(host.worker(), SIGSTOP);
  const Outcome lost = berth({"send", "--timeout", "50ms", udp, "hello"});
  ::kill(host.worker(), SIGCONT);
  CHECK(lost.status == 1);
  CHECK(has(lost.err, "no reply from " + udp + " within 50ms (a datagram may be lost on its way"));
  CHECK(has(berth({"send", udp, std::string(65'508, 'x')}).err, "a word is too long for " + udp));
  CHECK(host.stop(SIGTERM) == 0);
  CHECK(has(berth({"send", udp, "hello"}).err, "(nothing listens there; is `berth run` running?)"));
  CHECK(has(berth({"send", "unixgram://" + path, "hello"}).err, "(no socket is there"));
}
