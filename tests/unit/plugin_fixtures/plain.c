/* A handler in plain C: closes every connection at once. */
#include <berth/abi.h>

static int the_object;

static void* create(const berth_creation* creation) {
  (void)creation;
  return &the_object;
}

static void destroy(void* handler) { (void)handler; }

static void serve(void* handler, berth_connection* connection) {
  (void)handler;
  connection->host->finish(connection, BERTH_FINISHED, (berth_bytes){"", 0});
}

static const berth_plugin plugin = {
    .magic = BERTH_ABI_MAGIC,
    .abi_major = BERTH_ABI_MAJOR,
    .abi_minor = BERTH_ABI_MINOR,
    .size = sizeof(berth_plugin),
    .option_size = sizeof(berth_option),
    .name = "plain",
    .summary = "Closes every connection at once.",
    .create = create,
    .destroy = destroy,
    .serve = serve,
};

BERTH_EXPORT const berth_plugin* berth_plugin_entry(void);
const berth_plugin* berth_plugin_entry(void) { return &plugin; }
