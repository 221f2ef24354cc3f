#include "soak.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <thread>

namespace soak {

namespace {

bool in_full = false;  // set by main before anything runs

std::vector<std::vector<std::string>>& rows() {
  static std::vector<std::vector<std::string>> all = {
      {"what was done", "under", "injected", "lost", "seen"}};
  return all;
}

std::size_t width_of(std::size_t column) {
  std::size_t width = 0;
  for (const auto& row : rows()) width = std::max(width, row[column].size());
  return width;
}

std::string line(const std::vector<std::string>& row) {
  std::string text = "|";
  for (std::size_t i = 0; i < row.size(); ++i) {
    text += " " + row[i] + std::string(width_of(i) - row[i].size(), ' ') + " |";
  }
  return text + "\n";
}

}  // namespace

std::uint64_t count(std::uint64_t brief, std::uint64_t full) { return in_full ? full : brief; }

void run_in_full() { in_full = true; }

Progress::Progress(std::string what, std::uint64_t total)
    : what_(std::move(what)), total_(std::max<std::uint64_t>(1, total)) {}

Progress::~Progress() {
  if (::isatty(STDERR_FILENO) == 1) (void)std::fputs("\r\033[K", stderr);
}

void Progress::show(std::uint64_t done) {
  const auto now = std::chrono::steady_clock::now();
  if (::isatty(STDERR_FILENO) != 1 || now - shown_ < std::chrono::milliseconds(100)) return;
  shown_ = now;
  constexpr std::uint64_t kWidth = 30;
  const std::uint64_t filled = std::min(done, total_) * kWidth / total_;
  (void)std::fprintf(stderr, "\r\033[K[%s%s] %llu of %llu  %s", std::string(filled, '#').c_str(),
                     std::string(kWidth - filled, '.').c_str(),
                     static_cast<unsigned long long>(done), static_cast<unsigned long long>(total_),
                     what_.c_str());
}

e2e::LoadTally wait(e2e::Load& load, Progress& progress, std::uint64_t before) {
  while (!load.over()) {
    progress.show(before + load.done());
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return load.wait();
}

void add_row(std::vector<std::string> cells) {
  cells.resize(rows().front().size());
  rows().push_back(std::move(cells));
}

std::string table() {
  if (rows().size() == 1) return "";
  std::string text = line(rows().front());
  std::vector<std::string> rule;
  for (std::size_t i = 0; i < rows().front().size(); ++i) rule.emplace_back(width_of(i), '-');
  text += line(rule);
  for (std::size_t i = 1; i < rows().size(); ++i) text += line(rows()[i]);
  return text;
}

}  // namespace soak
