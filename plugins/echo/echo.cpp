// Sends back what it receives: the echo server of the tutorials, or that of RFC 862.
#include <berth/handler.hpp>

struct Echo {
  enum class Reply { stamped, verbatim };

  Reply reply = Reply::stamped;

  static void describe(berth::Description<Echo>& is) {
    is.name("echo").summary("Sends back each message, with the time or verbatim (RFC 862).");
    is.option("reply", &Echo::reply, "what to send: 'Echo=>MESSAGE at TIME', or the same bytes",
              {{"stamped", Reply::stamped}, {"verbatim", Reply::verbatim}});
  }

  berth::Task<> serve(berth::Connection connection) const {
    return reply == Reply::verbatim ? send_back(connection) : send_back_stamped(connection);
  }

 private:
  static berth::Task<> send_back(berth::Connection connection) {
    while (auto message = co_await connection.read()) co_await connection.write(*message);
  }

  static berth::Task<> send_back_stamped(berth::Connection connection) {
    while (auto message = co_await connection.read()) co_await stamp(connection, *message);
  }

  // Apart, so that a connection that waits for its client keeps no room for a reply.
  static berth::Task<> stamp(berth::Connection connection, std::string_view message) {
    co_await connection.write("Echo=>", message, " at ", berth::timestamp());
  }
};
BERTH_HANDLER(Echo)
