// A program that runs for one session, in a process group of its own, and that leaves nothing
// behind: whatever of the group is there when this object goes is ended with it.
//
// Used by one task at a time; start() may block for as long as the disk does.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

class Program {
 public:
  enum class Errors { log, discard, client };

  Program() = default;
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program();

  // Starts it as spawn() does: a socket is its standard input and output, and `errors` says where
  // its standard error goes.
  void start(const std::vector<std::string>& command, const std::vector<std::string>& environment,
             Errors errors);
  // Our ends of its sockets, for the caller to close. The second one only with Errors::log.
  [[nodiscard]] int take_stream();
  [[nodiscard]] int take_errors();

  // Whether it has ended. Only its own process counts, not what it has started.
  [[nodiscard]] bool has_ended() const;
  // Of one that has ended, and not since it was told to: what went wrong, "exit status 3". Nothing
  // where all is well.
  [[nodiscard]] std::optional<std::string> fault() const;

  // Asks it, and whatever it has started, to end, once; or makes it.
  void terminate();
  void kill();

 private:
  pid_t pid_ = 0;
  int stream_ = -1;
  int errors_ = -1;
  bool told_to_end_ = false;
};
