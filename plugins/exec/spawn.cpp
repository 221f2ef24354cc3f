#include "spawn.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>

#include <system_error>

namespace {

void check(int error, const std::string& what = "posix_spawn") {
  if (error != 0) throw std::system_error(error, std::generic_category(), what);
}

class Actions {
 public:
  Actions() { check(::posix_spawn_file_actions_init(&actions_)); }
  Actions(const Actions&) = delete;
  Actions& operator=(const Actions&) = delete;
  ~Actions() { ::posix_spawn_file_actions_destroy(&actions_); }
  [[nodiscard]] posix_spawn_file_actions_t* get() { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

class Attributes {
 public:
  Attributes() { check(::posix_spawnattr_init(&attributes_)); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;
  ~Attributes() { ::posix_spawnattr_destroy(&attributes_); }
  [[nodiscard]] posix_spawnattr_t* get() { return &attributes_; }

 private:
  posix_spawnattr_t attributes_;
};

void set_descriptors(posix_spawn_file_actions_t* actions, const std::array<int, 3>& standard) {
  for (int i = 0; i < 3; ++i) {
    const int from = standard[static_cast<std::size_t>(i)];
    check(from >= 0 ? ::posix_spawn_file_actions_adddup2(actions, from, i)
                    : ::posix_spawn_file_actions_addopen(actions, i, "/dev/null", O_RDWR, 0));
  }
  check(::posix_spawn_file_actions_addclosefrom_np(actions, 3));
}

// A worker blocks signals and ignores some, and a program would inherit that.
void set_signals_and_group(posix_spawnattr_t* attributes) {
  sigset_t none, all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  check(::posix_spawnattr_setsigmask(attributes, &none));
  check(::posix_spawnattr_setsigdefault(attributes, &all));
  check(::posix_spawnattr_setpgroup(attributes, 0));
  check(::posix_spawnattr_setflags(
      attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP));
}

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

pid_t spawn(const std::vector<std::string>& command, const std::vector<std::string>& environment,
            const std::array<int, 3>& standard) {
  Actions actions;
  set_descriptors(actions.get(), standard);
  Attributes attributes;
  set_signals_and_group(attributes.get());
  const std::string& file = command.front();
  pid_t pid = 0;
  check(::posix_spawn(&pid, file.c_str(), actions.get(), attributes.get(),
                      pointers_to(command).data(), pointers_to(environment).data()),
        "cannot start " + file);
  return pid;
}
