#include "contracts/json.h"
#include "session_file.h"
#include "tests/support/temp_dir.h"
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <optional>
#include <rapidjson/document.h>
#include <sys/stat.h>

using namespace trellis;
using namespace trellis::cli;
using trellis::test::read_file;
using trellis::test::TempDir;
using trellis::test::write_file;

namespace {

// An environment variable for one test.
class Variable {
public:
  Variable(const char *name, const char *value) : name_(name) {
    if (const char *old = std::getenv(name)) old_ = old;
    if (value)
      ::setenv(name, value, 1);
    else
      ::unsetenv(name);
  }
  ~Variable() {
    if (old_)
      ::setenv(name_, old_->c_str(), 1);
    else
      ::unsetenv(name_);
  }
  Variable(const Variable &) = delete;
  Variable &operator=(const Variable &) = delete;

private:
  const char *name_;
  std::optional<std::string> old_;
};

LoginSession session() {
  return {"https://t.example/",
          "nats://a:4222,b",
          SessionKey::generate(),
          "digest",
          "ey.sentinel",
          SecretText(std::string("SUSEED")),
          "2030-01-01T00:00:00.000Z"};
}

unsigned mode_of(const std::filesystem::path &path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 0777u;
}

} // namespace

TEST_CASE("A session comes back from its file as it was") {
  const TempDir dir;
  const auto file = dir / "deep/trellis/admin-session.json";
  const auto saved = session();
  REQUIRE(save_session(file, saved));
  const auto loaded = load_session(file);
  REQUIRE(loaded);
  CHECK(loaded->trellis_url == saved.trellis_url);
  CHECK(loaded->nats_servers == saved.nats_servers);
  CHECK(loaded->key.text() == saved.key.text());
  CHECK(loaded->key.seed_text().reveal() == saved.key.seed_text().reveal());
  CHECK(loaded->contract_digest == saved.contract_digest);
  CHECK(loaded->sentinel_jwt == saved.sentinel_jwt);
  CHECK(loaded->sentinel_seed.reveal() == saved.sentinel_seed.reveal());
  CHECK(loaded->expires == saved.expires);
}

TEST_CASE("A session file has the members that other CLIs read, and is for its owner alone") {
  const TempDir dir;
  const auto file = dir / "trellis/admin-session.json";
  const auto saved = session();
  REQUIRE(save_session(file, saved));
  CHECK(mode_of(file) == 0600);
  CHECK(mode_of(file.parent_path()) == 0700);
  const auto json = parse_json(read_file(file));
  REQUIRE(json);
  CHECK(json->MemberCount() == 8);
  CHECK(string_member(*json, "session_key") == saved.key.text());
  CHECK(string_member(*json, "session_seed") == saved.key.seed_text().reveal());
  for (const char *name :
       {"trellis_url", "nats_servers", "contract_digest", "sentinel_jwt", "sentinel_seed", "expires"})
    CHECK_FALSE(string_member(*json, name).empty());
}

TEST_CASE("Saving replaces a file that others could read by one that they can't") {
  const TempDir dir;
  write_file(dir / "s.json", "{}");
  ::chmod((dir / "s.json").c_str(), 0644);
  REQUIRE(save_session(dir / "s.json", session()));
  CHECK(mode_of(dir / "s.json") == 0600);
}

TEST_CASE("Without a file one isn't logged in") {
  const TempDir dir;
  CHECK(load_session(dir / "none.json").error().code == "session_absent");
}

TEST_CASE("A session file that others can read is refused") {
  const TempDir dir;
  REQUIRE(save_session(dir / "s.json", session()));
  ::chmod((dir / "s.json").c_str(), 0640);
  CHECK(load_session(dir / "s.json").error().code == "secret_exposed");
}

TEST_CASE("A session file with a missing, empty or wrong member is refused, and its secrets aren't repeated") {
  const TempDir dir;
  const auto file = dir / "s.json";
  const auto saved = session();
  REQUIRE(save_session(file, saved));
  const std::string good = read_file(file);
  const auto broken = [&](const std::string &from, const std::string &to) {
    std::string text = good;
    const auto at = text.find(from);
    REQUIRE(at != std::string::npos);
    text.replace(at, from.size(), to);
    write_file(file, text);
    ::chmod(file.c_str(), 0600);
    const auto loaded = load_session(file);
    REQUIRE_FALSE(loaded);
    CHECK(loaded.error().text().find(saved.key.seed_text().reveal()) == std::string::npos);
    return loaded.error().code;
  };
  CHECK(broken("\"expires\"", "\"expired\"") == "session_invalid");
  CHECK(broken("\"digest\"", "\"\"") == "session_invalid");
  CHECK(broken("\"digest\"", "7") == "session_invalid");
  CHECK(broken(saved.key.text(), SessionKey::generate().text()) == "session_invalid");
  CHECK(broken("{", "") == "session_invalid");
}

TEST_CASE("Removing a session takes the legacy credentials with it") {
  const TempDir dir;
  const auto file = dir / "admin-session.json";
  REQUIRE(save_session(file, session()));
  write_file(dir / "admin-sentinel.creds", "old");
  CHECK(remove_session(file));
  CHECK(std::filesystem::is_empty(dir.path()));
  CHECK_FALSE(remove_session(file));
}

TEST_CASE("The folder follows XDG_CONFIG_HOME, then HOME, then the current folder") {
  const Variable home("HOME", "/home/ada");
  {
    const Variable config("XDG_CONFIG_HOME", "/etc/ada");
    CHECK(admin_session_file() == "/etc/ada/trellis/admin-session.json");
  }
  {
    const Variable config("XDG_CONFIG_HOME", "");
    CHECK(admin_session_file() == "/home/ada/.config/trellis/admin-session.json");
  }
  const Variable config("XDG_CONFIG_HOME", nullptr);
  const Variable no_home("HOME", nullptr);
  CHECK(admin_session_file() == ".trellis/admin-session.json");
}

TEST_CASE("The sessions of calls lie beside the CLI's own") {
  const TempDir dir;
  const Variable config("XDG_CONFIG_HOME", dir.path().c_str());
  CHECK(call_session_files().empty());
  REQUIRE(save_session(admin_session_file(), session()));
  REQUIRE(save_session(call_session_file("abc"), session()));
  REQUIRE(call_session_files().size() == 1);
  CHECK(call_session_files().front() == dir / "trellis/call-abc.json");
}
