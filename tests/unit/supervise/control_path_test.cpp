#include "supervise/control_path.hpp"

#include <doctest/doctest.h>
#include <stdlib.h>
#include <unistd.h>

#include <string>

namespace berth {
namespace {

// The environment as a test has it; as it was when the test is over.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    const char* const before = ::getenv(name);
    if (before != nullptr) before_ = before;
    had_one_ = before != nullptr;
    value == nullptr ? ::unsetenv(name) : ::setenv(name, value, 1);
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;
  ~Variable() { had_one_ ? ::setenv(name_, before_.c_str(), 1) : ::unsetenv(name_); }

 private:
  const char* name_;
  std::string before_;
  bool had_one_;
};

TEST_CASE("a service's control socket lies in the folder that systemd made for it") {
  const Variable service("RUNTIME_DIRECTORY", "/run/berth:/run/other");
  CHECK(default_control_path("/etc/berth/berth.yaml").parent_path() == "/run/berth");
}

TEST_CASE("without such a folder it lies in the user's own") {
  const Variable service("RUNTIME_DIRECTORY", nullptr);
  const Variable session("XDG_RUNTIME_DIR", "/run/user/7");
  const bool root = ::geteuid() == 0;
  CHECK(default_control_path("a.yaml").parent_path() ==
        (root ? "/run/berth" : "/run/user/7/berth"));
}

TEST_CASE("two configs have two control sockets, and one has one however it is named") {
  const auto path = default_control_path("/srv/a/web.yaml");
  CHECK(path != default_control_path("/srv/b/web.yaml"));
  CHECK(path == default_control_path("/srv/a/../a/web.yaml"));
  CHECK(path.filename().string().rfind("web-", 0) == 0);
}

TEST_CASE("the path of a control socket is never too long for one") {
  const std::string folder(300, 'd');
  const std::string name(200, 'n');
  CHECK(default_control_path("/" + folder + "/" + name + ".yaml").string().size() < 108);
}

}  // namespace
}  // namespace berth
