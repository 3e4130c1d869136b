#include "temp_dir.h"
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace trellis::test {

TempDir::TempDir() {
  std::string name = (std::filesystem::temp_directory_path() / "trellis-test-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed for " + name);
  path_ = name;
}

TempDir::~TempDir() {
  std::error_code ignored; // a left-over file must not turn a passing test into an abort
  std::filesystem::remove_all(path_, ignored);
}

void write_file(const std::filesystem::path &path, const std::string &text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  if (!file.flush()) throw std::runtime_error("can't write " + path.string());
}

std::string read_file(const std::filesystem::path &path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf(); // block by block: by iterators a sanitized test reads a sanitized host for minutes
  return std::move(text).str();
}

} // namespace trellis::test
