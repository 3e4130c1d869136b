#include "process_figures.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <unistd.h>

namespace trellis::test {
namespace {

std::ifstream open_file(const std::filesystem::path &file) {
  std::ifstream in(file);
  if (!in) throw std::runtime_error("can't read " + file.string());
  return in;
}

std::size_t entries_of(const std::filesystem::path &folder) {
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator()));
}

} // namespace

ProcessFigures figures_of_process(pid_t pid) {
  const std::filesystem::path root = "/proc/" + std::to_string(pid);
  ProcessFigures out;
  std::size_t total_pages = 0, resident_pages = 0;
  open_file(root / "statm") >> total_pages >> resident_pages;
  out.rss_kb = resident_pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) / 1024;
  auto maps = open_file(root / "maps");
  for (std::string line; std::getline(maps, line);)
    ++out.mappings;
  out.threads = entries_of(root / "task");
  out.descriptors = entries_of(root / "fd");
  return out;
}

} // namespace trellis::test
