// TLS as a layer: over a wire that takes and gives what the test says.
#include "serve/tls_layer.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "certificates.hpp"
#include "net/tls_client.hpp"
#include "net/tls_server.hpp"

namespace berth {
namespace {

// As under an event loop: what cannot be sent at once waits until the test says that it is sent.
class TestWire final : public Wire {
 public:
  std::string in, out;  // as the layer sees it
  bool ended = false;   // after `in`
  std::size_t room = 1 << 20;
  bool cancelled = false;

  ssize_t receive(Lent& bytes) override {
    if (in.empty()) return ended ? 0 : kNotYet;
    bytes = buffers_.take();
    const std::size_t count = in.copy(bytes.get(), BufferPool::kBufferSize);
    in.erase(0, count);
    return static_cast<ssize_t>(count);
  }
  ssize_t send(Pieces pieces) override {
    const std::size_t count = std::min(room, pieces.front().size);
    if (count == 0) return kNotYet;
    out.append(pieces.front().data, count);
    room -= count;
    return static_cast<ssize_t>(count);
  }
  void cancel_send() override { cancelled = true; }
  Lent take_buffer() override { return buffers_.take(); }

 private:
  BufferPool buffers_;
};

TlsContext server_context() {
  const certificates::Issued issued = certificates::Authority("Authority").issue();
  TlsSettings settings;
  settings.certificate = {"own.pem", {}, Secret(issued.certificate)};
  settings.key = {"own.key", {}, Secret(issued.key)};
  return std::move(make_server_context(settings).value());
}

TlsContext client_context() {
  TlsClientSettings anybody;
  anybody.verify = false;
  return std::move(make_client_context(anybody).value());
}

// The layer of a server and a client that talks to it, hands shaken.
struct Talk : private TlsTransport {
  Talk() {
    ssize_t opened = kNotYet;
    for (int rounds = 0; rounds < 4; ++rounds) {
      (void)client.handshake();
      pass_on();
      opened = layer.open(wire);
    }
    REQUIRE(opened == 0);
    std::string ignored(1, ' ');
    std::size_t count = 0;
    REQUIRE(client.read(ignored.data(), 1, count) == TlsSession::Step::wants_input);
  }
  std::size_t take_in(char* to, std::size_t most) override {
    const std::size_t count = wire.out.copy(to, most);
    wire.out.erase(0, count);
    return count;
  }
  void give_out(std::string_view bytes) override { sent += bytes; }
  // What the client says arrives when it is passed on.
  void pass_on() { wire.in += std::exchange(sent, {}); }

  // All that has come to the client; `ended` where that is the end.
  std::string heard(bool* ended = nullptr) {
    std::string all(1 << 20, '\0');
    std::size_t filled = 0, count = 0;
    TlsSession::Step step;
    while ((step = client.read(all.data() + filled, all.size() - filled, count)) ==
           TlsSession::Step::done) {
      filled += count;
    }
    if (ended != nullptr) *ended = step == TlsSession::Step::ended;
    return all.substr(0, filled);
  }
  ssize_t send(std::string_view text) {
    const berth_bytes piece = {text.data(), text.size()};
    return layer.send(wire, {&piece, 1});
  }
  std::string receive() {
    Lent bytes;
    last = layer.receive(wire, bytes);
    return last > 0 ? std::string(bytes.get(), static_cast<std::size_t>(last)) : "";
  }

