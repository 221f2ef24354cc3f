/* abi.h as a C11 compiler sees it (this file is built with -std=c11 -pedantic -Werror), and the
 * layout that plugins built long ago rely on: who changes it, changes BERTH_ABI_MAJOR. */
#include <berth/abi.h>

#if UINTPTR_MAX == UINT64_MAX

#define SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), "size of " #type)
#define AT(type, member, bytes) \
  _Static_assert(offsetof(type, member) == (bytes), "place of " #type "." #member)

SIZE(berth_bytes, 16);
AT(berth_bytes, data, 0);
AT(berth_bytes, size, 8);

SIZE(berth_operation, 48);
AT(berth_operation, size, 0);
AT(berth_operation, flags, 2);
AT(berth_operation, error, 4);
AT(berth_operation, complete, 8);
AT(berth_operation, duration, 16);
AT(berth_operation, bytes, 24);
AT(berth_operation, bytes.write.parts, 24);
AT(berth_operation, bytes.write.count, 32);
AT(berth_operation, bytes.data.data, 24);
AT(berth_operation, bytes.data.size, 32);
AT(berth_operation, bytes.call.function, 24);
AT(berth_operation, bytes.call.argument, 32);
AT(berth_operation, bytes.address, 24);
AT(berth_operation, bytes.connected, 24);
AT(berth_operation, reserved, 40);

SIZE(berth_connection, 8);
AT(berth_connection, host, 0);

SIZE(berth_host, 144);
AT(berth_host, size, 0);
AT(berth_host, abi_minor, 4);
AT(berth_host, read, 8);
AT(berth_host, write, 16);
AT(berth_host, sleep, 24);
AT(berth_host, finish, 32);
AT(berth_host, peer, 40);
AT(berth_host, local, 48);
AT(berth_host, listener, 56);
AT(berth_host, id, 64);
AT(berth_host, stopping, 72);
AT(berth_host, log, 80);
AT(berth_host, background, 88);
AT(berth_host, connect, 96);
AT(berth_host, adopt, 104);
AT(berth_host, close, 112);
AT(berth_host, close_write, 120);
AT(berth_host, close_read, 128);
AT(berth_host, scheme, 136);

SIZE(berth_option, 72);
AT(berth_option, name, 0);
AT(berth_option, help, 8);
AT(berth_option, default_value, 16);
AT(berth_option, type, 24);
AT(berth_option, required, 28);
AT(berth_option, minimum, 32);
AT(berth_option, maximum, 40);
AT(berth_option, unit, 48);
AT(berth_option, choices, 56);
AT(berth_option, choice_count, 64);

SIZE(berth_setting, 64);
AT(berth_setting, name, 0);
AT(berth_setting, type, 8);
AT(berth_setting, integer, 16);
AT(berth_setting, real, 24);
AT(berth_setting, text, 32);
AT(berth_setting, items, 48);
AT(berth_setting, item_count, 56);

SIZE(berth_creation, 48);
AT(berth_creation, size, 0);
AT(berth_creation, abi_minor, 4);
AT(berth_creation, settings, 8);
AT(berth_creation, count, 16);
AT(berth_creation, setting_size, 24);
AT(berth_creation, error, 32);
AT(berth_creation, error_size, 40);

SIZE(berth_plugin, 88);
AT(berth_plugin, magic, 0);
AT(berth_plugin, abi_major, 8);
AT(berth_plugin, abi_minor, 12);
AT(berth_plugin, size, 16);
AT(berth_plugin, option_size, 20);
AT(berth_plugin, name, 24);
AT(berth_plugin, summary, 32);
AT(berth_plugin, options, 40);
AT(berth_plugin, option_count, 48);
AT(berth_plugin, create, 56);
AT(berth_plugin, destroy, 64);
AT(berth_plugin, serve, 72);
AT(berth_plugin, check, 80);

#endif

/* What C makes of the constants, for abi_test.cpp to compare with what C++ makes of them. */
uint64_t berth_test_c_magic(void);
uint64_t berth_test_c_magic(void) { return BERTH_ABI_MAGIC; }

const int berth_test_c_constants[] = {
    BERTH_DONE,     BERTH_PENDING, BERTH_ENDS_ON_STOP, BERTH_END,  BERTH_FINISHED,
    BERTH_LOST,     BERTH_FAILED,  BERTH_DEBUG,        BERTH_INFO, BERTH_WARN,
    BERTH_ERROR,    BERTH_BOOL,    BERTH_INTEGER,      BERTH_REAL, BERTH_TEXT,
    BERTH_DURATION, BERTH_SIZE,    BERTH_CHOICE,       BERTH_LIST, BERTH_MAP};
const size_t berth_test_c_constant_count =
    sizeof berth_test_c_constants / sizeof berth_test_c_constants[0];
