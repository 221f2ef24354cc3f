/* A handler that never comes to serve: built several times, with one of these defined.
 * EXIT_AT_LOAD, CRASH_AT_LOAD: in a constructor, so that dlopen(3) does not return.
 * REFUSE_ROOT_AT_LOAD: the same, but only where it is loaded as root; else it serves nobody well.
 * ABORT_IN_CREATE: loads and is checked well, then dies in every worker. */
#include <berth/abi.h>
#include <stdlib.h>
#include <unistd.h>

__attribute__((constructor)) static void load(void) {
#if defined EXIT_AT_LOAD
  _exit(0);
#elif defined CRASH_AT_LOAD
  abort();
#elif defined REFUSE_ROOT_AT_LOAD
  if (geteuid() == 0) _exit(9);
#endif
}

static void* create(const berth_creation* creation) {
  (void)creation;
#if defined ABORT_IN_CREATE
  abort();
#endif
  static char object;
  return &object;
}

static void destroy(void* handler) { (void)handler; }

static void serve(void* handler, berth_connection* connection) {
  (void)handler;
  const berth_bytes nothing = {"", 0};
  connection->host->finish(connection, BERTH_FINISHED, nothing);
}

BERTH_EXPORT const berth_plugin* berth_plugin_entry(void) {
  static const berth_plugin plugin = {.magic = BERTH_ABI_MAGIC,
                                      .abi_major = BERTH_ABI_MAJOR,
                                      .abi_minor = BERTH_ABI_MINOR,
                                      .size = sizeof(berth_plugin),
                                      .option_size = sizeof(berth_option),
                                      .name = "stillborn",
                                      .summary = "Never comes to\x1b[31m serve.",
                                      .create = create,
                                      .destroy = destroy,
                                      .serve = serve};
  return &plugin;
}
