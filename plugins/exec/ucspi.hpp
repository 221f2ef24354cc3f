// What a program is told of its connection, in its environment: the names that UCSPI-TCP and
// UCSPI-UNIX have given these things, and those of UCSPI-TCP for UDP.
#pragma once

#include <map>
#include <string>
#include <vector>

// As NAME=VALUE: what this process has, without what others may have said of connections; what
// `scheme`, `peer` and `local` tell (Connection::scheme() and so on); and `more`, which wins over
// both.
[[nodiscard]] std::vector<std::string> environment_of_program(
    const std::string& scheme, const std::string& peer, const std::string& local,
    const std::map<std::string, std::string>& more);
