// Tells when one of some files has become another one: written, replaced, removed, or reached by
// another symbolic link.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <vector>

#include "base/fd.hpp"
#include "base/file_identity.hpp"
#include "base/result.hpp"
#include "serve/event_loop.hpp"

namespace berth {

class FileWatch {
 public:
  // `changed` is called once for changes that follow one another quickly, a moment after the last.
  FileWatch(EventLoop& loop, std::function<void()> changed);

  // Watches these instead of any before; what has changed since it watched them last is not
  // forgotten. The error says why nothing can be watched (the kernel's limit on inotify).
  [[nodiscard]] Result<void> watch(const std::vector<std::filesystem::path>& files);
  void stop();

 private:
  void on_event();
  void on_quiet();

  EventLoop& loop_;
  std::function<void()> changed_;
  Fd inotify_;
  std::map<std::filesystem::path, FileIdentity> files_;
  CallWatcher watcher_;
  TimePoint first_event_;
  CallTimer quiet_;
};

}  // namespace berth
