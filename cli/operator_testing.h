// For tests of an operator's commands: a control plane that answers what a test wants, behind real HTTP and a real
// nats-server, and the commands in this process. What the real control plane answers is tested with that one; here are
// its awkward moments: a session that is gone, lists of many pages, no answer at all.
#pragma once

#include "commands.h"
#include "contracts/json.h"
#include "nats/nats_transport.h"
#include "nats/operator_mode.h"
#include "tests/support/http_server.h"
#include "tests/support/nats_server.h"
#include "tests/support/temp_dir.h"
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <rapidjson/document.h>
#include <sstream>
#include <string>
#include <vector>

namespace trellis::cli::test {

inline constexpr char kAdmin[] =
    R"({"participantKind":"agent","user":{"userId":"usr_1","active":true,"name":"Ada","email":"a@x.test",)"
    R"("capabilities":["admin"],"identity":{"identityId":"idn_1","provider":"local","subject":"ada"}},)"
    R"("device":null,"service":null})";

struct Answer {
  std::string body;
  bool is_error = false;
};

class ScriptedControlPlane {
public:
  ScriptedControlPlane() : http_([this](const trellis::test::HttpRequest &request) { return serve_http(request); }) {
    auto loop = NatsLoop::start();
    REQUIRE(loop);
    loop_ = std::move(*loop);
    NatsOptions options;
    options.servers = {nats_.url()};
    options.inbox_prefix = "_INBOX.plane";
    options.credentials = [this] { return Result<ConnectionCredentials>(operator_mode_.user(std::chrono::hours(1))); };
    transport_ = NatsTransport::open(*loop_, std::move(options));
    auto subscribed = transport_->subscribe("rpc.v1.>", "", [this](MessagePtr message) { serve(*message); });
    REQUIRE(subscribed);
    subscription_ = std::move(*subscribed);
    REQUIRE(transport_->wait_connected(std::chrono::seconds(20)));
    REQUIRE(transport_->flush(std::chrono::seconds(5)));
    on("Auth.Sessions.Me", [](const JsonValue &) { return Answer{kAdmin}; });
  }
  ~ScriptedControlPlane() {
    subscription_.reset();
    transport_->close(std::chrono::seconds(2));
  }

  using Handler = std::function<Answer(const JsonValue &input)>;
  void on(const std::string &rpc, Handler handler) {
    const std::lock_guard lock(mutex_);
    handlers_[rpc] = std::move(handler);
  }
  // The inputs of one rpc so far.
  std::vector<std::string> inputs(const std::string &rpc) const {
    const std::lock_guard lock(mutex_);
    const auto found = inputs_.find(rpc);
    return found == inputs_.end() ? std::vector<std::string>() : found->second;
  }
  std::string url() const { return http_.url(); }
  std::size_t logins() const { return logins_; }
  void bind_at_once() { bind_at_once_ = true; }

private:
  void serve(const Message &message) {
    const std::string rpc(message.subject().substr(std::string_view("rpc.v1.").size()));
    const auto input = parse_json(message.payload());
    const std::lock_guard lock(mutex_);
    inputs_[rpc].emplace_back(message.payload());
    const auto handler = handlers_.find(rpc);
    if (handler == handlers_.end() || !input) return;
    const Answer answer = handler->second(*input);
    const Headers error{{"status", "error"}};
    (void)message.respond(answer.body, answer.is_error ? &error : nullptr);
  }

  std::string serve_http(const trellis::test::HttpRequest &request) {
    using trellis::test::http_answer;
    const std::string bound =
        R"({"status":"bound","inboxPrefix":"_INBOX.x","expires":"2099-01-01T00:00:00.000Z","sentinel":{"jwt":")" +
        sentinel_.user.jwt + R"(","seed":")" + sentinel_.user.seed.text().reveal() +
        R"("},"transports":{"native":{"natsServers":[")" + nats_.url() + R"("]}}})";
    if (request.target == "/auth/requests") {
      ++logins_;
      return http_answer(
          200, bind_at_once_ ? bound : R"({"status":"flow_started","flowId":"F1","loginUrl":"http://x/?flowId=F1"})");
    }
    if (request.target == "/auth/flow/F1") return http_answer(200, R"({"status":"redirect","location":"/x"})");
    if (request.target == "/auth/flow/F1/bind") return http_answer(200, bound);
    return http_answer(404, "404 Not Found");
  }

  // In operator mode: the sentinel is a user of it, and connect tokens are there for a callout that this server hasn't.
  const trellis::test::OperatorMode operator_mode_;
  trellis::test::NatsServer nats_{{.text = operator_mode_.config(), .jetstream = false}};
  const ConnectionCredentials sentinel_ = operator_mode_.user(std::chrono::hours(1));
  std::atomic<std::size_t> logins_{0};
  std::atomic<bool> bind_at_once_{false};
  trellis::test::HttpServer http_;
  std::unique_ptr<NatsLoop> loop_;
  std::unique_ptr<NatsTransport> transport_;
  std::unique_ptr<Subscription> subscription_;
  mutable std::mutex mutex_; // guards what follows
  std::map<std::string, Handler> handlers_;
  std::map<std::string, std::vector<std::string>> inputs_;
};

struct Run {
  int code = 0;
  std::string out, err;
};

// One command as its own program would run it.
inline Run run(const std::vector<std::string> &arguments) {
  Program program("trellis", "0", "");
  add_call_command(program.root());
  add_login_commands(program.root());
  add_plan_commands(program.root());
  add_deployment_commands(program.root());
  add_host_commands(program.root());
  std::ostringstream out, err;
  const int code = program.run(arguments, out, err);
  return {code, out.str(), err.str()};
}

// Sessions are kept in a folder of the test's own.
class SessionFolder {
public:
  SessionFolder() { ::setenv("XDG_CONFIG_HOME", dir_.path().c_str(), 1); }
  ~SessionFolder() { ::unsetenv("XDG_CONFIG_HOME"); }
  std::filesystem::path file() const { return dir_ / "trellis/admin-session.json"; }
  std::filesystem::path folder() const { return dir_ / "trellis"; }

private:
  trellis::test::TempDir dir_;
};

} // namespace trellis::cli::test
