// A named pipe on which a handler waits until the test lets it go on. Open to all: a host that runs
// as root does not run handlers as root.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <stdexcept>
#include <string>

#include "temp_folder.hpp"
#include "wait_for.hpp"

namespace e2e {

class Fifo {
 public:
  Fifo() {
    if (::mkfifo(path().c_str(), 0600) != 0 || ::chmod(path().c_str(), 0644) != 0 ||
        ::chmod(folder_.path().c_str(), 0755) != 0) {
      throw std::runtime_error("cannot make " + path());
    }
  }
  Fifo(const Fifo&) = delete;
  Fifo& operator=(const Fifo&) = delete;
  ~Fifo() {
    if (writer_ >= 0) ::close(writer_);
  }

  [[nodiscard]] std::string path() const { return folder_ / "fifo"; }
  // Waits until somebody has opened it to read; who has now waits for write().
  void wait_for_reader() {
    const bool opened = wait_until([this] {
      writer_ = ::open(path().c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
      return writer_ >= 0;
    });
    if (!opened) throw std::runtime_error("nobody reads " + path());
  }
  void write(const std::string& text) const {
    if (::write(writer_, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
      throw std::runtime_error("cannot write to " + path());
    }
  }

 private:
  TempFolder folder_;
  int writer_ = -1;
};

}  // namespace e2e
