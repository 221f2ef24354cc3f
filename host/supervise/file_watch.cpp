#include "supervise/file_watch.hpp"

#include <sys/inotify.h>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>

namespace berth {

namespace fs = std::filesystem;

namespace {

// Files come in several steps (a linker's, a package manager's): after the last of them so long.
constexpr Duration kQuiet = std::chrono::milliseconds(200);

// And not longer than this after the first, should there never be an end of it.
constexpr Duration kLongest = std::chrono::seconds(2);

constexpr std::uint32_t kEvents =
    IN_CLOSE_WRITE | IN_CREATE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_ATTRIB | IN_ONLYDIR;

}  // namespace

FileWatch::FileWatch(EventLoop& loop, std::function<void()> changed)
    : loop_(loop),
      changed_(std::move(changed)),
      watcher_([this] { on_event(); }),
      quiet_(loop.timers(), [this] { on_quiet(); }) {}

Result<void> FileWatch::watch(const std::vector<fs::path>& files) {
  stop();
  inotify_ = Fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!inotify_) return system_error("cannot watch files", errno);
  // Folders, and not the files: these are replaced by others of the same name, which no watch of
  // the old one tells. Whether what happens there matters is asked of the files themselves.
  std::set<fs::path> folders;
  for (const fs::path& file : files) {
    folders.insert(file.parent_path());
    std::error_code error;
    const fs::path target = fs::canonical(file, error);
    if (!error) folders.insert(target.parent_path());
  }
  for (const fs::path& folder : folders) {
    if (::inotify_add_watch(inotify_.get(), folder.c_str(), kEvents) < 0) {
      return system_error("cannot watch " + folder.string(), errno);
    }
  }
  std::map<fs::path, FileIdentity> now;
  for (const fs::path& file : files) {
    const auto before = files_.find(file);
    now[file] = before == files_.end() ? identity_of(file) : before->second;
  }
  files_ = std::move(now);
  watcher_.start(loop_.demultiplexer(), inotify_.get());
  first_event_ = Clock::now();
  quiet_.arm(after(first_event_, kQuiet));
  return {};
}

void FileWatch::stop() {
  watcher_.stop();
  quiet_.disarm();
  inotify_.reset();
}

void FileWatch::on_event() {
  std::array<char, 4096> buffer;
  while (::read(inotify_.get(), buffer.data(), buffer.size()) > 0) {
  }
  const TimePoint now = Clock::now();
  if (!quiet_.armed()) first_event_ = now;
  quiet_.arm(std::min(after(now, kQuiet), after(first_event_, kLongest)));
}

void FileWatch::on_quiet() {
  bool any = false;
  for (auto& [file, identity] : files_) {
    const FileIdentity now = identity_of(file);
    any = any || now != identity;
    identity = now;
  }
  if (any) changed_();
}

}  // namespace berth
