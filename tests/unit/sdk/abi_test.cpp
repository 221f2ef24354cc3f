// The layout itself is pinned in abi_layout.c, which the build compiles as C11.
#include <berth/abi.h>
#include <doctest/doctest.h>

#include <vector>

extern "C" {
uint64_t berth_test_c_magic(void);
extern const int berth_test_c_constants[];
extern const size_t berth_test_c_constant_count;
}

namespace {

TEST_CASE("the constants of the ABI keep their values, in C as in C++") {
  const std::vector<int> pinned = {0, 1, 1, 2, 0, 1, 2, 1, 2, 3, 4, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  CHECK(std::vector<int>(berth_test_c_constants,
                         berth_test_c_constants + berth_test_c_constant_count) == pinned);
  CHECK(std::vector<int>{BERTH_DONE,     BERTH_PENDING, BERTH_ENDS_ON_STOP, BERTH_END,
                         BERTH_FINISHED, BERTH_LOST,    BERTH_FAILED,       BERTH_DEBUG,
                         BERTH_INFO,     BERTH_WARN,    BERTH_ERROR,        BERTH_BOOL,
                         BERTH_INTEGER,  BERTH_REAL,    BERTH_TEXT,         BERTH_DURATION,
                         BERTH_SIZE,     BERTH_CHOICE,  BERTH_LIST,         BERTH_MAP} == pinned);
}

TEST_CASE("a plugin's first words are the same for every compiler") {
  CHECK(berth_test_c_magic() == 0x0a48545245420d1a);
  CHECK(BERTH_ABI_MAGIC == berth_test_c_magic());
  CHECK(BERTH_ABI_MAJOR == 1);
  CHECK(BERTH_ABI_MINOR == 2);
  CHECK(doctest::String(BERTH_ENTRY_SYMBOL) == "berth_plugin_entry");
}

}  // namespace
