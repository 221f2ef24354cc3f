// What else a user could pick, in two fields: to serve many clients, and to stand as a proxy before
// a server. To add one is its program or its configuration under peers/ and one row here.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "server.hpp"
#include "temporary_folder.hpp"

namespace berth::bench {

struct Options;

// In the texts {peers} stands for the folder of the peers' programs, {port} for a free port that is
// chosen for it, {upstream} for that of the server behind a proxy, {user} for who runs the
// benchmark, {config} for the path of its configuration, in which the same are put in, and {folder}
// for a path that nothing else uses.
struct Peer {
  const char* name;
  const char* concurrency;
  bool to_be_beaten;          // the host's event loops are to be ahead of it
  const char* arguments[14];  // of which the first must be there, or the peer is left out
  const char* also_needs = nullptr;
  // The text its output has before its port, empty if that is the first line; null if the peer is
  // told its port.
  const char* before_port = "";
  const char* config = nullptr;  // a file of the folder of the peers
};

inline constexpr const char* kOneThread = "one thread";
inline constexpr const char* kProcessEach = "process a connection";
inline constexpr const char* kPython = "/usr/bin/python3";  // Debian's, for which it has Twisted
inline constexpr const char* kTwisted = "/usr/lib/python3/dist-packages/twisted";
inline constexpr const char* kApache = "/usr/sbin/apache2";
inline constexpr const char* kModEcho = "/usr/lib/apache2/modules/mod_echo.so";

inline constexpr Peer kPeers[] = {
    {"libuv", kOneThread, true, {"{peers}/libuv_echo"}},
    {"libevent", kOneThread, true, {"{peers}/libevent_echo"}},
    {"asio-callbacks", kOneThread, true, {"{peers}/asio_callbacks_echo"}},
    {"asio-coroutines", kOneThread, true, {"{peers}/asio_coroutines_echo"}},
    {"go", "goroutines", true, {"{peers}/go_echo"}},
    {"python-asyncio", kOneThread, false, {kPython, "{peers}/asyncio_echo.py"}},
    {"twisted", kOneThread, false, {kPython, "{peers}/twisted_echo.py"}, kTwisted},
    {"python-threading",
     "thread a connection",
     false,
     {kPython, "{peers}/socketserver_echo.py", "threading"}},
    {"python-forking", kProcessEach, false, {kPython, "{peers}/socketserver_echo.py", "forking"}},
    {"apache-event",
     "pool of threads",
     false,
     {kApache, "-D", "FOREGROUND", "-D", "event", "-f", "{config}"},
     kModEcho,
     nullptr,
     "apache.conf"},
    {"apache-worker",
     "pool of threads",
     false,
     {kApache, "-D", "FOREGROUND", "-D", "worker", "-f", "{config}"},
     kModEcho,
     nullptr,
     "apache.conf"},
    {"apache-prefork",
     "pool of processes",
     false,
     {kApache, "-D", "FOREGROUND", "-D", "prefork", "-f", "{config}"},
     kModEcho,
     nullptr,
     "apache.conf"},
    {"xinetd",
     kProcessEach,
     false,
     {"/usr/sbin/xinetd", "-dontfork", "-f", "{config}"},
     nullptr,
     nullptr,
     "xinetd.conf"},
    {"tcpserver",
     kProcessEach,
     false,
     {"tcpserver", "-1RH", "-l0", "-b4096", "-c100000", "127.0.0.1", "0", "cat"}},
    {"socat",
     kProcessEach,
     false,
     {"socat", "TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork,backlog=4096", "EXEC:cat"},
     nullptr,
     nullptr},
};

inline constexpr const char* kNginxStream = "/usr/lib/nginx/modules/ngx_stream_module.so";

inline constexpr Peer kProxies[] = {
    {"haproxy",
     kOneThread,
     true,
     {"/usr/sbin/haproxy", "-db", "-f", "{config}"},
     nullptr,
     nullptr,
     "haproxy.conf"},
    {"nginx",
     "one worker",
     true,
     {"/usr/sbin/nginx", "-e", "stderr", "-c", "{config}"},
     kNginxStream,
     nullptr,
     "nginx.conf"},
};

struct Field {
  const char* name;  // as the results have it
  std::span<const Peer> members;
  const char* reference;  // the bare server they are compared with; null: the first of them
  // Each stands before a bare server of its own, which shares the processor of the load.
  bool of_proxies;
};

inline constexpr Field kPeerField{"peers", kPeers, "bare_epoll", false};
inline constexpr Field kProxyField{"proxies", kProxies, nullptr, true};

// Throws std::invalid_argument if there is none of this name.
const Peer* find_peer(const Field& field, std::string_view name);

// "not installed: …", or empty if it can be started.
std::string why_missing(const Peer& peer, const Options& options);

// Starts it under a name that is used once. Writes its configuration into the folder if it has one;
// throws Failure.
Command command_of(const Peer& peer, const std::string& name, const Options& options,
                   const TemporaryFolder& folder, std::uint16_t upstream);

}  // namespace berth::bench
