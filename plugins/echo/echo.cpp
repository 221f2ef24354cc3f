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
    while (auto message = co_await connection.read()) {
      if (reply == Reply::verbatim) {
        co_await connection.write(*message);
      } else {
        co_await connection.write("Echo=>", *message, " at ", berth::timestamp());
      }
    }
  }
};
BERTH_HANDLER(Echo)
