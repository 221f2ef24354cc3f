#include "supervise/worker.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "serve/write_progress.hpp"

namespace berth {

namespace {

// What sessions have between being cancelled and being ended without asking.
constexpr Duration kGrace = std::chrono::seconds(1);

std::vector<int> numbers_of(const std::vector<ListeningSocket>& sockets) {
  std::vector<int> numbers;
  for (const ListeningSocket& socket : sockets) numbers.push_back(socket.number);
  return numbers;
}

std::unique_ptr<Admission> make_admission(EventLoop& loop, const SessionContext& sessions,
                                          WorkerBoard& board) {
  if (!Admission::restricts(sessions.settings)) return nullptr;
  return std::make_unique<Admission>(loop, sessions, board.denied);
}

}  // namespace

Duration send_timeout_for(const ListenerSettings& settings) {
  // An event loop looks at the clock itself.
  if (!find_model(settings.model)->blocking_sockets) return kUnlimited;
  return WriteProgress::interval(settings);
}

Worker::Worker(const ModelRow& model, SessionContext& sessions, Share share,
               std::vector<ListeningSocket> sockets, const Fd& channel, WorkerBoard& board)
    : sessions_(sessions),
      channel_(channel),
      board_(board),
      loop_(model.make_loop()),
      headers_(make_header_reader()),
      model_(model.make({.loop = *loop_,
                         .sessions = sessions_,
                         .max_connections = share.max_connections,
                         .listening_sockets = numbers_of(sockets),
                         .channel = channel_.get(),
                         .on_session_end = [this] { on_session_end(); },
                         .take_waiting = [this] { return take_waiting(); },
                         .close_copies = headers_ ? [this] { headers_->close_copies(); }
                                                  : std::function<void()>()})),
      send_timeout_(send_timeout_for(sessions_.settings)),
      sockets_(std::move(sockets)),
      admission_(make_admission(*loop_, sessions_, board_)),
      acceptor_(
          *loop_, sessions_.log,
          {.max_connections = share.max_connections,
           .often_full = share.max_connections == model.most_sessions(sessions_.settings),
           .blocking_sockets = model.blocking_sockets,
           .rate = share.rate,
           .admission = admission_.get(),
           .headers = headers_.get(),
           .in_loop = model_->serves_in_loop(),
           .takes_broadcasts = share.broadcasts},
          [this] { return open(); },
          [this](AcceptedConnection&& connection) { start_session(std::move(connection)); }),
      channel_watcher_([this] { on_channel(); }),
      heartbeat_(loop_->timers(), [this] { beat(); }),
      deadline_(loop_->timers(), [this] { on_deadline(); }),
      grace_(loop_->timers(), [this] { on_grace_end(); }) {
  channel_watcher_.start(loop_->demultiplexer(), channel_.get());
}

// After a drain. Threads of the model's may be about to take_waiting(), where they learn of it:
// they are gone before what belongs to the loop.
Worker::~Worker() { model_.reset(); }

std::unique_ptr<HeaderReader> Worker::make_header_reader() {
  if (!HeaderReader::is_needed(sessions_.settings)) return nullptr;
  return std::make_unique<HeaderReader>(
      *loop_, sessions_,
      [this](AcceptedConnection&& connection) { acceptor_.let_in(std::move(connection)); },
      [this] { on_session_end(); });
}

std::size_t Worker::open() const {
  return model_->sessions() + (headers_ ? headers_->waiting() : 0);
}

void Worker::run() {
  report(channel_.get(), FromWorker::ready);
  beat();
  try {
    loop_->run();
  } catch (const std::exception& fault) {
    report(channel_.get(), FromWorker::cannot_start, fault.what());
    std::_Exit(EXIT_FAILURE);
  }
  if (model_->sessions() == 0 && model_->at_rest()) return;
  // Stacks are in use: nothing of this process can be taken down in order any more.
  if (model_->sessions() > 0) {
    sessions_.log.warn("{} sessions did not end when cancelled: they end with the worker",
                       model_->sessions());
  }
  std::_Exit(EXIT_SUCCESS);
}

void Worker::on_channel() {
  Order order{};
  Fd log;
  switch (next_order(channel_.get(), order, log)) {
    case Heard::nothing:
      return;
    case Heard::message:
      return obey(order, std::move(log));
    case Heard::other_side_gone:
      channel_watcher_.stop();
      sessions_.log.error("the supervisor is gone: draining");
      drain(Acceptor::Queues::emptied, sessions_.settings.drain_timeout);
  }
}

void Worker::obey(Order order, Fd log) {
  switch (order.kind) {
    case ToWorker::serve:
      return serve();
    case ToWorker::drain:
      return drain(Acceptor::Queues::emptied, order.deadline);
    case ToWorker::hand_over:
      return drain(Acceptor::Queues::left, order.deadline);
    case ToWorker::log:
      sessions_.log.go_on_in(std::move(log));
      return model_->on_log_reopened();
  }
}

void Worker::serve() {
  std::vector<Acceptor::Socket> sockets;
  for (const auto& [number, scheme] : std::exchange(sockets_, {})) {
    if (is_datagram(scheme)) {
      sockets.push_back({Fd(number), scheme});
      continue;
    }
    set_send_timeout(number, send_timeout_);
    set_receive_timeout(number, kUnlimited);  // whoever made it may have set one
    // Those that joined others at their address have not listened before; to the rest this only
    // tells the backlog, which may be another one now.
    if (::listen(number, sessions_.settings.backlog) != 0) {
      throw std::system_error(errno, std::generic_category(), "cannot listen");
    }
    sockets.push_back({Fd(number), scheme});
  }
  acceptor_.listen(std::move(sockets), send_timeout_);
}

void Worker::start_session(AcceptedConnection&& connection) {
  // Before it starts, since its handler may crash at once.
  board_.accepted = acceptor_.accepted();
  board_.open = open() + 1;
  model_->start(std::move(connection));
}

void Worker::count_open() { board_.open = open(); }

void Worker::beat() {
  report(channel_.get(), FromWorker::alive);
  count_open();  // a model need not tell of each session that is over, while there is room
  heartbeat_.arm(after(loop_->now(), sessions_.settings.heartbeat_timeout / 4));
}

void Worker::drain(Acceptor::Queues queues, Duration deadline) {
  if (draining_) return;
  acceptor_.close(queues);
  draining_ = true;  // only now: sessions that end at once leave others that were just accepted
  model_->begin_drain();
  if (open() == 0) return loop_->stop();
  sessions_.log.info("draining: {} connections", open());
  deadline_.arm(after(loop_->now(), deadline));
}

void Worker::on_deadline() {
  sessions_.log.warn("drain_timeout has passed: ending {} connections", open());
  if (headers_) headers_->close_all();
  model_->cancel_sessions();
  if (open() == 0) return loop_->stop();
  grace_.arm(after(loop_->now(), kGrace));
}

void Worker::on_grace_end() {
  if (killed_) return loop_->stop();
  killed_ = true;
  model_->kill_sessions();
  grace_.arm(after(loop_->now(), kGrace));
}

void Worker::on_session_end() {
  count_open();
  if (!draining_) return acceptor_.on_session_end();
  if (open() == 0) loop_->stop();
}

Taken Worker::take_waiting() {
  if (sessions_.stop.draining()) return Taken::not_now;
  count_open();
  return acceptor_.take_waiting();
}

}  // namespace berth
