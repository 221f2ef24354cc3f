// Rows of text, laid out in columns.
#pragma once

#include <string>
#include <vector>

namespace berth::bench {

using Row = std::vector<std::string>;

// The first row has the titles. A column with nothing below its title is left out.
std::string table(std::vector<Row> rows, bool markdown);

// As printf does it.
[[gnu::format(printf, 1, 2)]] std::string format(const char* pattern, ...);

}  // namespace berth::bench
