// main() of a fuzz target where no fuzzer drives it: gives it each file named, and each in a folder
// named, once. Options are the fuzzer's and mean nothing here. Fails where there is nothing to
// replay.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

namespace fs = std::filesystem;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

std::vector<fs::path> files_in(const fs::path& named) {
  if (!fs::is_directory(named)) return {named};
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(named)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

bool replay(const fs::path& file) {
  // Before it is run: where that ends the process, this is the last line.
  std::cerr << file.string() << std::endl;
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return false;
  // Of its exact size, on the heap, so that AddressSanitizer sees who reads past the end.
  const std::vector<char> bytes{std::istreambuf_iterator<char>(stream), {}};
  const std::vector<std::uint8_t> input(bytes.begin(), bytes.end());
  return LLVMFuzzerTestOneInput(input.data(), input.size()) == 0;
}

}  // namespace

int main(int argc, char** argv) {
  int replayed = 0;
  for (const std::string& named : std::vector<std::string>(argv + 1, argv + argc)) {
    if (named.starts_with('-')) continue;
    for (const fs::path& file : files_in(named)) {
      if (!replay(file)) {
        std::cerr << "cannot be replayed: " << file.string() << std::endl;
        return EXIT_FAILURE;
      }
      ++replayed;
    }
  }
  std::cout << replayed << " inputs replayed\n";
  return replayed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
