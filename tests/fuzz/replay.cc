// Runs a fuzz target over files, or all files of directories, without a fuzzer: for compilers that
// have none, and for repeating one input.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Path = std::filesystem::path;

bool Replay(const Path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    std::fprintf(stderr, "replay: cannot read %s\n", file.c_str());
    return false;
  }
  const std::vector<char> read{std::istreambuf_iterator<char>(in), {}};
  // A block of exactly this size, so that ASan sees a read past the end.
  const std::vector<std::uint8_t> bytes(read.begin(), read.end());
  // Said beforehand: an input that fails ends the program.
  std::printf("%s\n", file.c_str());
  std::fflush(stdout);
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  return true;
}

std::vector<Path> FilesOf(const Path& path) {
  if (!std::filesystem::is_directory(path)) return {path};
  std::vector<Path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t count = 0;
  bool good = argc > 1;
  for (int i = 1; i < argc; ++i) {
    for (const Path& file : FilesOf(argv[i])) {
      good = Replay(file) && good;
      ++count;
    }
  }
  std::printf("%zu inputs\n", count);
  if (count == 0) std::fprintf(stderr, "replay: nothing to replay; usage: replay FILE|DIR...\n");
  return good && count > 0 ? 0 : 1;
}
