// Isolation by a host that isn't root: its plugins have its own user, so modes and owners of files keep them from
// nothing, and neither do the kernel's rules about other processes. What is left is Landlock and the filter of system
// calls. Each attempt is made for real.
#include "as_nobody.h"
#include "isolation_bench.h"
#include <cstddef>
#include <fstream>
#include <latch>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <thread>

using namespace trellis;
using namespace trellis::test;

namespace {

constexpr char kTrespasser[] = "test.trespasser@v1";

// As a kernel without Landlock answers.
void forget_landlock() {
  become_nobody();
  constexpr auto kNumber = static_cast<unsigned>(offsetof(seccomp_data, nr));
  sock_filter lines[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kNumber),
                         BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_landlock_create_ruleset, 0, 1),
                         BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
                         BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const sock_fprog program{std::size(lines), lines};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0)
    SKIP("no filter of system calls here");
}

bool has_landlock() {
  return ::syscall(SYS_landlock_create_ruleset, nullptr, 0, 1) > 0;
}

struct TrespassBench : Bench {
  explicit TrespassBench(const std::string &lines = {}) : Bench(lines) {
    set_plugin("trespasser", {.file = built("trespasser.so"), .lines = "isolation = \"process\"\n" + lines});
    accept(built("trespasser.so"));
    set_caller("clerk", {{}, {{kEcho, {"*"}}, {kUnruly, {"*"}}, {kTrespasser, {"*"}}}});
  }
  std::string trespass(const std::string &mode, const std::string &path = {}) {
    const auto answer =
        clerk->call(kTrespasser, "Trespasser.Do", R"({"mode":")" + mode + R"(","path":")" + path + "\"}");
    if (!answer) return error_text(answer);
    const auto from = answer->find(":\"") + 2;
    return answer->substr(from, answer->rfind('"') - from);
  }
  fs::path folder_of(const std::string &plugin) const {
    return (::geteuid() == 0 ? fs::path(state().string() + ".plugins") : state() / "plugins") / plugin;
  }
  std::string check() {
    return run_program({built("trellis-host").string(), "--config", config_file().string(), "--check"}).out;
  }
};

// What a stat says that trespassers would change.
std::string facts_of(const fs::path &path) {
  struct stat about {};
  if (::lstat(path.c_str(), &about) != 0) return "gone";
  return std::to_string(about.st_mode) + " " + std::to_string(about.st_uid) + " " + std::to_string(about.st_nlink) +
         (S_ISDIR(about.st_mode) ? std::string() : " " + std::to_string(about.st_size)) + " " +
         std::to_string(about.st_mtim.tv_sec);
}

void check_it_cant_change(TrespassBench &bench, const fs::path &target) {
  for (const std::string mode :
       {"chmod", "fchmodat", "fchmodat2", "chmod-by-handle", "chown", "lchown", "fchownat", "utime", "utimensat",
        "setxattr", "truncate", "unlink", "rmdir", "link", "rename", "descriptor"}) {
    INFO(mode << " " << target);
    const auto before = facts_of(target);
    CHECK(refused(bench.trespass(mode, target.string())));
    CHECK(facts_of(target) == before);
  }
}

void check_it_cant_make_files(TrespassBench &bench, const fs::path &folder) {
  for (const std::string mode : {"symlink", "mkdir", "mkfifo", "descriptor"}) {
    INFO(mode << " " << folder);
    CHECK(refused(bench.trespass(mode, (folder / "made").string())));
    CHECK(facts_of(folder / "made") == "gone");
  }
}

// A socket with a path, as a system's log has one.
class NamedSocket {
public:
  explicit NamedSocket(const fs::path &path) : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.string().copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(fd_, reinterpret_cast<const sockaddr *>(&address), sizeof address) == 0);
    fs::permissions(path, fs::perms::all);
  }
  ~NamedSocket() { ::close(fd_); }
  NamedSocket(const NamedSocket &) = delete;
  NamedSocket &operator=(const NamedSocket &) = delete;
  bool heard_something() const {
    char byte = 0;
    return ::recv(fd_, &byte, 1, 0) >= 0;
  }

