// `prefork`: processes that wait for connections, so that no client waits for a fork. One that is
// through with a connection takes the next, until it has served `connections_per_process`.
//
// The worker hands a connection over on a socket pair that it has with each process, and a byte
// comes back when its session is over. The end of file is the end of the other side, for both.
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <new>

#include "base/signal_name.hpp"
#include "model/fork.hpp"
#include "model/rows.hpp"
#include "serve/datagram_receiver.hpp"

namespace berth {

namespace {

// How often to look for processes that are not needed any more, and how long to wait where none
// can be made or where they end by themselves.
constexpr Duration kLookInterval = std::chrono::seconds(10);
constexpr Duration kPause = std::chrono::milliseconds(100);

// What a process is told of a connection, beside its descriptor.
struct Handover {
  Peer peer;
  std::uint64_t id = 0;
  TimePoint accepted;
  Scheme scheme = Scheme::tcp;
  bool is_proxied = false;
  Proxied proxied{};
};

// A message of these bytes, and of a datagram with what stands on it, with one descriptor.
class Message {
 public:
  Message() {
    header_.msg_iov = pieces_.data();
    header_.msg_iovlen = 1;
    header_.msg_control = control_.data();
    header_.msg_controllen = control_.size();
  }
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;

  static constexpr std::size_t kLongest = DatagramReceiver::kRoom;

  [[nodiscard]] bool send(int channel, const AcceptedConnection& connection) {
    content_ = {connection.peer, connection.id, connection.accepted, connection.scheme};
    content_.is_proxied = connection.proxied != nullptr;
    if (content_.is_proxied) content_.proxied = *connection.proxied;
    const DatagramLayer* const datagram = connection.datagram.get();
    std::size_t size = sizeof content_;
    if (datagram != nullptr) {
      const std::string_view bytes = datagram->bytes();
      envelope_ = datagram->envelope();
      add_datagram(const_cast<char*>(bytes.data()), bytes.size());  // it is only read
      size += sizeof envelope_ + bytes.size();
    }
    cmsghdr* const head = CMSG_FIRSTHDR(&header_);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int));
    const int socket = datagram != nullptr ? datagram->socket().number() : connection.socket.get();
    std::memcpy(CMSG_DATA(head), &socket, sizeof socket);
    return ::sendmsg(channel, &header_, MSG_NOSIGNAL | MSG_DONTWAIT) == static_cast<ssize_t>(size);
  }

  // Waits for one. Nothing where the other side is gone. `room` is for kLongest bytes.
  [[nodiscard]] std::optional<AcceptedConnection> receive(int channel, char* room) {
    add_datagram(room, kLongest);
    ssize_t size = 0;
    do {
      size = ::recvmsg(channel, &header_, MSG_CMSG_CLOEXEC);
    } while (size < 0 && errno == EINTR);
    const cmsghdr* const head = CMSG_FIRSTHDR(&header_);
    if (size < static_cast<ssize_t>(sizeof content_) || head == nullptr) return std::nullopt;
    int number = -1;
    std::memcpy(&number, CMSG_DATA(head), sizeof number);
    Fd socket(number);
    AcceptedConnection accepted;
    accepted.peer = content_.peer;
    accepted.id = content_.id;
    accepted.accepted = content_.accepted;
    accepted.scheme = content_.scheme;
    if (content_.is_proxied) accepted.proxied = std::make_unique<Proxied>(content_.proxied);
    if (!is_datagram(content_.scheme)) {
      accepted.socket = std::move(socket);
      return accepted;
    }
    const std::size_t length = static_cast<std::size_t>(size) - sizeof content_ - sizeof envelope_;
    accepted.datagram = DatagramLayer::make(std::make_shared<DatagramSocket>(std::move(socket)),
                                            envelope_, std::string_view(room, length));
    return accepted;
  }

 private:
  void add_datagram(char* bytes, std::size_t size) {
    pieces_[1] = {&envelope_, sizeof envelope_};
    pieces_[2] = {bytes, size};
    header_.msg_iovlen = 3;
  }

  Handover content_;
  Envelope envelope_;
  std::array<iovec, 3> pieces_ = {{{&content_, sizeof content_}, {}, {}}};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control_{};
  msghdr header_{};
};

class PreforkModel final : public ForkModel {
 public:
  explicit PreforkModel(ModelContext context);
  ~PreforkModel() override;
  void begin_drain() override;
  // No further connection comes to the processes that are there.
  void on_log_reopened() override;

