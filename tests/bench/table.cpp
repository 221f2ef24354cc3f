#include "table.hpp"

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>

namespace berth::bench {
namespace {

void drop_empty_columns(std::vector<Row>& rows) {
  for (std::size_t column = rows.front().size(); column-- > 0;) {
    const bool empty = std::all_of(rows.begin() + 1, rows.end(),
                                   [&](const Row& row) { return row[column].empty(); });
    if (!empty) continue;
    for (Row& row : rows) row.erase(row.begin() + static_cast<std::ptrdiff_t>(column));
  }
}

}  // namespace

std::string table(std::vector<Row> rows, bool markdown) {
  drop_empty_columns(rows);
  std::vector<std::size_t> widths(rows.front().size());
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  const auto add_line = [&](const Row& row, char padding) {
    for (std::size_t i = 0; i < widths.size(); ++i) {
      if (markdown) text.append("|").append(1, padding);
      text.append(row[i]).append(widths[i] - row[i].size(), padding);
      text.append(markdown ? 1 : 2, padding);
    }
    text += markdown ? "|\n" : "\n";
  };
  add_line(rows.front(), ' ');
  if (markdown) add_line(Row(widths.size()), '-');
  for (std::size_t line = 1; line < rows.size(); ++line) add_line(rows[line], ' ');
  return text + "\n";
}

std::string format(const char* pattern, ...) {
  std::array<char, 256> text;
  va_list values;
  va_start(values, pattern);
  const int size = std::vsnprintf(text.data(), text.size(), pattern, values);
  va_end(values);
  return {text.data(), std::min(static_cast<std::size_t>(size), text.size() - 1)};
}

}  // namespace berth::bench
