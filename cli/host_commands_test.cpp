// trellis host against hosts that aren't there, or aren't honest.
#include "commands.h"
#include "contracts/json_write.h"
#include "host/control_socket.h"
#include "tests/support/temp_dir.h"

#include <catch2/catch_test_macros.hpp>
#include <cstring>
#include <sstream>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

using namespace trellis;
using namespace trellis::cli;

namespace {

struct Run {
  int code = 0;
  std::string out, err;
};

Run run(std::vector<std::string> arguments, const std::filesystem::path &state_dir) {
  Program program("trellis", "0", "");
  add_host_commands(program.root());
  arguments.insert(arguments.begin(), "host");
  arguments.insert(arguments.end(), {"--state-dir", state_dir.string()});
  std::ostringstream out, err;
  const int code = program.run(arguments, out, err);
  return {code, out.str(), err.str()};
}

// Answers the first one who asks, whatever the question is.
class FakeHost {
public:
  FakeHost(const std::filesystem::path &state_dir, std::string answer) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const auto path = (state_dir / host::kControlSocketName).string();
    REQUIRE(path.size() < sizeof address.sun_path);
    std::memcpy(address.sun_path, path.data(), path.size());
    listening_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(::bind(listening_, reinterpret_cast<const sockaddr *>(&address), sizeof address) == 0);
    REQUIRE(::listen(listening_, 1) == 0);
    thread_ = std::thread([this, text = std::move(answer)] {
      const int fd = ::accept(listening_, nullptr, nullptr);
      char c = 0;
      while (::read(fd, &c, 1) == 1 && c != '\n') {
      }
      (void)::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
      ::close(fd);
    });
  }
  ~FakeHost() {
    ::shutdown(listening_, SHUT_RDWR); // ends a wait for somebody who never asked
    thread_.join();
    ::close(listening_);
  }
  FakeHost(const FakeHost &) = delete;
  FakeHost &operator=(const FakeHost &) = delete;

private:
  int listening_ = -1;
  std::thread thread_;
};

Run run_with(const std::vector<std::string> &arguments, const std::string &answer) {
  const test::TempDir folder;
  const FakeHost fake(folder.path(), answer + "\n");
  return run(arguments, folder.path());
}

// ESC, and the control character that does the same with one code.
constexpr auto kCommands = "a\x1b[2J\xC2\x9B"
                           "31m";

bool acts_on_terminal(const std::string &text) {
  return text.find('\x1b') != std::string::npos || text.find("\xC2\x9B") != std::string::npos;
}

} // namespace

TEST_CASE("a host that doesn't run is said, with the socket") {
  const test::TempDir folder;
  for (const char *command : {"status", "reload", "metrics", "keys"}) {
    INFO(command);
    const auto asked = run({command}, folder.path());
    CHECK(asked.code == 1);
    CHECK(asked.out.empty());
    CHECK(asked.err.find((folder.path() / host::kControlSocketName).string()) != std::string::npos);
  }
}

TEST_CASE("what is no answer of a host is said, whatever it is") {
  for (const char *answer : {"", "no JSON", "[]", "5", "{}", R"({"ok":"true"})", R"({"ok":false,"reason":7})"}) {
    INFO(answer);
    const auto asked = run_with({"status"}, answer);
    CHECK(asked.code == 1);
    CHECK(asked.err.starts_with("error: "));
  }
}

TEST_CASE("a hostile answer doesn't reach the terminal as commands") {
  const auto metrics =
      run_with({"metrics"}, JsonObjectText().flag("ok", true).text("text", std::string("x 1\n") + kCommands).str());
  CHECK(metrics.code == 0);
  CHECK(metrics.out.starts_with("x 1\na?"));
  CHECK_FALSE(acts_on_terminal(metrics.out));

  const auto status =
      run_with({"status"}, JsonObjectText()
                               .flag("ok", true)
                               .text("host", kCommands)
                               .json("plugins", "[" + JsonObjectText().text("name", kCommands).str() + ",5,{}]")
                               .str());
  CHECK(status.code == 0);
  CHECK_FALSE(acts_on_terminal(status.out));

  const auto refused =
      run_with({"reload"}, JsonObjectText().flag("ok", false).text("code", kCommands).text("reason", kCommands).str());
  CHECK(refused.code == 1);
  CHECK_FALSE(acts_on_terminal(refused.err));
}
