#include "model/loop_model.hpp"

#include <cerrno>
#include <cstring>
#include <new>
#include <string>
#include <vector>

#include "base/format.hpp"

namespace berth {

LoopModel::LoopModel(ModelContext context)
    : LoopConnection::Owner(context.loop, background_),
      context_(std::move(context)),
      background_(context_.loop.demultiplexer(), LoopConnection::on_call_end),
      idle_(context_.loop.timers(), [this] { end_silent(); }),
      look_for_stuck_(context_.loop.timers(), [this] { end_stuck(); }),
      end_of_oldest_(context_.loop.timers(), [this] { end_old(); }) {
  limits_writes = WriteProgress::interval(context_.sessions.settings) != kUnlimited;
  context_.loop.watch_turns([this](Duration length) { on_long_turn(length); });
}

LoopModel::~LoopModel() { context_.loop.watch_turns(nullptr); }

void LoopModel::start(AcceptedConnection&& accepted) {
  SessionContext& sessions = context_.sessions;
  const std::uint64_t id = accepted.id;
  LoopConnection::Owner& owner = *this;
  LoopConnection& connection = connections_.emplace_back(sessions, std::move(accepted), owner);
  connection.place = std::prev(connections_.end());
  connection.last_active = context_.loop.now();
  if (sessions.settings.session_timeout != kUnlimited) limit_life(connection);
  int error = ENOMEM;
  try {
    if (connection.start()) return;  // it may be over already
    error = errno;
  } catch (const std::bad_alloc&) {
  }
  sessions.log.error("connection {} is closed: it cannot be watched: {}", id, std::strerror(error));
  over(connection);
}

void LoopModel::limit_life(LoopConnection& connection) {
  const SessionReport& report = connection.report();
  try {
    by_age_.emplace_hint(by_age_.end(), report.id, &connection);
  } catch (const std::bad_alloc&) {
    connections_.erase(connection.place);
    throw;
  }
  const TimePoint end = end_of_session(context_.sessions.settings, report.accepted);
  if (!end_of_oldest_.armed()) end_of_oldest_.arm(end);
}

void LoopModel::moved(LoopConnection& connection) {
  connection.last_active = context_.loop.now();
  connections_.splice(connections_.end(), connections_, connection.place);
  const Duration limit = context_.sessions.settings.idle_timeout;
  if (!idle_.armed() && limit != kUnlimited) idle_.arm(after(connection.last_active, limit));
}

void LoopModel::over(LoopConnection& connection) {
  const SessionReport report = connection.report();
  if (!by_age_.empty()) by_age_.erase(report.id);
  if (!stuck_.empty()) stuck_.erase(&connection);
  connections_.erase(connection.place);  // what the log says has ended is closed
  on_session_over(context_.sessions, report);
  context_.on_session_end();
}

void LoopModel::end_silent() {
  const Duration limit = context_.sessions.settings.idle_timeout;
  const TimePoint now = context_.loop.now();
  while (!connections_.empty()) {
    LoopConnection& first = connections_.front();
    const TimePoint due = after(first.last_active, limit);
    if (due > now) return idle_.arm(due);
    // It goes to the end of the list, or away.
    first.waits_for_client() ? first.end(ETIMEDOUT, SessionLimit::idle) : moved(first);
  }
}

void LoopModel::write_waits() {
  if (look_for_stuck_.armed()) return;
  const Duration interval = WriteProgress::interval(context_.sessions.settings);
  look_for_stuck_.arm(after(context_.loop.now(), interval));
}

void LoopModel::end_stuck() {
  const Duration limit = context_.sessions.settings.write_timeout;
  const TimePoint now = context_.loop.now();
  std::vector<LoopConnection*> taking, too_long;
  for (LoopConnection& connection : connections_) {
    if (!connection.writing()) {
      if (!stuck_.empty()) stuck_.erase(&connection);
      continue;
    }
    write_waits();
    const std::uint64_t sent = connection.report().bytes_out;
    const Duration stuck = stuck_[&connection].stuck_for_now(connection.socket(), sent, now);
    if (stuck == Duration::zero()) taking.push_back(&connection);
    if (stuck >= limit) too_long.push_back(&connection);
  }
  for (LoopConnection* connection : taking) moved(*connection);
  for (LoopConnection* connection : too_long) connection->end(ETIMEDOUT, SessionLimit::write);
}

void LoopModel::end_old() {
  while (!by_age_.empty()) {
    LoopConnection& oldest = *by_age_.begin()->second;
    const TimePoint end = end_of_session(context_.sessions.settings, oldest.report().accepted);
    if (end > context_.loop.now()) return end_of_oldest_.arm(end);
    by_age_.erase(by_age_.begin());  // it may go on for a while, if only for a call in background
    oldest.end(ECANCELED);
  }
}

void LoopModel::on_long_turn(Duration length) {
  const auto notice = hold_ups_.note(context_.loop.now() + length, length);
  if (!notice) return;
  const auto milliseconds = [](Duration duration) {
    return duration / std::chrono::milliseconds(1);
  };
  std::string others;
  if (notice->times > 1) {
    others = formatted(" ({} times in the last {}s, the longest {} ms)", notice->times,
                       notice->since / std::chrono::seconds(1), milliseconds(notice->longest));
  }
  context_.sessions.log.warn(
      "handler '{}' held the event loop up for {} ms{}: use co_await connection.in_background(f) "
      "for work that blocks",
      context_.sessions.settings.handler, milliseconds(notice->length), others);
}

template <class Call>
void LoopModel::for_each(Call call) {
  // A call may move the connection within the list or end it, but no other.
  std::vector<LoopConnection*> all;
  for (LoopConnection& connection : connections_) all.push_back(&connection);
  for (LoopConnection* connection : all) call(*connection);
}

void LoopModel::begin_drain() {
  context_.sessions.stop.drain();
  for_each([](LoopConnection& connection) { connection.begin_drain(); });
}

void LoopModel::cancel_sessions() {
  for_each([](LoopConnection& connection) { connection.end(ECANCELED); });
  background_.cancel_waiting();
}

}  // namespace berth
