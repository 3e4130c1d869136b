#include "isolation/crash_report.h"

#include "wire/ulid.h"
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace trellis::isolation {
namespace {

namespace fs = std::filesystem;

bool has_address(int signal) {
  return signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE;
}

std::string hex_text(std::uint64_t value) {
  char text[32];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

// A name of another plugin may begin with this one's, so what follows the name has to be a time.
bool is_report_of(std::string_view plugin, std::string_view file) {
  return file.starts_with(plugin) && file.size() > plugin.size() + 2 && file[plugin.size()] == '-' &&
         std::isdigit(static_cast<unsigned char>(file[plugin.size() + 1])) && file.ends_with("Z.txt") &&
         std::count(file.begin() + static_cast<std::ptrdiff_t>(plugin.size()), file.end(), '-') == 1;
}

// `fresh` stays also when the clock was set back and all others seem later.
void remove_oldest(const fs::path &folder, std::string_view plugin, const fs::path &fresh) {
  std::vector<fs::path> found;
  std::error_code problem;
  for (const auto &entry : fs::directory_iterator(folder, problem))
    if (entry.path() != fresh && is_report_of(plugin, entry.path().filename().string())) found.push_back(entry.path());
  std::ranges::sort(found); // by time, as the name says
  for (std::size_t i = 0; i + kReportsKept <= found.size(); ++i)
    fs::remove(found[i], problem);
}

} // namespace

std::string one_line(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    char hex[8] = "";
    if (byte < 0x20 || byte == 0x7F) std::snprintf(hex, sizeof hex, "\\x%02x", byte);
    out += c == '\n' ? "\\n" : c == '\t' ? "\t" : *hex ? hex : std::string(1, c);
  }
  return out;
}

std::string end_text(int code, int status, const std::optional<CrashFacts> &facts) {
  if (code == CLD_EXITED) return "exited with status " + std::to_string(status);
  std::string text = "killed by " + signal_text(status);
  if (facts && facts->signal == status && has_address(status)) text += " (address " + hex_text(facts->address) + ")";
  return text;
}

std::string format_report(const CrashReport &report) {
  std::string out = "plugin:    " + report.plugin + "\ntime:      " + iso_time(report.unix_ms) +
                    "\nend:       " + one_line(report.cause) + "\nprogram:   " + one_line(report.program) + " " +
                    one_line(report.version) + "\ncontract:  " + report.contract + "\nsha256:    " + report.sha256 +
                    "\n";
  if (report.facts) {
    out += "signal:    " + signal_text(report.facts->signal) + ", code " + std::to_string(report.facts->code) +
           ", thread " + std::to_string(report.facts->thread) + "\n";
    if (has_address(report.facts->signal)) out += "address:   " + hex_text(report.facts->address) + "\n";
    out += "backtrace: (module+offset, for addr2line -e)\n";
    for (const auto &line : report.facts->backtrace)
      out += "  " + one_line(line) + "\n";
  } else {
    out += "backtrace: none; nothing in the process could catch this\n";
  }
  out += "last lines:\n";
  for (const auto &line : report.last_lines)
    out += "  " + one_line(line) + "\n";
  return out;
}

Result<fs::path> write_report(const fs::path &folder, const CrashReport &report) {
  std::string time; // 2026-01-02T03:04:05.678Z without its marks: 20260102T030405678Z
  for (const char c : iso_time(report.unix_ms))
    if (c != '-' && c != ':' && c != '.') time += c;
  const auto path = folder / (report.plugin + "-" + time + ".txt");
  std::error_code problem;
  fs::create_directories(folder.parent_path(), problem);
  ::mkdir(folder.c_str(), 0700);
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return trellis::fail("crash_report", path.string(), std::strerror(errno));
  const auto text = format_report(report);
  const bool written = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::close(file);
  if (!written) return trellis::fail("crash_report", path.string(), "can't be written");
  remove_oldest(folder, report.plugin, path);
  return path;
}

} // namespace trellis::isolation
