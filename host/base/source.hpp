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
  auto operator<=>(const Diagnostic&) const = default;
};

// Collects every mistake of one file, so that all are told at once.
class Diagnostics {
 public:
  explicit Diagnostics(std::string file) : file_(std::move(file)) {}

  // The message is escaped: it may quote what the file's author, or someone else, wrote there.
  void add(Position where, std::string message);
  [[nodiscard]] bool empty() const { return items_.empty(); }
  [[nodiscard]] const std::string& file() const { return file_; }
  // In the order of their positions; what was added twice (two listeners that share one faulty
  // default) stands there once.
  [[nodiscard]] std::vector<Diagnostic> sorted() const;
  // `file:line:column: message`, a line each, as sorted() has them.
  [[nodiscard]] std::string to_text() const;

 private:
  std::string file_;
  std::vector<Diagnostic> items_;
};

// The candidate near enough to `given` to be meant by it (a slip of the pen, other case, the
// first letters of it), else "".
[[nodiscard]] std::string nearest(std::string_view given,
                                  const std::vector<std::string>& candidates);

// "; did you mean 'handler'?" where there is a nearest candidate, else "".
[[nodiscard]] std::string did_you_mean(std::string_view given,
                                       const std::vector<std::string>& candidates);

// "'a', 'b' or 'c'"
[[nodiscard]] std::string one_of(const std::vector<std::string>& names);

// `text` in quotes, for a message; cut where it is longer than a message should be.
[[nodiscard]] std::string in_quotes(std::string_view text);

}  // namespace berth
