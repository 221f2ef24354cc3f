/* A handler that needs a function which nobody has. */
#include <berth/abi.h>

const berth_plugin* berth_fixture_missing_function(void);

BERTH_EXPORT const berth_plugin* berth_plugin_entry(void);
const berth_plugin* berth_plugin_entry(void) { return berth_fixture_missing_function(); }