private:
  int fd_;
};

// Threads of another user, until the end of the object.
class Crowd {
public:
  Crowd(int threads, unsigned user) : there_(threads) {
    for (int i = 0; i < threads; ++i)
      threads_.emplace_back([this, user] {
        static_cast<void>(::syscall(SYS_setresuid, user, user, user));
        there_.count_down();
        enough_.wait();
      });
    there_.wait();
    ::prctl(PR_SET_DUMPABLE, 1); // as in become_nobody
  }
  ~Crowd() { enough_.count_down(); }
  Crowd(const Crowd &) = delete;
  Crowd &operator=(const Crowd &) = delete;

private:
  std::latch there_, enough_{1};
  std::vector<std::jthread> threads_; // last: they use the others
};

void check_it_cant_trespass(TrespassBench &bench) {
  check_it_cant_change(bench, bench.bundle());
  check_it_cant_change(bench, bench.config_file());
  check_it_cant_change(bench, bench.state());
  check_it_cant_make_files(bench, bench.bundle());
  check_it_cant_make_files(bench, bench.folder_of("unruly"));
  std::size_t files = 0;
  for (const auto &entry : fs::recursive_directory_iterator(bench.state())) {
    if (entry.path().string().starts_with((bench.state() / "plugins/trespasser").string())) continue;
    INFO(entry.path());
    const auto before = facts_of(entry.path());
    for (const std::string mode : {"chmod", "utimensat", "unlink", "truncate"})
      CHECK(refused(bench.trespass(mode, entry.path().string())));
    CHECK(facts_of(entry.path()) == before);
    ++files;
  }
  CHECK(files > 3); // session keys, and the folder of the other plugin

  const NamedSocket log(bench.bundle() / "log.sock");
  CHECK(refused(bench.trespass("send-to", (bench.bundle() / "log.sock").string())));
  CHECK_FALSE(log.heard_something());
  for (const std::string mode : {"signal-by-descriptor", "limit-host", "slow-host", "dumpable"}) {
    INFO(mode);
    CHECK(refused(bench.trespass(mode)));
  }
  CHECK(bench.echo_answers());

  // What it may do.
  CHECK(bench.trespass("stream-pair") == "ok");
  CHECK(bench.trespass("descriptor", (bench.folder_of("trespasser") / "own").string()) == "ok");
  CHECK(bench.trespass("mkdir", (bench.folder_of("trespasser") / "folder").string()) == "ok");
  CHECK(bench.trespass("truncate", (bench.folder_of("trespasser") / "own").string()) == "ok");
  CHECK(bench.trespass("unlink", (bench.folder_of("trespasser") / "own").string()) == "ok");
}

} // namespace

TEST_CASE("with a host that isn't root, an isolated plugin can't read secrets or another process") {
  as_nobody([] {
    if (!has_landlock()) SKIP("this kernel has no Landlock");
    Bench bench;
    bench.begin();
    CHECK(bench.attempt("uid") == std::to_string(::geteuid())); // nothing of this is due to another user
    check_it_cant_read(bench);
    check_it_cant_reach_out(bench);
    // When memory runs out, the kernel ends it before the host.
    CHECK(read_file("/proc/" + bench.attempt("pid") + "/oom_score_adj") == "500\n");
  });
}

TEST_CASE("with a host that isn't root, an isolated plugin can't change the host's files or processes") {
  as_nobody([] {
    if (!has_landlock()) SKIP("this kernel has no Landlock");
    TrespassBench bench;
    bench.begin();
    CHECK(bench.attempt("uid") == std::to_string(::geteuid())); // nothing of this is due to another user
    check_it_cant_trespass(bench);
  });
}

