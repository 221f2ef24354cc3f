/* Relays each connection to another server and back, in plain C11: what a proxy needs of the binary
 * interface. Option `to`: that server's address. */
#include <berth/abi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct relay {
  char to[256];
} relay;

typedef struct session session;

/* One way: what is read from one connection is written to the other. */
typedef struct direction {
  berth_operation operation; /* first, so that complete() finds the direction */
  session* session;
  berth_connection* from;
  berth_connection* to;
  berth_bytes part;
  int reading;
} direction;

struct session {
  berth_operation connect; /* first, so that on_connected() finds the session */
  berth_connection* client;
  berth_connection* server;
  direction ways[2];
  int ways_left;
  int error;
};

static void end(session* it) {
  char text[128];
  berth_bytes why = {text, 0};
  if (it->server != NULL) it->client->host->close(it->server);
  if (it->error != 0) {
    why.size = (size_t)snprintf(text, sizeof text, "relay: %s", strerror(it->error));
    it->client->host->log(it->client, BERTH_INFO, why);
  }
  it->client->host->finish(it->client, it->error != 0 ? BERTH_LOST : BERTH_FINISHED, why);
  free(it);
}

static void complete(berth_operation* operation);

static int start(direction* way) {
  const berth_host* const host = way->from->host;
  memset(&way->operation, 0, sizeof way->operation);
  way->operation.size = sizeof way->operation;
  way->operation.complete = complete;
  if (way->reading) return host->read(way->from, &way->operation);
  way->operation.bytes.write.parts = &way->part;
  way->operation.bytes.write.count = 1;
  return host->write(way->to, &way->operation);
}

/* A connection that is lost carries nothing the other way either. */
static void end_other_way(direction* way) {
  direction* const other = &way->session->ways[way == &way->session->ways[0]];
  if (other->from == NULL) return; /* it has not begun */
  other->from->host->close_read(other->from);
  other->to->host->close_write(other->to);
}

/* Until an operation is pending, or this way has ended: then the other side is told so, and the
 * session is over when both have. */
static void go_on(direction* way) {
  session* const it = way->session;
  for (;;) {
    if (way->operation.error != 0 || (way->operation.flags & BERTH_END) != 0) break;
    if (way->reading) way->part = way->operation.bytes.data;
    way->reading = !way->reading;
    if (start(way) == BERTH_PENDING) return;
  }
  if (it->error == 0) it->error = way->operation.error;
  way->to->host->close_write(way->to);
  if (way->operation.error != 0) end_other_way(way);
  if (--it->ways_left == 0) end(it);
}

static void complete(berth_operation* operation) { go_on((direction*)operation); }

static void relay_both_ways(session* it) {
  it->ways_left = 2;
  for (int i = 0; i < 2; ++i) {
    direction* const way = &it->ways[i];
    way->session = it;
    way->from = i == 0 ? it->client : it->server;
    way->to = i == 0 ? it->server : it->client;
    way->reading = 1;
  }
  /* The second may be over before it returns, and the session with it, but not before that. */
  if (start(&it->ways[0]) == BERTH_DONE) go_on(&it->ways[0]);
  if (start(&it->ways[1]) == BERTH_DONE) go_on(&it->ways[1]);
}

static void on_connected(berth_operation* operation) {
  session* const it = (session*)operation;
  it->error = operation->error;
  if (it->error != 0) {
    end(it);
    return;
  }
  it->server = operation->bytes.connected;
  relay_both_ways(it);
}

static void serve(void* handler, berth_connection* connection) {
  const relay* const settings = handler;
  session* const it = calloc(1, sizeof *it);
  if (it == NULL) {
    const berth_bytes why = {"no memory", 9};
    connection->host->finish(connection, BERTH_FAILED, why);
    return;
  }
  it->client = connection;
  it->connect.size = sizeof it->connect;
  it->connect.complete = on_connected;
  it->connect.duration = INT64_C(5000000000);
  it->connect.bytes.address.data = settings->to;
  it->connect.bytes.address.size = strlen(settings->to);
  if (connection->host->connect(connection, &it->connect) == BERTH_DONE) {
    on_connected(&it->connect);
  }
}

static void* create(const berth_creation* creation) {
  relay* const handler = calloc(1, sizeof *handler);
  if (handler == NULL) return NULL;
  for (size_t i = 0; i < creation->count; ++i) {
    const char* const at = (const char*)creation->settings + i * creation->setting_size;
    const berth_setting* const setting = (const berth_setting*)at;
    if (strcmp(setting->name, "to") != 0) continue;
    if (setting->text.size >= sizeof handler->to) {
      snprintf(creation->error, creation->error_size, "the address is longer than %zu bytes",
               sizeof handler->to);
      free(handler);
      return NULL;
    }
    memcpy(handler->to, setting->text.data, setting->text.size);
  }
  return handler;
}

static const berth_option options[] = {
    {.name = "to", .help = "address of the server", .type = BERTH_TEXT, .required = 1}};

static const berth_plugin plugin = {.magic = BERTH_ABI_MAGIC,
                                    .abi_major = BERTH_ABI_MAJOR,
                                    .abi_minor = BERTH_ABI_MINOR,
                                    .size = sizeof(berth_plugin),
                                    .option_size = sizeof(berth_option),
                                    .name = "c_relay",
                                    .summary = "Relays to another server, from C.",
                                    .options = options,
                                    .option_count = 1,
                                    .create = create,
                                    .destroy = free,
                                    .serve = serve};

BERTH_EXPORT const berth_plugin* berth_plugin_entry(void) { return &plugin; }
