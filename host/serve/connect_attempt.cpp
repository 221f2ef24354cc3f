#include "serve/connect_attempt.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <limits>
#include <new>
#include <utility>

#include "net/socket.hpp"
#include "serve/client_connection.hpp"
#include "serve/client_set.hpp"

namespace berth {

namespace {

// How soon a Unix socket is tried again whose backlog is full: nobody tells when it is not.
constexpr Duration kRetryConnect = std::chrono::milliseconds(10);
// How long one of several addresses may take where nobody has said how long all of them may.
constexpr Duration kPatience = std::chrono::seconds(10);

}  // namespace

// A name that is being resolved, by a call in the background.
struct Resolution {
  Resolution(ConnectAttempt& attempt, const Address& its_address, const SessionReport& its_session)
      : operation(attempt, &ConnectAttempt::on_resolved),
        address(its_address),
        session(its_session) {
    operation.bytes.call = {run, this};
  }
  static void run(void* resolution) {
    auto& it = *static_cast<Resolution*>(resolution);
    try {
      it.found = resolve_or_errno(it.address);
    } catch (const std::bad_alloc&) {
      it.found.error = ENOMEM;
    }
  }

  ConnectAttempt::Own operation;
  Address address;
  SessionReport session;  // a copy: who is to be named by a crash, even if it is over by then
  Resolved found;
};

ConnectAttempt::Own::Own(ConnectAttempt& its_attempt, void (ConnectAttempt::*call)())
    : berth_operation{}, attempt(its_attempt), on_end(call) {
  size = sizeof(berth_operation);
  complete = [](berth_operation* operation) {
    auto& own = *static_cast<Own*>(operation);
    (own.attempt.*own.on_end)();
  };
}

ConnectAttempt::ConnectAttempt(Connection& session, ClientSet& set, berth_operation& operation)
    : session_(session),
      set_(set),
      operation_(operation),
      wait_(*this, &ConnectAttempt::on_connected),
      clock_(*this, &ConnectAttempt::on_clock) {}

ConnectAttempt::~ConnectAttempt() {
  if (resolution_) {
    resolution_->operation.reserved = nullptr;
    --session_.calls_;
  }
  session_.drop_timer(clock_);
  drop_connection();
}

int ConnectAttempt::start(const Address& address) {
  if (operation_.duration > 0) {
    end_ = after(Clock::now(), Duration(operation_.duration));
    set_clock(end_);
  }
  if (needs_resolver(address)) return resolve(address);
  Resolved known = resolve_or_errno(address);
  if (known.error != 0) return known.error;
  addresses_ = std::move(known.addresses);
  return try_from_next();
}

int ConnectAttempt::resolve(const Address& address) {
  if (session_.calls_ == std::numeric_limits<decltype(session_.calls_)>::max()) return ENOMEM;
  auto resolution = std::make_shared<Resolution>(*this, address, session_.report());
  const auto called = session_.make_call(resolution->operation, resolution->session, resolution);
  resolution_ = std::move(resolution);
  ++session_.calls_;
  if (called == Connection::Called::elsewhere) return EINPROGRESS;
  --session_.calls_;
  return take_resolved();
}

int ConnectAttempt::take_resolved() {
  const auto resolution = std::exchange(resolution_, nullptr);
  if (resolution->operation.error != 0) return resolution->operation.error;
  if (resolution->found.error != 0) return resolution->found.error;
  // Where the session itself was at it nothing could be done meanwhile.
  if (session_.is_cut_off()) return ECANCELED;
  if (Clock::now() >= end_) return ETIMEDOUT;
  addresses_ = std::move(resolution->found.addresses);
  return try_from_next();
}

int ConnectAttempt::try_from_next() {
  int error = EADDRNOTAVAIL;
  for (; next_ < addresses_.size(); ++next_) {
    const SocketAddress& address = addresses_[next_];
    error = try_address(address);
    if (error == EINPROGRESS) limit_address();
    if (error == 0 || error == EINPROGRESS) return error;
    if (error == EAGAIN && address.is_unix()) {
      set_clock(std::min(end_, after(Clock::now(), kRetryConnect)));
      return EINPROGRESS;
    }
  }
  return error;
}

// One that does not answer leaves the others their share of the time.
void ConnectAttempt::limit_address() {
  const auto left = static_cast<std::int64_t>(addresses_.size() - next_);
  const TimePoint now = Clock::now();
  if (left > 1) return set_clock(after(now, end_ == kNever ? kPatience : (end_ - now) / left));
  end_ == kNever ? session_.drop_timer(clock_) : set_clock(end_);
}

int ConnectAttempt::try_address(const SocketAddress& address) {
  ConnectingSocket connecting = start_to_connect(address);
  if (connecting.error != 0 && connecting.error != EINPROGRESS) return connecting.error;
  connection_ = set_.add(std::move(connecting.socket), address);
  if (connection_ == nullptr) return errno;
  // Or an event loop is to give others their turn first.
  if (connecting.error == 0 && session_.may_go_on()) return 0;
  if (connection_->wait_until_connected(wait_) == BERTH_PENDING) return EINPROGRESS;
  if (wait_.error != 0) drop_connection();
  return wait_.error;
}

// The next step, after a wait for something.
template <class Step>
void ConnectAttempt::go_on(Step step) {
  int error = ENOMEM;
  try {
    error = step();
  } catch (const std::bad_alloc&) {
  }
  if (error != EINPROGRESS) end(error);
}

void ConnectAttempt::on_resolved() {
  go_on([this] { return take_resolved(); });
}

void ConnectAttempt::on_connected() {
  if (wait_.error == 0 || wait_.error == ECANCELED) return end(wait_.error);
  drop_connection();
  ++next_;
  go_on([this] { return next_ < addresses_.size() ? try_from_next() : int{wait_.error}; });
}

void ConnectAttempt::on_clock() {
  if (clock_.error != 0) return end(clock_.error);
  if (Clock::now() >= end_) return end(ETIMEDOUT);
  if (connection_ != nullptr) {
    drop_connection();
    ++next_;
  }
  go_on([this] { return try_from_next(); });
}

void ConnectAttempt::set_clock(TimePoint when) {
  session_.drop_timer(clock_);
  clock_.duration = Duration(when - Clock::now()).count();
  session_.arm_timer(clock_);
}

void ConnectAttempt::drop_connection() {
  if (connection_ != nullptr) set_.close(*connection_);
  connection_ = nullptr;
}

ClientConnection* ConnectAttempt::take_connection() { return std::exchange(connection_, nullptr); }

void ConnectAttempt::end(int error) {
  berth_operation& operation = operation_;
  operation.error = error;
  operation.bytes.connected = error == 0 ? take_connection() : nullptr;
  set_.remove(*this);
  operation.complete(&operation);
}

}  // namespace berth
