// The C table of the ABI over class Connection. No exception leaves these: noexcept ends the
// process where one would.
#include <berth/abi.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <string>

#include "serve/client_connection.hpp"

namespace berth {

namespace {

Connection& of(berth_connection* connection) { return static_cast<Connection&>(*connection); }
const Connection& of(const berth_connection* connection) {
  return static_cast<const Connection&>(*connection);
}

std::size_t copy_out(std::string_view text, char* buffer, std::size_t capacity) {
  text.copy(buffer, std::min(capacity, text.size()));
  return text.size();
}

LogLevel level_of(int level) {
  switch (level) {
    case BERTH_DEBUG:
      return LogLevel::debug;
    case BERTH_INFO:
      return LogLevel::info;
    case BERTH_WARN:
      return LogLevel::warn;
    default:
      return LogLevel::error;
  }
}

[[gnu::hot]] int read(berth_connection* connection, berth_operation* operation) noexcept {
  return of(connection).read(*operation);
}

[[gnu::hot]] int write(berth_connection* connection, berth_operation* operation) noexcept {
  return of(connection).write(*operation);
}

int connect(Connection& connection, berth_operation& operation) {
  try {
    return connection.make_clients().connect(operation);
  } catch (const std::bad_alloc&) {
    operation.error = ENOMEM;
    return BERTH_DONE;
  }
}

int adopt(Connection& connection, Fd socket, berth_connection*& adopted) {
  try {
    return connection.make_clients().adopt(std::move(socket), adopted);
  } catch (const std::bad_alloc&) {
    return ENOMEM;
  }
}

// Nothing of the connection that is served, which finish() ends.
void close(Connection& connection) {
  Connection& session = connection.session();
  if (&session != &connection) session.clients()->close(static_cast<ClientConnection&>(connection));
}

}  // namespace

const berth_host kHostTable = {
    .size = sizeof(berth_host),
    .abi_minor = BERTH_ABI_MINOR,
    .read = read,
    .write = write,
    .sleep = [](berth_connection* c,
                berth_operation* o) noexcept { return of(c).session().sleep(*o); },
    .finish =
        [](berth_connection* c, int outcome, berth_bytes text) noexcept {
          of(c).session().finish(outcome, {text.data, text.size});
        },
    .peer = [](const berth_connection* c, char* buffer,
               std::size_t capacity) noexcept { return copy_out(of(c).peer(), buffer, capacity); },
    .local =
        [](const berth_connection* c, char* buffer, std::size_t capacity) noexcept {
          return copy_out(of(c).local().text(), buffer, capacity);
        },
    .listener =
        [](const berth_connection* c, char* buffer, std::size_t capacity) noexcept {
          return copy_out(of(c).context().settings.name, buffer, capacity);
        },
    .id = [](const berth_connection* c) noexcept { return of(c).report().id; },
    .stopping =
        [](const berth_connection* c) noexcept { return of(c).context().stop.draining() ? 1 : 0; },
    .log =
        [](berth_connection* c, int level, berth_bytes text) noexcept {
          of(c).session().log(level_of(level), {text.data, text.size});
        },
    .background = [](berth_connection* c,
                     berth_operation* o) noexcept { return of(c).session().background(*o); },
    .connect = [](berth_connection* c, berth_operation* o) noexcept { return connect(of(c), *o); },
    .adopt =
        [](berth_connection* c, int descriptor, berth_connection** adopted) noexcept {
          return adopt(of(c), Fd(descriptor), *adopted);
        },
    .close = [](berth_connection* c) noexcept { close(of(c)); },
    .close_write = [](berth_connection* c) noexcept { of(c).close_write(); },
    .close_read = [](berth_connection* c) noexcept { of(c).close_read(); },
    .scheme =
        [](const berth_connection* c, char* buffer, std::size_t capacity) noexcept {
          return copy_out(name_of(of(c).scheme()), buffer, capacity);
        },
};

}  // namespace berth
