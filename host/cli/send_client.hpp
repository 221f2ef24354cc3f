// One client of `berth send`: connects, sends its words one after the other, each when the one
// before it was answered. A state machine without timers, waiting or output of its own: it says
// what it waits for, its driver (send_all.cpp) says what came and what time it is. So its rules
// about time can be tested without waiting.
//
// TCP knows no messages, and the client does not know the handler's protocol: when a reply is over
// has to be guessed from its length and from silence.
//  - As many bytes as the word had are there, and nothing more came for a moment: complete. Every
//    reply of an echo is at least that long, so a split one is never taken for two.
//  - Fewer are there, and nothing more came for a second: complete as well (other handlers).
//  - The server has closed: what is there is complete.
// What comes after the last reply, until the server closes, counts as further replies.
//
// Over UDP and Unix sockets of datagrams there is no guessing: each word is one, and so is each
// reply. Where none comes within the timeout, one of the two was lost.
#pragma once

#include <poll.h>

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/fd.hpp"
#include "net/address.hpp"

namespace berth {

// What each client is to do. Words are not empty but for datagrams: in a stream an empty message is
// nothing at all.
struct SendPlan {
  std::string target;                    // as messages name it: tcp://localhost:50007
  std::vector<SocketAddress> addresses;  // tried in this order until one accepts
  std::vector<std::string> words;
  std::size_t clients = 1;
  Duration timeout = std::chrono::seconds(30);
};

class SendClient {
 public:
  using OnReply = std::function<void(std::string_view reply)>;

  // `plan` outlives the client. `on_reply` is called from within on_ready and on_deadline.
  SendClient(const SendPlan& plan, OnReply on_reply);

  void start(TimePoint now);
  // While not finished: what to wait for, and until when.
  [[nodiscard]] pollfd interest() const;
  [[nodiscard]] TimePoint deadline() const;
  // poll(2) has reported something for interest().
  void on_ready(TimePoint now);
  // deadline() has passed and poll(2) has reported nothing.
  void on_deadline(TimePoint now);

  [[nodiscard]] bool finished() const { return state_ == State::finished; }
  // Words that were answered.
  [[nodiscard]] std::size_t answered() const { return answered_; }
  // Why not every word was; empty if every one was.
  [[nodiscard]] const std::string& failure() const { return failure_; }

 private:
  enum class State { connecting, exchanging, draining, finished };

  void connect_to_next(TimePoint now, int error_of_last);
  void on_connected(TimePoint now);
  void begin_word(TimePoint now);
  void send_more(TimePoint now);
  void receive_more(TimePoint now);
  void on_received(std::string_view bytes, TimePoint now);
  void on_datagram(std::string_view bytes, TimePoint now);
  void on_error(int errno_value, TimePoint now);
  void on_end();
  void complete_reply(TimePoint now);
  void close_for_sending();
  void hand_on_reply();
  void finish(std::string failure);

  [[nodiscard]] const std::string& word() const { return plan_.words[answered_]; }
  [[nodiscard]] bool sends_datagrams() const { return address_.is_datagram(); }
  [[nodiscard]] bool is_sending() const { return state_ == State::exchanging && !word_is_sent_; }
  [[nodiscard]] std::string progress() const;

  const SendPlan& plan_;
  OnReply on_reply_;
  State state_ = State::connecting;
  Fd socket_;
  SocketAddress address_;  // the one it is for
  std::size_t next_address_ = 0;
  TimePoint connect_started_;
  TimePoint connect_deadline_;  // of the address being tried

  std::size_t sent_ = 0;  // bytes of the word
  bool word_is_sent_ = false;
  std::string reply_;  // what has come of it so far
  std::size_t answered_ = 0;
  TimePoint last_progress_;      // when a byte last moved either way
  TimePoint long_enough_since_;  // when the reply became as long as the word
  Duration moment_{};            // of silence, after which a long enough reply is complete
  bool closed_for_sending_ = false;
  std::string failure_;
};

}  // namespace berth
