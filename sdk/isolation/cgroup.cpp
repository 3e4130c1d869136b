#include "isolation/cgroup.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <unistd.h>

namespace trellis::isolation {
namespace {

namespace fs = std::filesystem;

constexpr char kRoot[] = "/sys/fs/cgroup";
constexpr char kHostGroup[] = "host";
constexpr const char *kControllers[] = {"memory", "cpu", "pids"};

tl::unexpected<Error> failure(const fs::path &where, const std::string &what) {
  return trellis::fail("cgroup", where.string(), what,
                       "a delegated control group of version 2 (systemd: Delegate=yes)");
}

std::string read_text(const fs::path &file) {
  std::ifstream in(file);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

bool write_text(const fs::path &file, const std::string &text) {
  std::ofstream out(file);
  out << text;
  out.flush();
  return out.good();
}

bool has_word(const std::string &words, std::string_view wanted) {
  std::istringstream in(words);
  for (std::string word; in >> word;)
    if (word == wanted) return true;
  return false;
}

// The path after "0::", or "" when this process is in no group of version 2.
std::string own_path(std::string_view own) {
  std::istringstream lines{std::string(own)};
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("0::")) return line.substr(3);
  return {};
}

// Only a group without processes hands controllers on, and the host can't move others away. The topmost group may, and
// has no type.
bool has_others(const fs::path &group, pid_t host) {
  if (!fs::exists(group / "cgroup.type")) return false;
  std::istringstream in(read_text(group / "cgroup.procs"));
  for (pid_t process = 0; in >> process;)
    if (process != host) return true;
  return false;
}

// What can be said without changing anything.
Result<fs::path> find_group(const fs::path &root, std::string_view own, pid_t host) {
  if (!fs::exists(root / "cgroup.controllers")) return failure(root, "control groups of version 2 aren't mounted here");
  auto path = own_path(own);
  if (path.empty()) return failure(root, "this process is in no control group");
  auto group = root / fs::path(path).relative_path();
  if (group.filename() == kHostGroup) group = group.parent_path(); // it was made ready before
  const auto controllers = read_text(group / "cgroup.controllers");
  for (const char *controller : kControllers)
    if (!has_word(controllers, controller)) return failure(group, std::string("has no controller ") + controller);
  if (::access((group / "cgroup.subtree_control").c_str(), W_OK) != 0 || ::access(group.c_str(), W_OK) != 0)
    return failure(group, "this process may not divide it");
  if (has_others(group, host)) return failure(group, "other processes are in it, so it can't be divided");
  return group;
}

} // namespace

Result<fs::path> divisible_group(const fs::path &root, std::string_view own, pid_t host) {
  auto group = find_group(root, own, host);
  if (!group) return group;
  std::error_code problem;
  fs::create_directory(*group / kHostGroup, problem);
  if (!write_text(*group / kHostGroup / "cgroup.procs", std::to_string(host)))
    return failure(*group, "this process can't move into a group below it");
  for (const char *controller : kControllers)
    if (!write_text(*group / "cgroup.subtree_control", std::string("+") + controller))
      return failure(*group, std::string("the controller ") + controller + " can't be handed on");
  return group;
}

Result<fs::path> divisible_group() {
  return divisible_group(kRoot, read_text("/proc/self/cgroup"), ::getpid());
}

std::string why_not_divisible(const fs::path &root, std::string_view own, pid_t host) {
  const auto group = find_group(root, own, host);
  return group ? std::string() : group.error().text();
}

std::string why_not_divisible() {
  return why_not_divisible(kRoot, read_text("/proc/self/cgroup"), ::getpid());
}

Result<fs::path> enter_group(const fs::path &parent, const std::string &name, pid_t process,
                             const GroupLimits &limits) {
  const auto group = parent / ("plugin-" + name + "-" + std::to_string(process));
  std::error_code problem;
  fs::create_directory(group, problem);
  if (problem) return failure(group, problem.message());
  const auto set = [&](const char *file, bool wanted, const std::string &value) {
    return write_text(group / file, wanted ? value : "max");
  };
  const bool limited = set("memory.max", limits.memory_mb > 0, std::to_string(limits.memory_mb << 20)) &&
                       set("cpu.max", limits.cpu_percent > 0, std::to_string(limits.cpu_percent * 1000) + " 100000") &&
                       set("pids.max", limits.threads > 0, std::to_string(limits.threads));
  write_text(group / "memory.swap.max", limits.memory_mb > 0 ? "0" : "max"); // absent where there is no swap
  write_text(group / "memory.oom.group", "1");
  if (!limited || !write_text(group / "cgroup.procs", std::to_string(process))) {
    remove_group(group);
    return failure(group, "its limits can't be set");
  }
  return group;
}

void remove_group(const fs::path &group) {
  ::rmdir(group.c_str());
}

std::size_t times_out_of_memory(const fs::path &group) {
  std::istringstream in(read_text(group / "memory.events"));
  std::string name;
  std::size_t count = 0;
  while (in >> name >> count)
    if (name == "oom_kill") return count;
  return 0;
}

} // namespace trellis::isolation
