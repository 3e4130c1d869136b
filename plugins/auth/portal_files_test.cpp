#include "portal_files.h"

#include "portal_builtin.h"
#include "support/temp_dir.h"
#include <catch2/catch_test_macros.hpp>
#include <fstream>

namespace trellis::auth {
namespace {

struct Folder {
  test::TempDir dir;
  Folder() {
    write("200.html", "fallback");
    write("secret.txt", "secret");
    write("_trellis/assets/app.css", "css");
    write("_trellis/assets/deep/x.bin", "bin");
    write("_trellis/portal/a.html", "a");
  }
  void write(const std::string &path, const std::string &text) const {
    std::filesystem::create_directories((dir / path).parent_path());
    std::ofstream(dir / path) << text;
  }
  PortalFiles files() const { return PortalFiles(dir.path()); }
};

TEST_CASE("assets are files of their own folder, with the type of their extension") {
  const Folder folder;
  const auto css = folder.files().asset("app.css");
  CHECK(css.status == 200);
  CHECK(css.body == "css");
  REQUIRE(css.headers.size() == 1);
  CHECK(css.headers[0].second == "text/css; charset=utf-8");
  CHECK(folder.files().asset("deep/x.bin").headers.empty());
  CHECK(folder.files().asset("none.css").status == 404);
  CHECK(folder.files().asset("none.css").body.empty());
}

TEST_CASE("no path leads out of its folder") {
  const Folder folder;
  const std::string nul("app.css\0.png", 12);
  for (const std::string path : {"../../secret.txt", "deep/../app.css", "./app.css", "/etc/passwd", "deep//x.bin", "",
                                 "deep", "..\\..\\secret.txt"}) {
    CAPTURE(path);
    CHECK(folder.files().asset(path).status == 404);
  }
  CHECK(folder.files().asset(nul).status == 404);
}

TEST_CASE("a symbolic link out of the portal's folder is not followed") {
  const Folder folder;
  const test::TempDir elsewhere;
  std::ofstream(elsewhere / "x.txt") << "outside";
  std::filesystem::create_symlink(elsewhere / "x.txt", folder.dir / "_trellis/assets/link.txt");
  std::filesystem::create_symlink(folder.dir / "_trellis/assets/app.css", folder.dir / "_trellis/assets/inner.css");
  CHECK(folder.files().asset("link.txt").status == 404);
  CHECK(folder.files().asset("inner.css").body == "css");
}

TEST_CASE("a page is its file, else the one page for all, else nothing") {
  const Folder folder;
  CHECK(folder.files().page("a.html").body == "a");
  CHECK(folder.files().page("users/login").body == "fallback");
  CHECK(folder.files().page("").body == "fallback");
  CHECK(folder.files().page("../secret.txt").status == 404);
  const test::TempDir empty;
  CHECK(PortalFiles(empty.path()).page("users/login").status == 404);
  CHECK(PortalFiles("/nonexistent").page("x").status == 404);
}

TEST_CASE("the built-in pages are complete: what they refer to is there") {
  const PortalFiles files("");
  const auto page = files.page("users/login");
  CHECK(page.status == 200);
  CHECK(page.body.find("/_trellis/assets/portal.js") != std::string::npos);
  CHECK(page.body.find("/_trellis/assets/portal.css") != std::string::npos);
  CHECK(files.asset("portal.js").body.find("Choose a sign-in method") != std::string::npos);
  CHECK(files.asset("portal.css").status == 200);
  CHECK(files.asset("portal").status == 404);
  CHECK_FALSE(builtin_portal_file("/_trellis/assets/"));
}

} // namespace
} // namespace trellis::auth
