// Runs something that may crash, hang or exit (the loading of a plugin) in a child process that is
// thrown away, so that whatever happens there is only an error here. The child begins as a program
// that was just started: every signal has its default action and none is blocked, and it has no
// descriptor of its parent's but the standard ones.
#pragma once

#include <functional>
#include <string>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace berth {

// What `work` returned. The error says how the child ended otherwise: "crashed (SIGSEGV)", "ended
// the process (exit status 3)", "did not come to an end within 10s". The caller has one thread.
[[nodiscard]] Result<std::string> try_in_child(const std::function<std::string()>& work,
                                               Duration limit = std::chrono::seconds(10));

}  // namespace berth
