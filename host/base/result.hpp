// What may fail and is expected to: config, loading, binding, a peer. A Result holds a value or an
// Error, never both; exceptions are kept for broken invariants (see README, "Decisions").
#pragma once

#include <string>
#include <utility>
#include <variant>

namespace berth {

// Text for people: what was tried, on what, the system's words, and the remedy.
struct Error {
  std::string message;
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : content_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : content_(std::in_place_index<1>, std::move(error)) {}

  explicit operator bool() const { return content_.index() == 0; }
  T& value() { return std::get<0>(content_); }
  const T& value() const { return std::get<0>(content_); }
  T& operator*() { return value(); }
  T* operator->() { return &value(); }
  const Error& error() const { return std::get<1>(content_); }

 private:
  std::variant<T, Error> content_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)), failed_(true) {}

  explicit operator bool() const { return !failed_; }
  const Error& error() const { return error_; }

 private:
  Error error_;
  bool failed_ = false;
};

// "cannot open /x: No such file or directory": `what` with the words for `errno_value`.
[[nodiscard]] Error system_error(const std::string& what, int errno_value);

}  // namespace berth
