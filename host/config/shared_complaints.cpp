#include "config/shared_complaints.hpp"

#include <algorithm>
#include <utility>

namespace berth {

void SharedComplaints::add(Position where, std::string text, const std::string& listener) {
  const auto same = std::find_if(complaints_.begin(), complaints_.end(), [&](const Complaint& c) {
    return c.where == where && c.text == text;
  });
  if (same != complaints_.end()) {
    same->listeners.push_back(listener);
  } else {
    complaints_.push_back({where, std::move(text), {listener}});
  }
}

void SharedComplaints::tell(Diagnostics& problems) const {
  constexpr std::size_t kMostNamed = 4;
  for (const Complaint& complaint : complaints_) {
    const std::size_t count = complaint.listeners.size();
    std::string text = count == 1 ? "listener " : "listeners ";
    for (std::size_t i = 0; i < std::min(count, kMostNamed); ++i) {
      text += (i == 0 ? "" : ", ") + complaint.listeners[i];
    }
    if (count > kMostNamed) text += " and " + std::to_string(count - kMostNamed) + " more";
    problems.add(complaint.where, text + ": " + complaint.text);
  }
}

}  // namespace berth
