// Hands each client on to one of several servers, byte for byte, both ways.
#include <berth/handler.hpp>

#include <optional>
#include <string>
#include <vector>

#include "upstreams.hpp"

using namespace std::chrono_literals;

struct Proxy {
  std::vector<std::string> addresses;
  std::chrono::nanoseconds connect_timeout = 5s;
  std::chrono::nanoseconds retry_after = 10s;

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
  }

  void prepare() { upstreams_.emplace(addresses, retry_after); }

  berth::Task<> serve(berth::Connection client) const {
    auto upstream = co_await connect(client);
    if (!upstream) co_return;
    co_await berth::when_all(pass_on(client, *upstream), pass_on(*upstream, client));
  }

 private:
  // What `from` sends goes to `to`, and so does its end: each side can end for itself. If one of
  // them is lost the task that reads from `to` has nothing more to do either.
  static berth::Task<> pass_on(berth::Connection from, berth::Connection to) {
    try {
      while (auto bytes = co_await from.read()) co_await to.write(*bytes);
      to.close_write();
    } catch (const berth::ConnectionLost&) {
      to.close_read();
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
        if (upstreams_->note_failure(index)) {
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
