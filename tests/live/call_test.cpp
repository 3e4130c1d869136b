// `trellis local init`, `trellis-host` and `trellis call` as an operator uses them, with a plugin in C.
#include "artifact/artifact.h"
#include "bundle_server.h"
#include "contracts/encoding.h"
#include "support/wait_until.h"
#include <catch2/catch_test_macros.hpp>
#include <csignal>
#include <cstdlib>
#include <stdexcept>

using namespace trellis;
using namespace trellis::test;
using namespace std::chrono_literals;

namespace {

constexpr char kInput[] = R"({"message":"hello"})";

std::string built(const std::string &path) {
  const char *root = std::getenv("TRELLIS_BUILD_DIR");
  if (!root) throw std::runtime_error("TRELLIS_BUILD_DIR isn't set: run this through meson test");
  return (std::filesystem::path(root) / path).string();
}

void append(const std::filesystem::path &file, const std::string &text) {
  write_file(file, read_file(file) + text);
}

// The C example, accepted, and the caller "local", who may call it. Ready when the constructor returns.
class Installation {
public:
  Installation() {
    const auto artifact = Artifact::open(built("examples/echo-c.so"));
    if (!artifact) throw std::runtime_error(artifact.error().text());
    append(file("trellis.toml"), "[plugins.echo]\npath = \"" + artifact->path().string() + "\"\nsha256 = \"" +
                                     artifact->sha256_hex() + "\"\n");
    append(file("policy.toml"),
           "\"acme.echo@v1\" = [\"Echo.Say\"]\n[[accept]]\ncontract = \"acme.echo@v1\"\ndigest = \"" +
               artifact->manifest().digest() + "\"\n");
    const std::vector<std::string> argv{built("host/trellis-host"), "--config", file("trellis.toml").string()};
    host_ = std::make_unique<Process>(argv, server_.dir() / "host.log");
    const bool ready =
        wait_until([this] { return read_file(server_.dir() / "host.log").find("host ready") != std::string::npos; });
    if (!ready) throw std::runtime_error("the host isn't ready: " + read_file(server_.dir() / "host.log"));
  }

  Outcome call(const std::vector<std::string> &more, const std::string &input = kInput) const {
    std::vector<std::string> argv{built("cli/trellis"), "call", "Echo.Say", input, "--config", file("trellis.toml")};
    argv.insert(argv.end(), more.begin(), more.end());
    return run_program(argv);
  }
  std::filesystem::path file(const std::string &name) const { return server_.bundle() / name; }

private:
  BundleServer server_;
  std::unique_ptr<Process> host_;
};

} // namespace

TEST_CASE("trellis call prints what the service answered, and what it answers to broken requests") {
  const Installation installation;

  const Outcome answered = installation.call({});
  CHECK(answered.status == 0);
  CHECK(answered.out == std::string(kInput) + "\n");

  const Outcome pretty = installation.call({"--json"});
  CHECK(pretty.status == 0);
  CHECK(pretty.out == "{\n  \"message\": \"hello\"\n}\n");

  const Outcome forged = installation.call({"--forge"});
  CHECK(forged.status == 1);
  CHECK(forged.out.empty());
  CHECK(forged.err.find("invalid_signature") != std::string::npos);

  const Outcome replayed = installation.call({"--replay"});
  CHECK(replayed.status == 1);
  CHECK(replayed.err.find("first request: answered") != std::string::npos);
  CHECK(replayed.err.find("invalid_signature") != std::string::npos);

  const Outcome expired = installation.call({"--expired"});
  CHECK(expired.status == 1);
  CHECK(expired.err.find("iat_out_of_range") != std::string::npos);

  const Outcome outside = installation.call({"--reply-outside"});
  CHECK(outside.status == 1);
  CHECK(outside.err.find("reply_subject_mismatch") != std::string::npos);
}

TEST_CASE("trellis call says what is wrong before anything is sent") {
  const Installation installation;

  const Outcome invalid = installation.call({}, R"({"msg":1})");
  CHECK(invalid.status == 1);
  CHECK(invalid.err.find("ValidationError") != std::string::npos);
  CHECK(invalid.err.find("message") != std::string::npos);

  const Outcome unknown = installation.call({"--as", "locla"});
  CHECK(unknown.status == 1);
  CHECK(unknown.err.find("did you mean local?") != std::string::npos);

  const Outcome two = installation.call({"--forge", "--expired"});
  CHECK(two.status == 1);
  CHECK(two.err.find("one of them") != std::string::npos);
}
