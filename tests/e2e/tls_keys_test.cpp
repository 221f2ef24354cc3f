// New keys in the midst of a connection (KeyUpdate: RFC 8446, 4.6.3), for which TLS knows no limit.
#include <doctest/doctest.h>

#include <string>

#include "client.hpp"
#include "host_process.hpp"
#include "models.hpp"

using namespace e2e;

TEST_CASE_TEMPLATE("a client may ask for new keys between its messages", Model, EACH_MODEL_ON_TLS) {
  HostProcess host(one_listener_of<Model>("echo", "options: {reply: verbatim}"));
  Client client = host.connect<Model>();
  for (int i = 0; i < 50; ++i) {
    client.tls().ask_for_keys(3);
    client.send("a message");
    CHECK(client.read_exactly(9) == "a message");
  }
}

TEST_CASE_TEMPLATE("a client that does nothing but ask for new keys is let go", Model,
                   EACH_MODEL_ON_TLS) {
  HostProcess host(one_listener_of<Model>("echo", "options: {reply: verbatim}"));
  Client client = host.connect<Model>();
  try {
    client.tls().ask_for_keys(1000);
  } catch (const std::exception&) {  // it may be let go in the midst of them
  }
  host.log().wait_for("the other side asks for new keys again and again");
  Client other = host.connect<Model>();
  other.send("a message");
  CHECK(other.read_exactly(9) == "a message");
}
