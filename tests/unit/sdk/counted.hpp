// An object that proves that each of its kind is destroyed exactly once.
#pragma once

#include <set>
#include <string>
#include <string_view>

namespace berth::testing {

class Counted {
 public:
  explicit Counted(std::string text = "x") : text_(std::move(text)) { enter(); }
  Counted(const Counted& other) : text_(other.text_) { enter(); }
  Counted(Counted&& other) noexcept : text_(other.text_) { enter(); }
  Counted& operator=(const Counted&) = default;
  ~Counted() {
    if (alive_.erase(this) == 0) ++faults_;
  }
  operator std::string_view() const { return text_; }

  // To be called first: how the others of this test do is not this test's matter.
  static void reset() {
    alive_.clear();
    faults_ = made_ = 0;
  }
  static std::size_t alive() { return alive_.size(); }
  // Destroyed twice, or made where one was.
  static int faults() { return faults_; }
  static int made() { return made_; }

 private:
  void enter() {
    ++made_;
    if (!alive_.insert(this).second) ++faults_;
  }

  inline static std::set<const Counted*> alive_;
  inline static int faults_ = 0;
  inline static int made_ = 0;

  std::string text_;
};

}  // namespace berth::testing
