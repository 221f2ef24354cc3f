#include "net/tls_memory.hpp"

#include <doctest/doctest.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

using namespace berth;

namespace {

constexpr std::size_t kOneRoom = 16'704, kOtherRoom = 16'472;

// Before any test can have had OpenSSL allocate something.
const bool room_is_kept = keep_room_for_records();

std::vector<void*> allocated(std::size_t count) {
  std::vector<void*> blocks;
  while (blocks.size() < count) {
    blocks.push_back(OPENSSL_malloc(blocks.size() % 2 == 0 ? kOneRoom : kOtherRoom));
  }
  return blocks;
}

void free_all(const std::vector<void*>& blocks) {
  for (void* const block : blocks) OPENSSL_free(block);
}

bool has(const std::vector<void*>& blocks, void* block) {
  return std::find(blocks.begin(), blocks.end(), block) != blocks.end();
}

}  // namespace

TEST_CASE("room for records that is given back is what comes next, on whichever thread") {
  REQUIRE(room_is_kept);
  const std::vector<void*> first = allocated(2);
  free_all(first);
  void* const larger = OPENSSL_malloc(32'000);
  CHECK_FALSE(has(first, larger));
  OPENSSL_free(larger);
  std::vector<void*> next;
  std::thread([&] { next = allocated(2); }).join();
  CHECK(has(first, next[0]));
  CHECK(has(first, next[1]));
  free_all(next);
}

TEST_CASE("room that many threads take and give back at once is never given twice") {
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&wrong, i] {
      for (int round = 0; round < 2'000; ++round) {
        const std::vector<void*> blocks = allocated(4);
        for (void* const block : blocks) *static_cast<volatile int*>(block) = i;
        for (void* const block : blocks) wrong += *static_cast<volatile int*>(block) != i ? 1 : 0;
        free_all(blocks);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST_CASE(
    "room for a record keeps its bytes when it grows, and is gone when it shrinks to nothing") {
  const std::string bytes(kOneRoom, 'r');
  void* block = OPENSSL_malloc(kOneRoom);
  bytes.copy(static_cast<char*>(block), bytes.size());
  block = OPENSSL_realloc(block, 40'000);
  REQUIRE(block != nullptr);
  CHECK((std::string(static_cast<char*>(block), bytes.size()) == bytes));
  CHECK(OPENSSL_realloc(block, 0) == nullptr);
}
