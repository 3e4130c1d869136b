#include "isolation/crash_report.h"

#include "tests/support/temp_dir.h"
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <csignal>
#include <cstring>
#include <fstream>
#include <memory>
#include <sys/stat.h>
#include <sys/wait.h>

using namespace trellis::isolation;

namespace {

std::unique_ptr<CrashArea> area_of_a_crash() {
  auto area = std::make_unique<CrashArea>();
  area->crashed = 1;
  area->signal = SIGSEGV;
  area->address = 0x10;
  area->pc = 0x7000;
  area->module_count = 2;
  area->modules[0] = {0x1000, 0x2000, 0x1000, "libc.so"};
  area->modules[1] = {0x6000, 0x8000, 0x6000, "echo.so"};
  area->frame_count = 3;
  area->frames[0] = 0x1500; // the handler
  area->frames[1] = 0x7000;
  area->frames[2] = 0x9999; // nobody's
  return area;
}

} // namespace

TEST_CASE("a backtrace begins where the crash was, with module and offset") {
  const auto facts = crash_facts(*area_of_a_crash());
  REQUIRE(facts);
  CHECK(facts->backtrace == std::vector<std::string>{"#0 echo.so+0x1000", "#1 0x9999"});
  CHECK(end_text(CLD_KILLED, SIGSEGV, facts) == "killed by SIGSEGV (address 0x10)");
}

TEST_CASE("without a backtrace the program counter is what is left") {
  auto area = area_of_a_crash();
  area->frame_count = 0;
  CHECK(crash_facts(*area)->backtrace == std::vector<std::string>{"#0 echo.so+0x1000"});
}

TEST_CASE("an area that nobody wrote is no crash, and counts and names beyond it are cut") {
  auto area = area_of_a_crash();
  area->crashed = 0;
  CHECK(!crash_facts(*area));
  area->crashed = 1;
  area->frame_count = area->module_count = ~0U;
  std::memset(area->modules[1].name, '\n', CrashArea::kName);
  const auto facts = crash_facts(*area);
  REQUIRE(facts);
  CHECK(facts->backtrace.size() <= CrashArea::kFrames);
  CHECK(facts->backtrace.front().find('\n') == std::string::npos);
}

TEST_CASE("how a process ended, in words") {
  CHECK(end_text(CLD_EXITED, 7, std::nullopt) == "exited with status 7");
  CHECK(end_text(CLD_KILLED, SIGKILL, std::nullopt) == "killed by SIGKILL");
}

TEST_CASE("nothing that a process says makes a line of its own in its report") {
  CrashReport report;
  report.plugin = "echo";
  report.facts.emplace();
  report.cause = "it failed\nsha256:    0";
  report.program = "echo\nend:       in peace";
  report.version = "1\r2\x1b";
  report.last_lines = {"one\ttext\nplugin:    another"};
  const auto text = format_report(report);
  INFO(text);
  CHECK(std::ranges::count(text, '\n') == 10);
  CHECK(text.find("end:       it failed\\nsha256:    0\n") != std::string::npos);
  CHECK(text.find("program:   echo\\nend:       in peace 1\\x0d2\\x1b\n") != std::string::npos);
  CHECK(text.find("  one\ttext\\nplugin:    another\n") != std::string::npos);
}

TEST_CASE("the newest reports of a plugin are kept, and those of others left alone") {
  const trellis::test::TempDir dir;
  const auto folder = dir / "crashes";
  CrashReport report;
  report.plugin = "echo-two";
  REQUIRE(write_report(folder, report));
  report.plugin = "echo";
  for (int i = 0; i < 25; ++i) {
    report.unix_ms = 1'700'000'000'000 + i * 1000L;
    const auto file = write_report(folder, report);
    REQUIRE(file);
    struct stat about {};
    REQUIRE(::stat(file->c_str(), &about) == 0);
    CHECK((about.st_mode & 0777) == 0600);
  }
  std::size_t files = 0;
  for ([[maybe_unused]] const auto &entry : std::filesystem::directory_iterator(folder))
    ++files;
  CHECK(files == kReportsKept + 1);
}

TEST_CASE("a report is kept when the clock was set back and all others are of a later time") {
  const trellis::test::TempDir dir;
  CrashReport report;
  report.plugin = "echo";
  for (int i = 0; i < 20; ++i) {
    report.unix_ms = 1'800'000'000'000 + i * 1000L;
    REQUIRE(write_report(dir / "crashes", report));
  }
  report.unix_ms = 1'700'000'000'000;
  const auto file = write_report(dir / "crashes", report);
  REQUIRE(file);
  CHECK(std::filesystem::exists(*file));
}
