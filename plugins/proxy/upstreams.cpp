#include "upstreams.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>

namespace {

// The host has the last word; but what is plainly wrong is told at the start, not to each client.
bool is_address(std::string_view text) {
  if (text.starts_with("unix://")) return text.size() > 8;
  if (!text.starts_with("tcp://")) return false;
  text.remove_prefix(6);
  const std::size_t colon = text.rfind(':');
  if (colon == text.npos || colon == 0) return false;
  unsigned port = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data() + colon + 1, end, port);
  return error == std::errc() && rest == end && port > 0 && port < 65536;
}

}  // namespace

void check_upstreams(const std::vector<std::string>& addresses) {
  if (addresses.empty()) throw std::invalid_argument("'upstream' names no server");
  for (const std::string& address : addresses) {
    if (is_address(address)) continue;
    throw std::invalid_argument(
        "upstream '" + address +
        "' is no address: say tcp://HOST:PORT, unix:///PATH or unix://@NAME");
  }
}

Upstreams::Upstreams(std::vector<std::string> addresses, Duration retry_after)
    : addresses_(std::move(addresses)), retry_after_(retry_after) {
  void* const memory = ::mmap(nullptr, (addresses_.size() + 1) * sizeof(Time),
                              PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
  failed_until_ = static_cast<Time*>(memory);
  std::uninitialized_value_construct_n(failed_until_, addresses_.size() + 1);
}

Upstreams::~Upstreams() { ::munmap(failed_until_, (addresses_.size() + 1) * sizeof(Time)); }

std::int64_t Upstreams::now() {
  return std::chrono::steady_clock::now().time_since_epoch().count();
}

std::vector<std::size_t> Upstreams::order(std::uint64_t number) const {
  std::vector<std::size_t> all(addresses_.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
  const std::int64_t time = now();
  const auto ill = std::stable_partition(
      all.begin(), all.end(), [&](std::size_t index) { return failed_until_[index] <= time; });
  for (const auto& [begin, end] : {std::pair(all.begin(), ill), std::pair(ill, all.end())}) {
    const auto count = static_cast<std::uint64_t>(end - begin);
    if (count > 1) std::rotate(begin, begin + static_cast<std::ptrdiff_t>(number % count), end);
  }
  return all;
}

bool Upstreams::note_failure(std::size_t index) const {
  const std::int64_t time = now();
  return failed_until_[index].exchange(time + retry_after_.count()) <= time;
}

bool Upstreams::note_success(std::size_t index) const {
  return failed_until_[index] != 0 && failed_until_[index].exchange(0) != 0;
}

bool Upstreams::may_complain() const {
  Time& next = failed_until_[addresses_.size()];
  const std::int64_t time = now();
  std::int64_t due = next;
  return due <= time && next.compare_exchange_strong(due, time + 1'000'000'000);
}
