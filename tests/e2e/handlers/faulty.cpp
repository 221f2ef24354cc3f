// Sends back what it receives, but for the words that make it fail, at once or after "background"
// there; and every so many connections it crashes by itself.
#include <berth/handler.hpp>

#include <sys/mman.h>
#include <sys/socket.h>

#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <vector>

struct Faulty {
  unsigned crash_every = 0;
  bool refuse = false;

  static void describe(berth::Description<Faulty>& is) {
    is.name("faulty").summary("Fails on demand.");
    is.option("crash_every", &Faulty::crash_every, "crash in each so-manieth connection");
    is.option("refuse", &Faulty::refuse, "refuse to be created");
  }

  void prepare() const {
    if (refuse) throw std::runtime_error("it was told to refuse");
  }

  berth::Task<> serve(berth::Connection connection) const {
    while (auto message = co_await connection.read()) {
      if (*message == "spin") co_await connection.write("spinning");
      fail(*message);
      if (message->substr(0, kBackground.size()) == kBackground) {
        const std::string_view word = message->substr(kBackground.size());
        co_await connection.in_background([&] { fail(word); });
      }
      if (crash_every != 0 && connection.id() % crash_every == 0) touch_nothing();
      co_await connection.write(*message);
    }
  }

 private:
  static constexpr std::string_view kBackground = "background ";

  static void fail(std::string_view word) {
    if (word == "throw") throw std::runtime_error("thrown on demand");
    if (word == "throw int") throw 42;
    if (word == "segv") touch_nothing();
    if (word == "abort") std::abort();
    if (word == "exit") std::exit(3);
    if (word == "overflow") (void)descend(1);
    if (word == "allocate") allocate();
    if (word == "spin") spin();
    if (word == "deafen") deafen();
  }
  // More than a process may have whose memory is limited to less.
  static void allocate() {
    const std::vector<char> much(std::size_t{1} << 30U, 'x');
    volatile char last = much.back();
    (void)last;
  }
  // Undoes the listening sockets of the process.
  static void deafen() {
    for (int number = 3; number < 100; ++number) {
      int listens = 0;
      socklen_t size = sizeof listens;
      const int found = ::getsockopt(number, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size);
      if (found == 0 && listens != 0) ::shutdown(number, SHUT_RDWR);
    }
  }
  [[noreturn]] static void spin() {
    volatile unsigned turns = 0;
    for (;;) turns = turns + 1;
  }
  // Deeper than any stack, in a way that no compiler makes a loop of.
  static unsigned descend(unsigned depth) {
    volatile unsigned char frame[4096];
    frame[depth % sizeof frame] = 1;
    return depth == 0 ? 0 : descend(depth + 1) + frame[0];
  }
  // A page that must not be touched, rather than a null pointer: sanitizers know nothing of it.
  static void touch_nothing() {
    void* const page = ::mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *static_cast<volatile char*>(page) = 1;
  }
};
BERTH_HANDLER(Faulty)
