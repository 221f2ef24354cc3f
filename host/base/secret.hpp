// Text that is nobody else's to know: a private key. It lies in pages of its own, which child
// processes see empty, which no core dump holds, and which are wiped when the last copy of this
// goes. So a key of one listener is never in the memory of another's worker, where plugins run.
//
// Copies share the pages. In a process that was forked without a SharedWithChildren, every Secret
// of its parent's has its length and no content.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "base/result.hpp"

namespace berth {

class Secret {
 public:
  Secret() = default;
  // Throws std::bad_alloc.
  explicit Secret(std::string_view text);
  // What is left to be read from a file, at most so many bytes of it, without a copy of it
  // anywhere else. Throws std::bad_alloc.
  [[nodiscard]] static Result<Secret> read(int file, std::size_t most);
  // So many random bytes of the kernel's (getrandom, man 2). Throws std::bad_alloc.
  [[nodiscard]] static Secret random(std::size_t size);

  [[nodiscard]] std::string_view text() const;
  [[nodiscard]] bool empty() const { return text().empty(); }
  // Wipes it, for all copies in this process: it has been used here and will not be again.
  void forget() const;

  bool operator==(const Secret& other) const { return text() == other.text(); }

 private:
  friend class SharedWithChildren;
  class Pages;
  std::shared_ptr<Pages> pages_;  // shared: settings are copied, and the pages are few
};

// While it lives, processes that are forked have the text too. When it ends in such a process, the
// text stays with that one, and not with children of its own.
class SharedWithChildren {
 public:
  explicit SharedWithChildren(Secret secret);
  SharedWithChildren(const SharedWithChildren&) = delete;
  SharedWithChildren& operator=(const SharedWithChildren&) = delete;
  ~SharedWithChildren();

 private:
  Secret secret_;
};

}  // namespace berth
