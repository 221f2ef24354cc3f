// What else a user could pick to serve many clients, in one table: to add a peer is its program or
// its configuration under peers/ and one row here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "server.hpp"
#include "temporary_folder.hpp"

namespace berth::bench {

struct Options;

// What they are compared with.
inline constexpr const char* kPeerReference = "bare_epoll";

// In the texts {peers} stands for the folder of the peers' programs, {port} for a free port that is
// chosen for it, {user} for who runs the benchmark, {config} for the path of its configuration, in
// which the same are put in, and {folder} for a path that nothing else uses.
struct Peer {
  const char* name;
  const char* concurrency;
  // A file each, or a program of the PATH; where one is missing the peer is left out.
  const char* needs[2];
  const char* arguments[14];
  // The text its output has before its port, empty if that is the first line; null if the peer is
  // told its port.
  const char* before_port;
  const char* config;  // a file of the folder of the peers
  bool to_be_beaten;   // the host's event loops are to be ahead of it
};

inline constexpr Peer kPeers[] = {
    {"libuv",
     "one thread, epoll",
     {"{peers}/libuv_echo"},
     {"{peers}/libuv_echo"},
     "",
     nullptr,
     true},
    {"libevent",
     "one thread, epoll",
     {"{peers}/libevent_echo"},
     {"{peers}/libevent_echo"},
     "",
     nullptr,
     true},
    {"asio-callbacks",
     "one thread, epoll",
     {"{peers}/asio_callbacks_echo"},
     {"{peers}/asio_callbacks_echo"},
     "",
     nullptr,
     true},
    {"asio-coroutines",
     "one thread, epoll",
     {"{peers}/asio_coroutines_echo"},
     {"{peers}/asio_coroutines_echo"},
     "",
     nullptr,
     true},
    {"go", "a goroutine a connection", {"{peers}/go_echo"}, {"{peers}/go_echo"}, "", nullptr, true},
    {"python-asyncio",
     "one thread, epoll",
     {"/usr/bin/python3"},
     {"/usr/bin/python3", "{peers}/asyncio_echo.py"},
     "",
     nullptr,
     false},
    {"twisted",
     "one thread, epoll",
     {"/usr/bin/python3", "/usr/lib/python3/dist-packages/twisted"},
     {"/usr/bin/python3", "{peers}/twisted_echo.py"},
     "",
     nullptr,
     false},
    {"python-threading",
     "a thread a connection",
     {"/usr/bin/python3"},
     {"/usr/bin/python3", "{peers}/socketserver_echo.py", "threading"},
     "",
     nullptr,
     false},
    {"python-forking",
     "a process a connection",
     {"/usr/bin/python3"},
     {"/usr/bin/python3", "{peers}/socketserver_echo.py", "forking"},
     "",
     nullptr,
     false},
    {"apache-event",
     "a pool of threads",
     {"/usr/sbin/apache2", "/usr/lib/apache2/modules/mod_echo.so"},
     {"/usr/sbin/apache2", "-D", "FOREGROUND", "-D", "event", "-f", "{config}"},
     nullptr,
     "apache.conf",
     false},
    {"apache-worker",
     "a pool of threads",
     {"/usr/sbin/apache2", "/usr/lib/apache2/modules/mod_echo.so"},
     {"/usr/sbin/apache2", "-D", "FOREGROUND", "-D", "worker", "-f", "{config}"},
     nullptr,
     "apache.conf",
     false},
    {"apache-prefork",
     "a pool of processes",
     {"/usr/sbin/apache2", "/usr/lib/apache2/modules/mod_echo.so"},
     {"/usr/sbin/apache2", "-D", "FOREGROUND", "-D", "prefork", "-f", "{config}"},
     nullptr,
     "apache.conf",
     false},
    {"xinetd",
     "a process a connection",
     {"/usr/sbin/xinetd"},
     {"/usr/sbin/xinetd", "-dontfork", "-f", "{config}"},
     nullptr,
     "xinetd.conf",
     false},
    {"tcpserver",
     "a process a connection",
     {"tcpserver"},
     {"tcpserver", "-1", "-R", "-H", "-l", "0", "-b", "4096", "-c", "100000", "127.0.0.1", "0",
      "cat"},
     "",
     nullptr,
     false},
    {"socat",
     "a process a connection",
     {"socat"},
     {"socat", "TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork,backlog=4096", "EXEC:cat"},
     nullptr,
     nullptr,
     false},
};

// Throws std::invalid_argument if there is none of this name.
const Peer* find_peer(std::string_view name);

// "not installed: …", or empty if it can be started.
std::string why_missing(const Peer& peer, const Options& options);

// Writes its configuration into the folder if it has one; throws Failure.
Command command_of(const Peer& peer, const Options& options, const TemporaryFolder& folder);

}  // namespace berth::bench
