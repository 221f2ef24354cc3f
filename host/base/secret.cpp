#include "base/secret.hpp"

#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <utility>

namespace berth {

class Secret::Pages {
 public:
  explicit Pages(std::size_t room) : room_(room) {
    void* const memory =
        ::mmap(nullptr, room_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    bytes_ = static_cast<char*>(memory);
    // Where the kernel knows neither, it is as secret as other memory.
    (void)::madvise(bytes_, room_, MADV_DONTDUMP);
    share(false);
  }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;
  ~Pages() {
    wipe();
    ::munmap(bytes_, room_);
  }

  void share(bool on) { (void)::madvise(bytes_, room_, on ? MADV_KEEPONFORK : MADV_WIPEONFORK); }
  void wipe() { ::explicit_bzero(bytes_, size_); }

  [[nodiscard]] char* bytes() const { return bytes_; }
  [[nodiscard]] std::size_t room() const { return room_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  void set_size(std::size_t size) { size_ = size; }

 private:
  char* bytes_ = nullptr;
  std::size_t room_;
  std::size_t size_ = 0;
};

Secret::Secret(std::string_view text) {
  if (text.empty()) return;
  pages_ = std::make_shared<Pages>(text.size());
  text.copy(pages_->bytes(), text.size());
  pages_->set_size(text.size());
}

Result<Secret> Secret::read(int file, std::size_t most) {
  Secret secret;
  secret.pages_ = std::make_shared<Pages>(most + 1);
  Pages& pages = *secret.pages_;
  while (pages.size() < pages.room()) {
    const ssize_t count = ::read(file, pages.bytes() + pages.size(), pages.room() - pages.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Error{std::strerror(errno)};
    if (count == 0) return secret;
    pages.set_size(pages.size() + static_cast<std::size_t>(count));
  }
  return Error{"it is longer than " + std::to_string(most) + " bytes"};
}

Secret Secret::random(std::size_t size) {
  Secret secret;
  secret.pages_ = std::make_shared<Pages>(size);
  while (secret.pages_->size() < size) {
    const std::size_t done = secret.pages_->size();
    const ssize_t count = ::getrandom(secret.pages_->bytes() + done, size - done, 0);
    if (count < 0 && errno != EINTR) std::abort();  // no kernel of ours lacks it
    if (count > 0) secret.pages_->set_size(done + static_cast<std::size_t>(count));
  }
  return secret;
}

std::string_view Secret::text() const {
  if (!pages_) return {};
  return {pages_->bytes(), pages_->size()};
}

void Secret::forget() const {
  if (pages_) pages_->wipe();
}

SharedWithChildren::SharedWithChildren(Secret secret) : secret_(std::move(secret)) {
  if (secret_.pages_) secret_.pages_->share(true);
}

SharedWithChildren::~SharedWithChildren() {
  if (secret_.pages_) secret_.pages_->share(false);
}

}  // namespace berth