  TestWire wire;
  std::string sent;
  ssize_t last = 0;
  TlsContext for_server = server_context(), for_client = client_context();
  TlsLayer layer{for_server};
  TlsSession client{for_client, *this};
};

TEST_CASE("several records that come at once are read at once, and nothing is left of them") {
  Talk talk;
  for (const char* const word : {"spam, ", "eggs, ", "ham"}) {
    REQUIRE(talk.client.write(word) == TlsSession::Step::done);
  }
  talk.pass_on();
  CHECK(talk.receive() == "spam, eggs, ham");
  CHECK_FALSE(talk.layer.has_input());
  CHECK(talk.receive() == "");
  CHECK(talk.last == kNotYet);
}

TEST_CASE("what there was no room for is told to be there, and the rest of a record is not") {
  Talk talk;
  const std::string large(100'000, 'x');
  REQUIRE(talk.client.write(large) == TlsSession::Step::done);
  const std::string all = std::exchange(talk.sent, {});
  std::string got;
  // In pieces that end within records.
  for (std::size_t at = 0; at < all.size(); at += 30'000) {
    talk.wire.in = all.substr(at, 30'000);
    do got += talk.receive();
    while (talk.last > 0 && talk.layer.has_input());
    CHECK(talk.wire.in.empty());
    CHECK_FALSE(talk.layer.has_input());
  }
  CHECK((got == large));
}

TEST_CASE("the end comes after what was said before it, and needs no input to be told") {
  Talk talk;
  REQUIRE(talk.client.write("last words") == TlsSession::Step::done);
  talk.client.close_write();
  talk.pass_on();
  CHECK(talk.receive() == "last words");
  CHECK(talk.layer.has_input());
  CHECK(talk.receive() == "");
  CHECK(talk.last == 0);
  // The other way is still open.
  CHECK(talk.send("and mine") == 8);
  CHECK(talk.layer.has_last_word());
  CHECK(talk.layer.half_close(talk.wire) == 0);
  bool ended = false;
  CHECK(talk.heard(&ended) == "and mine");
  CHECK(ended);
}

TEST_CASE("a stream without close_notify fails, and the layer's own end is told all the same") {
  Talk talk;
  talk.wire.ended = true;
  CHECK(talk.receive() == "");
  CHECK(talk.last == -EPROTO);
  CHECK(talk.layer.failure() == TlsFailure::of_cut_off());
  CHECK(talk.layer.half_close(talk.wire) == 0);
  bool ended = false;
  CHECK(talk.heard(&ended) == "");
  CHECK(ended);
}

TEST_CASE("a write is told to be sent once its last byte is, and its memory is not needed again") {
  Talk talk;
  std::string text(50'000, 'y');
  talk.wire.room = 1000;
  CHECK(talk.send(text) == kNotYet);
  std::fill(text.begin(), text.end(), 'n');  // only what is asked for again is looked at again
  talk.wire.room = 10'000;
  CHECK(talk.send(text) == kNotYet);
  talk.wire.room = 1 << 20;
  CHECK(talk.send(text) == 50'000);
  CHECK((talk.heard() == std::string(50'000, 'y')));
}

TEST_CASE("many small pieces share records, and large writes are taken piece by piece") {
  Talk talk;
  const std::vector<berth_bytes> pieces(1000, {"0123456789", 10});
  CHECK(talk.layer.send(talk.wire, pieces) == 10'000);
  CHECK(talk.wire.out.size() < 10'100);
  CHECK(talk.heard().size() == 10'000);
  const std::string large(1'000'000, 'z');
  std::size_t done = 0;
  while (done < large.size()) {
    const ssize_t count = talk.send(std::string_view(large).substr(done));
    REQUIRE(count > 0);
    done += static_cast<std::size_t>(count);
    CHECK(talk.heard().size() == static_cast<std::size_t>(count));
  }
}

TEST_CASE("after a write was given up in the midst of a record nothing is sent any more") {
  Talk talk;
  talk.wire.room = 1000;
  CHECK(talk.send(std::string(5000, 'y')) == kNotYet);
  talk.layer.cancel_send(talk.wire);
  CHECK(talk.wire.cancelled);
  talk.wire.room = 1 << 20;
  const std::string before = talk.wire.out;
  CHECK(talk.send("x") < 0);
  CHECK_FALSE(talk.layer.has_last_word());
  CHECK(talk.layer.half_close(talk.wire) == 0);
  CHECK(talk.wire.out == before);
}

TEST_CASE("the last word waits for room") {
  Talk talk;
  talk.wire.room = 0;
  CHECK(talk.layer.half_close(talk.wire) == kNotYet);
  talk.wire.room = 5;
  CHECK(talk.layer.half_close(talk.wire) == kNotYet);
  talk.wire.room = 1000;
  CHECK(talk.layer.half_close(talk.wire) == 0);
  bool ended = false;
  CHECK(talk.heard(&ended) == "");
  CHECK(ended);
}

}  // namespace
}  // namespace berth
