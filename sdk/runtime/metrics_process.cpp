// What the system says of this process.
#include "runtime/metrics_directory.h"

#include <charconv>
#include <dirent.h>
#include <fstream>
#include <sstream>
#include <sys/resource.h>
#include <unistd.h>

namespace trellis {
namespace {

constexpr MetricInfo kResident{MetricKind::gauge, "trellis.host.memory.resident", "By", "Resident memory of the host."};
constexpr MetricInfo kVirtual{MetricKind::gauge, "trellis.host.memory.virtual", "By", "Virtual memory of the host."};
constexpr MetricInfo kThreads{MetricKind::gauge, "trellis.host.threads", "{thread}", "Threads of the host."};
constexpr MetricInfo kFiles{MetricKind::gauge, "trellis.host.open_files", "{file}", "Open descriptors of the host."};
constexpr MetricInfo kFileLimit{MetricKind::gauge, "trellis.host.open_files_limit", "{file}",
                                "Descriptors that the host may open."};
constexpr MetricInfo kCpu{MetricKind::counter, "trellis.host.cpu.time", "s",
                          "Processor time of the host since its start, in user and system mode."};

void set(MetricSet &metrics, const MetricInfo &info, double value) {
  if (const auto gauge = metrics.gauge(info, {})) (*gauge)->set(value);
}

// The number in a line of /proc/self/status such as "VmRSS:      1234 kB", 0 when there is none.
double status_value(const std::string &line) {
  const auto first = line.find_first_of("0123456789");
  double value = 0;
  if (first != std::string::npos) std::from_chars(line.data() + first, line.data() + line.size(), value);
  return value;
}

void sample_status(MetricSet &metrics) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) set(metrics, kResident, status_value(line) * 1024);
    if (line.starts_with("VmSize:")) set(metrics, kVirtual, status_value(line) * 1024);
    if (line.starts_with("Threads:")) set(metrics, kThreads, status_value(line));
  }
}

void sample_files(MetricSet &metrics) {
  DIR *folder = ::opendir("/proc/self/fd");
  if (!folder) return;
  double count = -1; // without the folder's own
  while (const auto *entry = ::readdir(folder))
    if (entry->d_name[0] != '.') ++count;
  ::closedir(folder);
  set(metrics, kFiles, count);
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) set(metrics, kFileLimit, static_cast<double>(limit.rlim_cur));
}

double seconds(const timeval &time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

} // namespace

void sample_process(MetricSet &metrics) {
  sample_status(metrics);
  sample_files(metrics);
  rusage usage{};
  const auto cpu = metrics.counter(kCpu, {});
  if (cpu && ::getrusage(RUSAGE_SELF, &usage) == 0) (*cpu)->show(seconds(usage.ru_utime) + seconds(usage.ru_stime));
}

} // namespace trellis
