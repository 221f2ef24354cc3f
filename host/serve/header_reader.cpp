#include "serve/header_reader.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

#include "base/format.hpp"
#include "base/quantities.hpp"
#include "serve/proxy_header.hpp"

namespace berth {

// A connection, its header as far as it has come, and the watch for the rest of it.
class HeaderReader::Waiting final : public Watcher {
 public:
  Waiting(HeaderReader& its_reader, AcceptedConnection&& accepted, TimePoint its_end)
      : connection(std::move(accepted)), due(its_end), reader_(its_reader) {}
  void on_ready() override { reader_.go_on(*this); }

  AcceptedConnection connection;
  ProxyHeaderParser parser;
  TimePoint due;  // its whole header
  Watch watch;
  std::list<Waiting>::iterator place;

 private:
  HeaderReader& reader_;
};

HeaderReader::HeaderReader(EventLoop& loop, const SessionContext& sessions,
                           std::function<void(AcceptedConnection&&)> let_in,
                           std::function<void()> on_end)
    : loop_(loop),
      sessions_(sessions),
      let_in_(std::move(let_in)),
      on_end_(std::move(on_end)),
      late_(loop.timers(), [this] { end_late(); }),
      log_(loop, [this](const RefusalLog::Rest& rest) { tell_rest(rest); }) {}

HeaderReader::~HeaderReader() = default;

bool HeaderReader::expects_from(const Peer& peer) const {
  const auto& proxies = sessions_.settings.proxy_from;
  return std::any_of(proxies.begin(), proxies.end(),
                     [&](const Network& network) { return network.contains(peer); });
}

void HeaderReader::start(AcceptedConnection&& accepted) {
  const Peer proxy = accepted.peer;
  const TimePoint due = after(loop_.now(), sessions_.settings.handshake_timeout);
  try {
    Waiting& waiting = waiting_.emplace_back(*this, std::move(accepted), due);
    waiting.place = std::prev(waiting_.end());
  } catch (const std::bad_alloc&) {
    return cannot_read(proxy, ENOMEM);
  }
  go_on(waiting_.back());
}

// It may be gone after that.
void HeaderReader::go_on(Waiting& waiting) {
  switch (read(waiting)) {
    case Progress::waits:
      return;
    case Progress::whole:
      return let_in(waiting);
    case Progress::failed:
      return drop(waiting);
  }
}

HeaderReader::Progress HeaderReader::read(Waiting& waiting) {
  try {
    const Progress progress = read_what_is_there(waiting);
    if (progress != Progress::waits || waiting.watch) return progress;
    if (!late_.armed()) late_.arm(waiting_.front().due);
    const int socket = waiting.connection.socket.get();
    if (waiting.watch.start(loop_.demultiplexer(), socket, waiting)) return progress;
    cannot_read(waiting.connection.peer, errno);
  } catch (const std::bad_alloc&) {
    cannot_read(waiting.connection.peer, ENOMEM);
  }
  return Progress::failed;
}

// Looks at what lies there, and takes out of it what is the header's: what comes behind that is for
// TLS or for the handler, and who watches the socket is not called again for what is taken.
HeaderReader::Progress HeaderReader::read_what_is_there(Waiting& waiting) {
  std::array<char, ProxyHeaderParser::kLongest> bytes;
  const int socket = waiting.connection.socket.get();
  const ssize_t count = ::recv(socket, bytes.data(), bytes.size(), MSG_PEEK | MSG_DONTWAIT);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return Progress::waits;
  if (count <= 0) return hung_up(waiting, count < 0 ? errno : 0);
  ProxyHeaderParser& parser = waiting.parser;
  const std::size_t taken = parser.take({bytes.data(), static_cast<std::size_t>(count)});
  (void)::recv(socket, bytes.data(), taken, MSG_DONTWAIT);
  switch (parser.state()) {
    case ProxyHeaderParser::State::incomplete:
      return Progress::waits;
    case ProxyHeaderParser::State::malformed:
      refuse(waiting.connection.peer,
             "its PROXY header is malformed: " + std::string(parser.objection()));
      return Progress::failed;
    case ProxyHeaderParser::State::whole:
      break;
  }
  const ProxyHeader& header = parser.header();
  if (!header.names_client()) return Progress::whole;
  AcceptedConnection& connection = waiting.connection;
  connection.proxied = std::make_unique<Proxied>(Proxied{header.destination, connection.peer});
  connection.peer = header.source;
  return Progress::whole;
}

// Whoever only looks whether somebody listens here, as a proxy may do again and again, is no more
// than that.
HeaderReader::Progress HeaderReader::hung_up(const Waiting& waiting, int error) {
  const Peer& proxy = waiting.connection.peer;
  const char* const how = error == 0 ? "it ended" : std::strerror(error);
  if (waiting.parser.size() == 0) {
    sessions_.log.debug("connection from {} came to nothing: {} before its PROXY header",
                        proxy.text(), how);
  } else {
    refuse(proxy, formatted("{} within its PROXY header", how));
  }
  return Progress::failed;
}

void HeaderReader::let_in(Waiting& waiting) {
  waiting.watch.stop();
  AcceptedConnection connection = std::move(waiting.connection);
  waiting_.erase(waiting.place);
  let_in_(std::move(connection));
  on_end_();
}

void HeaderReader::drop(Waiting& waiting) {
  waiting_.erase(waiting.place);
  on_end_();
}

void HeaderReader::end_late() {
  while (!waiting_.empty()) {
    Waiting& first = waiting_.front();
    if (first.due > loop_.now()) return late_.arm(first.due);
    refuse(first.connection.peer,
           formatted("no whole PROXY header has come within handshake_timeout ({}): is the proxy "
                     "told to send one, and to nobody else?",
                     format_duration(sessions_.settings.handshake_timeout)));
    drop(first);
  }
}

void HeaderReader::close_all() {
  waiting_.clear();
  late_.disarm();
}

// Their watches are the other process's too, and stay.
void HeaderReader::close_copies() noexcept {
  for (const Waiting& waiting : waiting_) ::close(waiting.connection.socket.get());
}

// ---- What is told of them ----

void HeaderReader::cannot_read(const Peer& proxy, int error) {
  sessions_.log.error("connection from {} is closed: its PROXY header cannot be read: {}",
                      proxy.text(), std::strerror(error));
}

void HeaderReader::refuse(const Peer& proxy, const std::string& why) {
  if (!log_.tells_at_once(proxy)) return;
  sessions_.log.warn("connection from {} is closed: {}", proxy.text(), why);
}

void HeaderReader::tell_rest(const RefusalLog::Rest& rest) {
  sessions_.log.warn(
      "{} more connection{} closed in the last {} for want of a good PROXY header, the last of "
      "them from {}",
      rest.count, rest.count == 1 ? "" : "s", format_duration(rest.within), rest.last.text());
}

}  // namespace berth