 private:
  // The worker's side of a process.
  struct Process final : Watcher {
    Process(PreforkModel& owner, SlotIndex slot) : model(owner), index(slot) {}
    void on_ready() override { model.on_message(*this); }

    PreforkModel& model;
    SlotIndex index;
    unsigned since = 0;  // how often the log had been reopened when it was started
    Fd channel;
    Fd other_end;  // until the process has it
    Watch watch;
  };

  [[nodiscard]] bool keeps_processes() const override { return true; }
  [[nodiscard]] bool prepare_process(SlotIndex index) override;
  [[nodiscard]] bool watch_process(SlotIndex index, pid_t pid) override;
  void leave_worker(SlotIndex index) override;
  [[nodiscard]] std::optional<AcceptedConnection> next_connection(unsigned served) override;
  [[nodiscard]] bool give_to_ready(AcceptedConnection& accepted) override;
  void on_process_gone(SlotIndex index, int signal) override;

  [[nodiscard]] bool has_channel(SlotIndex index) const {
    return index < processes_.size() && processes_[index] && processes_[index]->channel;
  }
  void on_message(Process& process);
  void let_go(Process& process);
  void let_all_go();
  void refill();
  void let_idle_go();

  std::vector<std::unique_ptr<Process>> processes_;  // by slot
  std::vector<SlotIndex> ready_;                     // the last to become so is the first to serve
  unsigned logs_reopened_ = 0;
  std::size_t fewest_ready_ = 0;  // since it was last looked
  CallTimer refill_;
  CallTimer look_;
  // In a process: its end of the channel, and where datagrams come to, of which no page is touched
  // until one does.
  Fd in_process_;
  std::unique_ptr<char[]> room_;
};

PreforkModel::PreforkModel(ModelContext context)
    : ForkModel(std::move(context)),
      refill_(context_.loop.timers(), [this] { refill(); }),
      look_(context_.loop.timers(), [this] { let_idle_go(); }) {
  refill();  // at once, so that whoever is told that the worker is ready finds them
  look_.arm(after(context_.loop.now(), kLookInterval));
}

// Only processes without a connection are left by now: a worker with sessions ends with _exit().
PreforkModel::~PreforkModel() {
  let_all_go();
  while (::waitpid(-1, nullptr, 0) > 0) {
  }
}

// Where no descriptor is left for a channel a process serves its first connection, and ends.
bool PreforkModel::prepare_process(SlotIndex index) {
  try {
    if (index >= processes_.size()) processes_.resize(index + 1);
    if (!processes_[index]) processes_[index] = std::make_unique<Process>(*this, index);
    ready_.reserve(processes_.size());
  } catch (const std::bad_alloc&) {
    errno = ENOMEM;
    return false;
  }
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) return false;
  processes_[index]->since = logs_reopened_;
  processes_[index]->channel = Fd(ends[0]);
  processes_[index]->other_end = Fd(ends[1]);
  return true;
}

bool PreforkModel::watch_process(SlotIndex index, pid_t) {
  if (!has_channel(index)) return true;
  Process& process = *processes_[index];
  process.other_end.reset();
  return process.watch.start(context_.loop.demultiplexer(), process.channel.get(), process);
}

// A process that had the worker's end of another's channel would keep that one waiting for ever.
void PreforkModel::leave_worker(SlotIndex index) {
  if (has_channel(index)) in_process_ = std::move(processes_[index]->other_end);
  for (const auto& process : processes_) {
    if (process) process->channel.reset();
  }
}

std::optional<AcceptedConnection> PreforkModel::next_connection(unsigned served) {
  if (served > 0) {  // which is told; but by the end of the process if this was the last
    const bool last = served == context_.sessions.settings.connections_per_process;
    if (last || !in_process_) return std::nullopt;
    if (::send(in_process_.get(), "", 1, MSG_NOSIGNAL) != 1) return std::nullopt;
  }
  if (!room_) room_.reset(new char[Message::kLongest]);
  return Message().receive(in_process_.get(), room_.get());
}

