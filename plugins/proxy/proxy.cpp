// Hands each client on to one of several servers, byte for byte, both ways.
#include <berth/handler.hpp>

#include <cerrno>
#include <optional>
#include <string>
#include <vector>

#include "upstreams.hpp"

using namespace std::chrono_literals;

namespace {

// What says nothing of the server: another one would fare no better.
bool is_of_this_process(int error) {
  return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS ||
         error == ENOSPC;
}

}  // namespace

struct Proxy {
  std::vector<std::string> addresses;
  std::chrono::nanoseconds connect_timeout = 5s;
  std::chrono::nanoseconds retry_after = 10s;
  std::chrono::nanoseconds finish_timeout = 10min;

  static void describe(berth::Description<Proxy>& is) {
    is.name("proxy").summary("Hands each client on to one of several servers.");
    is.option("upstream", &Proxy::addresses,
              "the servers, which take turns: tcp://HOST:PORT, unix:///PATH or unix://@NAME")
        .required();
    is.option("connect_timeout", &Proxy::connect_timeout,
              "how long one of them may take to accept; then the next is tried")
        .range(1ms, 1h);
    is.option("retry_after", &Proxy::retry_after,
              "how long one that has failed is tried only after the others")
        .range(1s, 24h);
    is.option("finish_timeout", &Proxy::finish_timeout,
              "how long a server may be silent once its client has finished; 0: no limit")
        .range(0s, 24h);
  }

  void check() const { check_upstreams(addresses); }
  void prepare() { upstreams_.emplace(addresses, retry_after); }

  berth::Task<> serve(berth::Connection client) const {
    auto upstream = co_await connect(client);
    if (!upstream) co_return;
    Way there{client, *upstream};
    Way back{*upstream, client, {.within = finish_timeout}};
    co_await berth::when_all(pass_on(there, back), pass_on(back, there));
  }

 private:
  // One of the two directions.
  struct Way {
    berth::Connection from, to;
    berth::ReadOptions options{};
    bool over = false;
  };

  // What comes goes on, and so does the end: each side can end for itself. If one of them is lost
  // there is nothing more to do in the other direction either.
  static berth::Task<> pass_on(Way& way, const Way& back) {
    try {
      for (;;) {
        const bool is_last = back.over;
        std::optional<std::string_view> bytes;
        try {
          bytes = co_await way.from.read(way.options);
        } catch (const berth::ConnectionLost& lost) {
          if (!lost.timed_out() || is_last) throw;
          continue;  // the listener's idle_timeout is for a client that has not finished
        }
        if (!bytes) break;
        co_await way.to.write(*bytes);
      }
      way.to.close_write();
      way.over = true;
    } catch (const berth::ConnectionLost&) {
      way.to.close_read();
      way.from.close_write();
      throw;
    }
  }

  // To the first that accepts; nothing where none does.
  berth::Task<std::optional<berth::ClientConnection>> connect(berth::Connection client) const {
    std::string failures;
    for (const std::size_t index : upstreams_->order(client.id())) {
      const std::string& address = upstreams_->address(index);
      try {
        auto upstream = co_await client.connect(address, {.within = connect_timeout});
        if (upstreams_->note_success(index)) {
          client.log(berth::Level::info, "upstream " + address + " is back");
        }
        co_return upstream;
      } catch (const berth::ConnectFailed& failed) {
        const std::string failure = address + ": " + failed.reason();
        if (!is_of_this_process(failed.code().value()) && upstreams_->note_failure(index)) {
          client.log(berth::Level::warn, "upstream " + failure);
        }
        failures += (failures.empty() ? "" : "; ") + failure;
      }
    }
    if (upstreams_->may_complain()) {
      client.log(berth::Level::warn, "closed, since no upstream accepts it: " + failures);
    }
    co_return std::nullopt;
  }

  std::optional<Upstreams> upstreams_;
};
BERTH_HANDLER(Proxy)
