// A fresh folder for one test, removed with everything in it when the object goes out of scope.
#pragma once

#include <filesystem>
#include <string>

namespace trellis::test {

class TempDir {
public:
  TempDir(); // throws when the folder can't be made
  ~TempDir();
  TempDir(const TempDir &) = delete;
  TempDir &operator=(const TempDir &) = delete;

  const std::filesystem::path &path() const { return path_; }
  std::filesystem::path operator/(const std::string &name) const { return path_ / name; }

private:
  std::filesystem::path path_;
};

void write_file(const std::filesystem::path &path, const std::string &text); // throws on failure
std::string read_file(const std::filesystem::path &path);                    // "" when it isn't there

} // namespace trellis::test
