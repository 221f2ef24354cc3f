// Memory by whole pages, by what a fork(2) makes of it. Its pages are zeros, and cost nothing until
// they are used.
#pragma once

#include <cstddef>

namespace berth {

enum class AfterFork {
  // One memory for the process and those forked from it.
  shared,
  // They do not have it, and crash where they use it; so that what the process writes there needs
  // no
  // copy made of the page (man 2 madvise, MADV_DONTFORK).
  absent,
};

// Throws std::bad_alloc.
[[nodiscard]] void* map_pages(std::size_t size, AfterFork after_fork);
void unmap_pages(void* memory, std::size_t size) noexcept;

// What a process writes to again and again while those that it forks do not use it: made with
// `new`, objects of a class derived from this are absent after a fork.
class AbsentAfterFork {
 public:
  static void* operator new(std::size_t size) { return map_pages(size, AfterFork::absent); }
  static void operator delete(void* memory, std::size_t size) { unmap_pages(memory, size); }

 protected:
  ~AbsentAfterFork() = default;
};

// So many elements, which are all zeros at first.
template <typename T>
class PagedArray {
 public:
  PagedArray(std::size_t count, AfterFork after_fork)
      : count_(count), first_(static_cast<T*>(map_pages(count * sizeof(T), after_fork))) {}
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
