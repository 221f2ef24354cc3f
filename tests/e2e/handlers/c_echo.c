/* Sends back what it receives, in plain C11: shows that a handler needs the binary interface and
 * nothing else. Option `prefix`: what each reply begins with. Built a second time with MINOR as a
 * plugin of that minor version. */
#include <berth/abi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef MINOR
#define MINOR BERTH_ABI_MINOR
#endif

typedef struct echo {
  char prefix[64];
} echo;

typedef struct session {
  berth_operation operation; /* first, so that complete() finds the session */
  berth_connection* connection;
  const echo* handler;
  berth_bytes parts[2];
  int reading;
} session;

static void complete(berth_operation* operation);

static int start_read(session* it) {
  it->reading = 1;
  memset(&it->operation, 0, sizeof it->operation);
  it->operation.size = sizeof it->operation;
  it->operation.complete = complete;
  return it->connection->host->read(it->connection, &it->operation);
}

static int start_write(session* it) {
  it->reading = 0;
  it->parts[0].data = it->handler->prefix;
  it->parts[0].size = strlen(it->handler->prefix);
  it->parts[1] = it->operation.bytes.data;
  it->operation.bytes.write.parts = it->parts;
  it->operation.bytes.write.count = 2;
  return it->connection->host->write(it->connection, &it->operation);
}

static void end(session* it) {
  const berth_bytes nothing = {"", 0};
  const int outcome = it->operation.error != 0 ? BERTH_LOST : BERTH_FINISHED;
  it->connection->host->finish(it->connection, outcome, nothing);
  free(it);
}

/* An operation is over: goes on until one is pending. A loop, so that no number of operations that
 * are done at once makes the stack grow. */
static void go_on(session* it) {
  for (;;) {
    if (it->operation.error != 0 || (it->operation.flags & BERTH_END) != 0) {
      end(it);
      return;
    }
    const int state = it->reading ? start_write(it) : start_read(it);
    if (state == BERTH_PENDING) return;
  }
}

static void complete(berth_operation* operation) { go_on((session*)operation); }

static void serve(void* handler, berth_connection* connection) {
  session* const it = calloc(1, sizeof *it);
  if (it == NULL) {
    const berth_bytes why = {"no memory", 9};
    connection->host->finish(connection, BERTH_FAILED, why);
    return;
  }
  it->connection = connection;
  it->handler = handler;
  if (start_read(it) == BERTH_DONE) go_on(it);
}

static void* create(const berth_creation* creation) {
  echo* const handler = calloc(1, sizeof *handler);
  if (handler == NULL) return NULL;
  for (size_t i = 0; i < creation->count; ++i) {
    const char* const at = (const char*)creation->settings + i * creation->setting_size;
    const berth_setting* const setting = (const berth_setting*)at;
    if (strcmp(setting->name, "prefix") != 0) continue;
    if (setting->text.size >= sizeof handler->prefix) {
      snprintf(creation->error, creation->error_size, "the prefix is longer than %zu bytes",
               sizeof handler->prefix);
      free(handler);
      return NULL;
    }
    memcpy(handler->prefix, setting->text.data, setting->text.size);
  }
  return handler;
}

static const berth_option options[] = {{.name = "prefix",
                                        .help = "what each reply begins with",
                                        .default_value = "''",
                                        .type = BERTH_TEXT}};

static const berth_plugin plugin = {.magic = BERTH_ABI_MAGIC,
                                    .abi_major = BERTH_ABI_MAJOR,
                                    .abi_minor = MINOR,
                                    .size = sizeof(berth_plugin),
                                    .option_size = sizeof(berth_option),
                                    .name = "c_echo",
                                    .summary = "Sends back each message, from C.",
                                    .options = options,
                                    .option_count = 1,
                                    .create = create,
                                    .destroy = free,
                                    .serve = serve};

BERTH_EXPORT const berth_plugin* berth_plugin_entry(void) { return &plugin; }
