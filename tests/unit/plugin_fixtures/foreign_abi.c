/* A handler of another major version of the ABI. */
#include <berth/abi.h>

static const berth_plugin plugin = {.magic = BERTH_ABI_MAGIC, .abi_major = BERTH_ABI_MAJOR + 1};

BERTH_EXPORT const berth_plugin* berth_plugin_entry(void);
const berth_plugin* berth_plugin_entry(void) { return &plugin; }
