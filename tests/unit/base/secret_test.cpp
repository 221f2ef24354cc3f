#include "base/secret.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <string>

#include "base/fd.hpp"

namespace berth {
namespace {

bool in_child(const std::function<bool()>& holds) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(holds() ? 0 : 1);
  int status = 0;
  return ::waitpid(child, &status, 0) == child && status == 0;
}

TEST_CASE("a secret is its text, and copies are the same") {
  const Secret secret("a key");
  const Secret copy = secret;  // NOLINT(performance-unnecessary-copy-initialization)
  CHECK(copy.text() == "a key");
  CHECK(copy == Secret("a key"));
  CHECK_FALSE(copy == Secret("another"));
  CHECK(Secret().empty());
  CHECK(Secret("").empty());
  copy.forget();
  CHECK(secret.text() == std::string(5, '\0'));
}

TEST_CASE("children see nothing of a secret, unless it is shared with them") {
  const Secret secret("a key");
  CHECK(in_child([&] { return secret.text() == std::string(5, '\0'); }));
  {
    const SharedWithChildren shared(secret);
    CHECK(in_child([&] { return secret.text() == "a key"; }));
  }
  CHECK(in_child([&] { return secret.text() == std::string(5, '\0'); }));
}

TEST_CASE("a file is read to its end, and one that is too long is refused") {
  const Fd memory(::memfd_create("test", MFD_CLOEXEC));
  REQUIRE(::write(memory.get(), "0123456789", 10) == 10);
  const auto read = [&](std::size_t most) {
    (void)::lseek(memory.get(), 0, SEEK_SET);
    return Secret::read(memory.get(), most);
  };
  REQUIRE(read(10));
  CHECK(read(10).value().text() == "0123456789");
  CHECK_FALSE(read(9));
}

TEST_CASE("random secrets are as long as was asked, and differ") {
  CHECK(Secret::random(80).text().size() == 80);
  CHECK_FALSE(Secret::random(80) == Secret::random(80));
}

}  // namespace
}  // namespace berth
