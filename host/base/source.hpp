// Where in a YAML file something stands, and the list of everything wrong with that file.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace berth {

// Line and column count from 1; 0 means "the file as a whole".
struct Position {
  int line = 0;
  int column = 0;
  auto operator<=>(const Position&) const = default;
};

struct Diagnostic {
  Position where;
  std::string message;
};

// Collects every mistake of one file, so that all are told at once.
class Diagnostics {
 public:
  explicit Diagnostics(std::string file) : file_(std::move(file)) {}

  void add(Position where, std::string message);
  [[nodiscard]] bool empty() const { return items_.empty(); }
  [[nodiscard]] const std::string& file() const { return file_; }
  // In the order of their positions.
  [[nodiscard]] std::vector<Diagnostic> sorted() const;
  // `file:line:column: message`, a line each, in the order of their positions.
  [[nodiscard]] std::string to_text() const;

 private:
  std::string file_;
  std::vector<Diagnostic> items_;
};

// "; did you mean 'handler'?" where a candidate is near enough to be a slip of the pen, else "".
[[nodiscard]] std::string did_you_mean(std::string_view given,
                                       const std::vector<std::string>& candidates);

// "'a', 'b' or 'c'"
[[nodiscard]] std::string one_of(const std::vector<std::string>& names);

}  // namespace berth
