// What a handler's author builds with one plain call of the compiler: no optimisation, no flags.
#include <berth/handler.hpp>

#include <string>

struct Plain {
  static void describe(berth::Description<Plain>& is) {
    is.name("plain").summary("Goes through loops that never wait.");
  }

  berth::Task<> serve(berth::Connection connection) const {
    berth::Lines lines(connection);
    while (auto line = co_await lines.next()) {
      const int rounds = std::stoi(std::string(*line));
      int sum = 0;
      for (int i = 0; i < rounds; ++i) {
        sum += co_await one();
        co_await connection.write("");
      }
      co_await connection.write(std::to_string(sum), "\n");
    }
  }

 private:
  static berth::Task<int> one() { co_return 1; }
};
BERTH_HANDLER(Plain)
