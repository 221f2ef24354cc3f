#include "base/source.hpp"

#include <algorithm>
#include <utility>

#include "base/ascii.hpp"
#include "base/escape.hpp"

namespace berth {
namespace {

constexpr std::size_t kLongestQuote = 60;
// Above this a name is no slip of the pen, and the table of distances would cost time.
constexpr std::size_t kLongestName = 100;

// How many letters to add, drop, replace or swap with their neighbour to turn `a` into `b`.
// Swaps count once because they are the commonest slip.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last(b.size() + 1), last(b.size() + 1), now(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) now[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before_last.swap(last);
    last.swap(now);
    now[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      now[j] = std::min({last[j] + 1, now[j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        now[j] = std::min(now[j], before_last[j - 2] + 1);
      }
    }
  }
  return now[b.size()];
}

bool may_be_meant(std::string_view given, std::string_view name, std::size_t distance) {
  if (given.size() >= 3 && name.starts_with(given)) return true;
  const std::size_t limit = std::max<std::size_t>(1, std::max(given.size(), name.size()) / 3);
  // Of two letters that are both wrong nothing is left to recognise.
  return distance <= limit && distance < std::min(given.size(), name.size());
}

}  // namespace

void Diagnostics::add(Position where, std::string message) {
  items_.push_back({where, escaped(message)});
}

std::vector<Diagnostic> Diagnostics::sorted() const {
  std::vector<Diagnostic> result = items_;
  std::sort(result.begin(), result.end());
  result.erase(std::unique(result.begin(), result.end()), result.end());
  return result;
}

std::string Diagnostics::to_text() const {
  std::string text;
  for (const Diagnostic& item : sorted()) {
    text += file_ + ':';
    if (item.where.line > 0) {
      text += std::to_string(item.where.line) + ':' + std::to_string(item.where.column) + ':';
    }
    text += ' ' + item.message + '\n';
  }
  return text;
}

std::string nearest(std::string_view given, const std::vector<std::string>& candidates) {
  if (given.empty() || given.size() > kLongestName) return "";
  const std::string wanted = lower(given);
  std::string best;
  std::size_t best_distance = kLongestName;
  for (const std::string& candidate : candidates) {
    const std::string name = lower(candidate);
    const std::size_t distance = edit_distance(wanted, name);
    if (distance < best_distance && may_be_meant(wanted, name, distance)) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view given, const std::vector<std::string>& candidates) {
  const std::string name = nearest(given, candidates);
  return name.empty() ? "" : "; did you mean '" + name + "'?";
}

std::string one_of(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) text += i + 1 == names.size() ? " or " : ", ";
    text += '\'' + names[i] + '\'';
  }
  return text;
}

std::string in_quotes(std::string_view text) {
  if (text.size() <= kLongestQuote) return '\'' + std::string(text) + '\'';
  std::size_t end = kLongestQuote;
  // Not within a character of several bytes.
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return '\'' + std::string(text.substr(0, end)) + "…'";
}

}  // namespace berth
