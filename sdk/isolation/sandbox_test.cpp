// The decisions of the sandbox; that the kernel then keeps to them is tried by tests/live/isolation_test.cpp and
// isolation_user_test.cpp.
#include "isolation/sandbox.h"

#include "tests/support/temp_dir.h"
#include <catch2/catch_test_macros.hpp>

using namespace trellis::isolation;
using namespace trellis::test;

TEST_CASE("folders below the system's libraries are readable to every isolated plugin, others aren't") {
  CHECK(readable_path_above("/usr/local/var/trellis", {}) == "/usr");
  CHECK(readable_path_above("/usr", {}) == "/usr");
  CHECK(readable_path_above("/etc/ssl/certs/trellis/", {}) == "/etc/ssl/certs");
  CHECK(readable_path_above("/etc/ssl/private/trellis.key", {}).empty()); // what a host may read isn't a plugin's
  CHECK(readable_path_above("/etc/pki/tls/private/trellis.key", {}).empty());
  CHECK(readable_path_above("/var/lib/trellis", {}).empty());
  CHECK(readable_path_above("/etc/trellis", {}).empty());
  CHECK(readable_path_above("/usrlocal/trellis", {}).empty()); // a name that begins alike
  CHECK(readable_path_above("/usr/../var/lib/trellis", {}).empty());
  CHECK(readable_path_above("/", {}).empty());
}

TEST_CASE("read_paths count with those below them, and links are followed") {
  const TempDir dir;
  std::filesystem::create_directories(dir / "real/state");
  std::filesystem::create_symlink(dir / "real", dir / "link");
  const auto link = (dir / "link").string();
  CHECK(readable_path_above(dir / "real/state", {link}) == link);
  CHECK(readable_path_above(dir / "link/state", {(dir / "real").string()}) == (dir / "real").string());
  CHECK(readable_path_above(dir / "link/state/not-yet-made", {link}) == link);
  CHECK(readable_path_above(dir / "real", {(dir / "real/state").string()}).empty());
}
