#include "generate/output_files.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <unistd.h>

namespace trellis::generate {
namespace {

namespace fs = std::filesystem;

tl::unexpected<Error> unwritable(const fs::path &file, int error) {
  return fail("file_unwritable", file.string(), std::string("the file can't be written: ") + std::strerror(error));
}

bool holds(const fs::path &file, const std::string &text) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream held;
  if (in) held << in.rdbuf();
  return in && held.str() == text;
}

// Removes what wasn't renamed.
class Prepared {
public:
  Prepared() = default;
  Prepared(const Prepared &) = delete;
  Prepared &operator=(const Prepared &) = delete;
  ~Prepared() {
    std::error_code ignored;
    for (const auto &[temporary, target] : files_)
      fs::remove(temporary, ignored);
  }

  Result<void> add(const fs::path &target, const std::string &text) {
    const auto temporary = target.string() + "." + std::to_string(::getpid()) + ".new";
    files_.emplace_back(temporary, target);
    std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
    out << text;
    out.close();
    if (!out) return unwritable(target, errno);
    return {};
  }

  Result<void> rename_all() {
    for (const auto &[temporary, target] : files_) {
      std::error_code error;
      fs::rename(temporary, target, error);
      if (error) return unwritable(target, error.value());
    }
    files_.clear();
    return {};
  }

private:
  std::vector<std::pair<fs::path, fs::path>> files_;
};

} // namespace

Result<OutputTarget> output_target(const std::string &text) {
  const fs::path path(text);
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) return OutputTarget{path, {}};
  const auto folder = path.parent_path().empty() ? fs::path(".") : path.parent_path();
  if (path.extension() != ".h")
    return fail("no_folder", text, "is no folder", "an existing folder, or the name of a header: FOLDER/NAME.h");
  if (!fs::is_directory(folder, ignored)) return fail("no_folder", folder.string(), "is no folder", "an existing one");
  const auto stem = path.stem().string();
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
  };
  if (stem.empty() || !std::all_of(stem.begin(), stem.end(), is_plain))
    return fail("output_name", text, "is no name to include", "letters, digits and any of _ - .");
  return OutputTarget{folder, stem};
}

Result<void> write_files(const fs::path &folder, const std::vector<GeneratedFile> &files) {
  Prepared prepared;
  for (const auto &file : files) {
    if (holds(folder / file.name, file.text)) continue;
    if (auto added = prepared.add(folder / file.name, file.text); !added) return added;
  }
  return prepared.rename_all();
}

} // namespace trellis::generate
