// Memory by whole pages, by what a fork(2) makes of it. Its pages are zeros, and cost nothing until
// they are used.
#pragma once

#include <cerrno>
#include <cstddef>
#include <new>
#include <system_error>
#include <type_traits>

namespace berth {

enum class AfterFork {
  // One memory for the process and those forked from it.
  shared,
  // They do not have it, and crash where they use it; so that what the process writes there needs
  // no copy made of the page (man 2 madvise, MADV_DONTFORK).
  absent,
};

// Null, with errno set, where there is none.
[[nodiscard]] void* map_pages(std::size_t size, AfterFork after_fork) noexcept;
void unmap_pages(void* memory, std::size_t size) noexcept;

// What the dynamic linker has written for this program and sealed (PT_GNU_RELRO: tables of
// addresses) is from here on mapped from a file in memory, with the same bytes at the same place.
// Pages of a file are not this process's own, so that a fork has none of them to copy. Where no
// such file can be made, and under a sanitizer, all stays as it is.
void map_relocations_from_file() noexcept;

// What a process writes to again and again while those that it forks do not use it: made with
// `new`, objects of a class derived from this are absent after a fork.
class AbsentAfterFork {
 public:
  static void* operator new(std::size_t size) {
    if (void* const memory = map_pages(size, AfterFork::absent)) return memory;
    throw std::bad_alloc();
  }
  static void operator delete(void* memory, std::size_t size) { unmap_pages(memory, size); }

 protected:
  ~AbsentAfterFork() = default;
};

// Room for so many elements, all of whose bytes are zero at first: no constructor is called for
// them, and no destructor.
template <typename T>
class PagedArray {
 public:
  // Throws std::system_error.
  PagedArray(std::size_t count, AfterFork after_fork)
      : count_(count), first_(static_cast<T*>(map_pages(count * sizeof(T), after_fork))) {
    static_assert(std::is_trivially_destructible_v<T>);
    if (first_ == nullptr) throw std::system_error(errno, std::generic_category(), "mmap");
  }
  PagedArray(const PagedArray&) = delete;
  PagedArray& operator=(const PagedArray&) = delete;
  ~PagedArray() { unmap_pages(first_, count_ * sizeof(T)); }

  [[nodiscard]] T& operator[](std::size_t index) { return first_[index]; }
  [[nodiscard]] const T& operator[](std::size_t index) const { return first_[index]; }
  [[nodiscard]] std::size_t count() const { return count_; }

 private:
  std::size_t count_;
  T* first_;
};

}  // namespace berth
