/* A handler whose table is not what it says: built several times, each with one of these defined to
 * something false. */
#include <berth/abi.h>

#ifndef MAGIC
#define MAGIC BERTH_ABI_MAGIC
#endif
#ifndef MAJOR
#define MAJOR BERTH_ABI_MAJOR
#endif
#ifndef MINOR
#define MINOR BERTH_ABI_MINOR
#endif
#ifndef SIZE
#define SIZE sizeof(berth_plugin)
#endif
#ifndef TABLE
#define TABLE &plugin
#endif

static void* create(const berth_creation* creation) {
  (void)creation;
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
  static const berth_plugin plugin = {.magic = MAGIC,
                                      .abi_major = MAJOR,
                                      .abi_minor = MINOR,
                                      .size = SIZE,
                                      .option_size = sizeof(berth_option),
                                      .name = "liar",
                                      .summary = "Is not what it says.",
                                      .create = create,
                                      .destroy = destroy,
                                      .serve = serve};
  (void)plugin;
  return TABLE;
}
