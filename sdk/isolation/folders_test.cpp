// Users of isolated plugins, with a host that is root: one for each plugin, also beside other hosts.
#include "isolation/folders.h"
#include "tests/support/temp_dir.h"
#include <array>
#include <catch2/catch_test_macros.hpp>
#include <csignal>
#include <sys/wait.h>
#include <unistd.h>

using namespace trellis;
using namespace trellis::isolation;

namespace {

constexpr std::size_t kBase = 2'000'000;

std::uint32_t user_of(const std::filesystem::path &state_dir, const std::string &plugin) {
  const auto made = plugin_folder(state_dir, plugin, 0, kBase);
  REQUIRE(made);
  return made->user;
}

// A process of that user, of whomever.
class Stranger {
public:
  explicit Stranger(std::uint32_t user) {
    std::array<int, 2> ready{};
    REQUIRE(::pipe(ready.data()) == 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      const bool changed = ::setgid(user) == 0 && ::setuid(user) == 0 && ::write(ready[1], "x", 1) == 1;
      if (changed)
        for (;;)
          ::pause();
      ::_exit(1);
    }
    ::close(ready[1]);
    char told = 0;
    REQUIRE(::read(ready[0], &told, 1) == 1);
    ::close(ready[0]);
  }
  ~Stranger() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Stranger(const Stranger &) = delete;
  Stranger &operator=(const Stranger &) = delete;

private:
  pid_t pid_ = -1;
};

} // namespace

TEST_CASE("each plugin has a user of its own, also beside those of another host, and keeps it") {
  if (::geteuid() != 0) SKIP("only a host that is root has users for its plugins");
  const test::TempDir one, other;
  const auto mine = user_of(one / "state", "shop"), beside = user_of(one / "state", "till");
  CHECK(mine >= kBase);
  CHECK(mine < kBase + 4096);
  CHECK(mine != beside);
  const Stranger runs(mine); // of that plugin itself: it is being replaced
  CHECK(user_of(one / "state", "shop") == mine);
  // The same name, the same range, another host, which doesn't know of the first one's folders.
  CHECK(user_of(other / "state", "shop") != mine);
}

TEST_CASE("a user that a process runs as already isn't given to a plugin") {
  if (::geteuid() != 0) SKIP("only a host that is root has users for its plugins");
  const test::TempDir folder;
  const auto first = user_of(folder / "state", "shop");
  std::filesystem::remove_all(folder / "state.plugins");
  REQUIRE(user_of(folder / "state", "shop") == first);
  std::filesystem::remove_all(folder / "state.plugins");
  const Stranger runs(first);
  CHECK(user_of(folder / "state", "shop") != first);
}
