// Slow work, stood in for by a pause; then the echo server of the tutorials.
#include <berth/handler.hpp>

using namespace std::chrono_literals;

struct SleepEcho {
  std::chrono::nanoseconds delay = 5s;

  static void describe(berth::Description<SleepEcho>& is) {
    is.name("sleep_echo").summary("Waits, then sends back each message with the time.");
    is.option("delay", &SleepEcho::delay, "pause at the start of each connection");
  }

  berth::Task<> serve(berth::Connection connection) const {
    co_await connection.sleep_for(delay);
    while (auto message = co_await connection.read()) {
      co_await connection.write("Echo=>", *message, " at ", berth::timestamp());
    }
  }
};
BERTH_HANDLER(SleepEcho)