bool PreforkModel::give_to_ready(AcceptedConnection& accepted) {
  while (!ready_.empty()) {
    const SlotIndex index = ready_.back();
    ready_.pop_back();
    begin_session(index, accepted);
    if (Message().send(processes_[index]->channel.get(), accepted)) {
      accepted.socket.reset();
      fewest_ready_ = std::min(fewest_ready_, ready_.size());
      if (ready_.size() < context_.sessions.settings.spare) refill_.arm(context_.loop.now());
      return true;
    }
    const bool has_ended = errno == EPIPE || errno == ECONNRESET;
    undo_session(index);
    if (has_ended) continue;  // its end is still to be noticed
    ready_.push_back(index);  // the system will not pass so long a datagram on
    break;
  }
  fewest_ready_ = 0;
  refill_.arm(context_.loop.now());
  return false;
}

void PreforkModel::on_message(Process& process) {
  char byte = 0;
  const ssize_t count = ::recv(process.channel.get(), &byte, 1, MSG_DONTWAIT);
  if (count < 0 && errno == EAGAIN) return;
  if (count <= 0) return process.watch.stop();  // it has ended: on_process_gone() is to come
  const bool is_old = process.since != logs_reopened_;
  if (is_old || was_told_to_end(process.index) || context_.sessions.stop.draining()) {
    let_go(process);
  } else {
    ready_.push_back(process.index);  // first, since whoever waits for room comes at once
  }
  end_session(process.index);
}

// It ends when it finds its channel closed.
void PreforkModel::let_go(Process& process) {
  std::erase(ready_, process.index);
  process.watch.stop();
  process.channel.reset();
}

void PreforkModel::let_all_go() {
  while (!ready_.empty()) let_go(*processes_[ready_.back()]);
}

void PreforkModel::begin_drain() {
  ProcessModel::begin_drain();
  let_all_go();
  refill_.disarm();
  look_.disarm();
}

void PreforkModel::on_log_reopened() {
  ++logs_reopened_;
  let_all_go();
  fewest_ready_ = 0;
  refill_.arm(context_.loop.now());
}

void PreforkModel::on_process_gone(SlotIndex index, int signal) {
  const bool was_ready = std::count(ready_.begin(), ready_.end(), index) > 0;
  if (has_channel(index)) let_go(*processes_[index]);
  if (!was_ready) return;
  context_.sessions.log.warn("a process that waited for a connection has {}",
                             signal != 0 ? "been killed by " + signal_name(signal) : "ended");
  if (!context_.sessions.stop.draining()) refill_.arm(after(context_.loop.now(), kPause));
}

void PreforkModel::refill() {
  if (context_.sessions.stop.draining()) return;
  while (ready_.size() < context_.sessions.settings.spare &&
         sessions() + ready_.size() < context_.max_connections) {
    SlotIndex index = 0;
    if (!start_ready(index)) return refill_.arm(after(context_.loop.now(), kPause));
    ready_.push_back(index);
  }
}

// Those that nobody has needed since it was last looked, beyond the spare ones.
void PreforkModel::let_idle_go() {
  look_.arm(after(context_.loop.now(), kLookInterval));
  const std::size_t spare = context_.sessions.settings.spare;
  for (std::size_t i = spare; i < fewest_ready_; ++i) let_go(*processes_[ready_.front()]);
  fewest_ready_ = ready_.size();
}

constexpr std::string_view kKeys[] = {"spare", "connections_per_process"};

std::optional<std::string> objection_to(const ListenerSettings& settings) {
  if (settings.resources.cpu_time.count() == 0 || settings.connections_per_process == 1) return {};
  return "'resources: cpu_time' would count for all connections of a process together; say "
         "'connections_per_process: 1' too, or use model fork";
}

}  // namespace

const ModelRow kPreforkModel = {
    .name = "prefork",
    .summary = "processes that wait for connections (`spare` of them), each with one at a time",
    .isolates =
        "every connection: a crash ends the one it happened in; what leaks stays until its\n"
        "            process ends, after `connections_per_process`",
    .shares = "nothing between processes; a process takes its state along to its next connection",
    .costs = "as fork, but for the fork; and the memory of the processes that wait",
    .choose = "as fork, where connections are short and many",
    .blocking_sockets = true,
    .process_per_session = true,
    .descriptors_per_connection = 1,
    .keys = kKeys,
    .most_sessions = any_number,
    .make_loop = make_epoll_loop,
    .make = [](ModelContext context) -> std::unique_ptr<Model> {
      return std::make_unique<PreforkModel>(std::move(context));
    },
    .objection = objection_to,
};

}  // namespace berth
