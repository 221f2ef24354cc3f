#include "supervise/orphans.hpp"

#include <signal.h>
#include <sys/wait.h>

namespace berth {

namespace {

bool has_children(pid_t group) {
  siginfo_t info{};
  return ::waitid(P_PGID, static_cast<id_t>(group), &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

}  // namespace

void Orphans::add_group(pid_t group) {
  if (has_children(group)) groups_.push_back(group);
}

bool Orphans::any() {
  forget_empty();
  return !groups_.empty();
}

void Orphans::send_signal(int signal) {
  forget_empty();
  for (const pid_t group : groups_) ::kill(-group, signal);
}

void Orphans::forget_empty() {
  std::erase_if(groups_, [](pid_t group) { return !has_children(group); });
}

}  // namespace berth