TEST_CASE("with a host that is root, an isolated plugin can't change the host's files or processes") {
  if (::geteuid() != 0) SKIP("this needs root");
  TrespassBench bench;
  bench.begin();
  CHECK(bench.attempt("uid") != "0");
  check_it_cant_trespass(bench);
}

TEST_CASE("with a host that isn't root, crashes are reported and contained as well") {
  as_nobody([] {
    Bench bench;
    bench.begin();
    CHECK(error_text(bench.ask("segfault")).find("trellis.rpc.crashed") != std::string::npos);
    CHECK(bench.unruly_answers());
    REQUIRE(bench.reports().size() == 1);
    CHECK(read_file(bench.reports().front()).find("unruly.so+0x") != std::string::npos);
    CHECK(error_text(bench.ask("abort")).find("trellis.rpc.crashed") != std::string::npos);
    CHECK(bench.unruly_answers());
    CHECK(bench.echo_answers());
    CHECK(bench.stop() == 0);
  });
}

TEST_CASE("a plugin whose threads_max is used up before it begins is refused with words that name it") {
  if (::geteuid() != 0) SKIP("this needs root");
  constexpr unsigned kCrowded = 94'242;
  const Crowd crowd(16, kCrowded); // as many threads as the plugin may have
  Bench bench("threads_max = 16\nuser = " + std::to_string(kCrowded) + "\n");
  bench.begin();
  CHECK(bench.logged({"plugin failed", "\"unruly\"", "can't start the three threads", "threads_max (it is 16)"}));
  CHECK(bench.reports().empty()); // it says so, and doesn't crash
  CHECK(bench.echo_answers());
}

TEST_CASE("--check of a host that isn't root says what it can't limit, and the log does") {
  as_nobody([] {
    TrespassBench bench;
    bench.begin();
    const auto said = bench.check();
    INFO(said);
    CHECK(said.find("unruly: would run") != std::string::npos);
    if (said.find("control groups") == std::string::npos) return; // it has control groups, and can limit everything
    CHECK(said.find("no limit of threads (threads_max)") != std::string::npos);
    CHECK(said.find("memory is limited by RLIMIT_DATA alone") != std::string::npos);
    CHECK(bench.logged({"isolation is incomplete: no limit of threads", "\"unruly\""}));
  });
}

TEST_CASE("a host whose own folders its plugins may read refuses to isolate them, unless it is root") {
  as_nobody([] {
    TrespassBench bench;
    bench.set_plugin("unruly", {.file = built("unruly.so"),
                                .lines = "isolation = \"process\"\nread_paths = [\"" +
                                         bench.bundle().parent_path().string() + "\"]\n"});
    bench.begin();
    CHECK(bench.logged({"plugin failed", "unruly", "isolation_exposed", "have this host's user"}));
    const auto said = bench.check();
    INFO(said);
    CHECK(said.find("unruly: refused: ") != std::string::npos);
    CHECK(said.find("isolated plugins may read what lies below") != std::string::npos);
    CHECK(bench.trespass("stream-pair") == "ok"); // the other one runs
  });
}

TEST_CASE("without Landlock a file that nobody vouches for is refused, and others run with a warning") {
  on_own_thread(forget_landlock, [] {
    TrespassBench bench;
    bench.set_plugin("trespasser", {.file = built("trespasser.so"), .pinned = false});
    bench.begin();
    CHECK(bench.logged({"plugin refused", "trespasser", "untrusted", "without Landlock"}));
    CHECK(bench.logged({"isolation is incomplete: Landlock", "\"unruly\""}));
    CHECK(bench.attempt("nothing") == "ok");
    const auto said = bench.check();
    INFO(said);
    CHECK(said.find("trespasser: refused: ") != std::string::npos);
    CHECK(said.find("no Landlock: files are kept from it by owner and mode only") != std::string::npos);
    // The rest holds.
    check_it_cant_reach_out(bench);
    CHECK(refused(bench.attempt("host-memory")));
    CHECK(refused(bench.attempt("host-environment")));
  });
}
