#include "net/tls_memory.hpp"

#include <doctest/doctest.h>
#include <openssl/crypto.h>

#include <set>
#include <thread>

using namespace berth;

namespace {

constexpr std::size_t kRecordRoom = 16'704, kOtherRecordRoom = 16'472;

void* allocated(std::size_t size) { return OPENSSL_malloc(size); }

// The blocks that come next for records, of which the thread may have some.
std::set<void*> next_three() {
  const std::set<void*> blocks = {allocated(kRecordRoom), allocated(kOtherRecordRoom),
                                  allocated(kRecordRoom)};
  for (void* const block : blocks) OPENSSL_free(block);
  return blocks;
}

}  // namespace

TEST_CASE("a thread keeps the room for two records, and of nothing else") {
  // Nor can it be had where tests before this one have had OpenSSL allocate.
  if (!keep_room_for_records()) return;
  void* const first = allocated(kRecordRoom);
  void* const second = allocated(kOtherRecordRoom);
  OPENSSL_free(first);
  OPENSSL_free(second);
  void* const larger = allocated(32'000);
  CHECK(larger != first);
  CHECK(larger != second);
  OPENSSL_free(larger);

  std::set<void*> elsewhere;
  std::thread([&] { elsewhere = next_three(); }).join();
  CHECK(elsewhere.count(first) == 0);
  CHECK(elsewhere.count(second) == 0);

  const std::set<void*> here = next_three();
  CHECK(here.count(first) == 1);
  CHECK(here.count(second) == 1);

  void* grown = OPENSSL_realloc(allocated(kRecordRoom), 40'000);
  CHECK(grown != nullptr);
  CHECK(OPENSSL_realloc(grown, 0) == nullptr);
}
