#include "temporary_folder.hpp"

#include <stdlib.h>

#include <fstream>
#include <system_error>

#include "failure.hpp"

namespace berth::bench {

TemporaryFolder::TemporaryFolder() {
  std::string name = std::filesystem::temp_directory_path() / "berth_bench_XXXXXX";
  if (mkdtemp(name.data()) == nullptr) throw system_failure("cannot make " + name);
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TemporaryFolder::write(const std::string& name, const std::string& content,
                                   Readers readers) const {
  const std::filesystem::path path = path_ / name;
  std::ofstream file(path);
  if (readers == Readers::owner) {
    using std::filesystem::perms;
    std::filesystem::permissions(path, perms::owner_read | perms::owner_write);
  }
  file << content;
  file.close();
  if (!file) throw Failure("cannot write " + path.string());
  return path;
}

}  // namespace berth::bench
