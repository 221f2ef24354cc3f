#include <berth/handler.hpp>

struct Hello {
  std::string greeting = "Hello";

  static void describe(berth::Description<Hello>& is) {
    is.name("hello").summary("Greets whoever writes to it by name.");
    is.option("greeting", &Hello::greeting, "the word to greet with");
  }

  berth::Task<> serve(berth::Connection connection) const {
    while (auto name = co_await connection.read())
      co_await connection.write(greeting, ", ", *name, "!\n");
  }
};
BERTH_HANDLER(Hello)
