#include "rpc_site.h"

#include "artifact/artifact.h"
#include "cli/sandbox.h"
#include "contracts/json_write.h"
#include "live/live_control_plane.h"
#include "policy/session_keys.h"
#include "support/process.h"
#include "support/temp_dir.h"
#include "support/wait_until.h"
#include "wire/credentials.h"
#include "wire/jwt.h"
#include "wire/nkeys.h"
#include "wire/ulid.h"
#include <csignal>
#include <fstream>
#include <rapidjson/document.h>
#include <stdexcept>

namespace trellis::bench {
namespace {

constexpr char kPlugin[] = "shout";

template <class T>
T expect(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().code + " " + result.error().text());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

std::string first_line(const std::filesystem::path &file) {
  std::ifstream in(file);
  std::string text;
  std::getline(in, text);
  return text;
}

// The public key of the bundle's TRELLIS account.
std::string trellis_account(const std::filesystem::path &bundle) {
  const auto manifest = expect(parse_json(test::read_file(bundle / "manifest.json")));
  const JsonValue *at = &manifest;
  for (const auto name : {"nats", "accounts", "trellis", "publicKey"}) {
    at = find_member(*at, name);
    if (!at) throw std::runtime_error("the bundle's manifest names no TRELLIS account");
  }
  return std::string(text_of(*at));
}

std::filesystem::path echo_cpp() {
  return test::built("echo-cpp.so");
}

class StaticSite final : public RpcSite {
public:
  StaticSite() : sandbox_(expect(cli::Sandbox::open())) {
    expect(sandbox_->approve({{kPlugin, echo_cpp(), {}}}));
    key_ = expect(SessionKey::from_seed(first_line(bundle() / "callers/local.seed")));
    expect(sandbox_->start_host());
  }
  std::string nats_url() const override { return sandbox_->nats_url(); }
  const SessionKey &caller() const override { return key_; }
  std::filesystem::path bundle() const override { return sandbox_->folder() / "bundle"; }

private:
  std::unique_ptr<cli::Sandbox> sandbox_;
  SessionKey key_ = SessionKey::generate(); // replaced by the bundle's
};

// An administrator who signed in; a caller whom the control plane knows.
class LiveSite : public RpcSite {
public:
  std::string nats_url() const override { return plane_.nats().url(); }
  const SessionKey &caller() const override { return key_; }
  std::filesystem::path bundle() const override { return plane_.bundle(); }

protected:
  // With what was configured before.
  void start() {
    plane_.start();
    plane_.set_admin_password();
    admin_ = plane_.sign_in_operator();
  }
  // Once the plugin runs and its contract is known.
  void sign_in_caller() {
    key_ = plane_.sign_in(test::caller_contract("acme.bench@v1", "acme.shout@v1", {"Shout.Say"})).key.clone();
  }

  mutable test::LiveControlPlane plane_; // its server has no const URL
  std::unique_ptr<cli::ControlPlane> admin_;

private:
  SessionKey key_ = SessionKey::generate(); // replaced by the caller's
};

class InProcessSite final : public LiveSite {
public:
  InProcessSite() {
    plane_.set_plugin(kPlugin, echo_cpp());
    start();
    if (!plane_.logged({"plugin pending", kPlugin})) throw std::runtime_error(plane_.log());
    plane_.accept_plan(*admin_, kPlugin);
    if (!plane_.logged({"plugin running", kPlugin})) throw std::runtime_error(plane_.log());
    sign_in_caller();
  }
};

class ByRequestSite final : public LiveSite {
public:
  ByRequestSite() {
    start();
    provision();
    std::ofstream(folder_ / "trellis.toml")
        << "[host]\nname = \"remote\"\nstate_dir = \"state\"\n[nats]\nservers = [\"" << nats_url()
        << "\"]\n[policy]\nmode = \"remote\"\nurl = \"" << plane_.url() << "\"\n[plugins." << kPlugin << "]\npath = \""
        << echo_cpp().string() << "\"\nsha256 = \"" << expect(Artifact::open(echo_cpp())).sha256_hex() << "\"\n";
    host_ = std::make_unique<test::Process>(
        std::vector<std::string>{test::built("trellis-host").string(), "--config", (folder_ / "trellis.toml").string()},
        log_file());
    await("plugin pending");
    plane_.accept_plan(*admin_, kPlugin);
    await("plugin running");
    sign_in_caller();
  }
  ~ByRequestSite() override {
    host_->signal(SIGTERM);
    host_->wait();
  }

private:
  // What an administrator does for a plugin of another host; the host finds the key where it would have made it.
  void provision() {
    const auto key = expect(session_key_for(folder_ / "state", kPlugin)).text();
    const auto deployment =
        JsonObjectText().text("kind", "service").text("deploymentId", kPlugin).json("namespaces", "[]");
    expect(admin_->call("Auth.Deployments.Create", deployment.str()));
    expect(admin_->call("Auth.ServiceInstances.Provision",
                        JsonObjectText().text("deploymentId", kPlugin).text("instanceKey", key).str()));
  }
  void await(const std::string &state) const {
    const auto seen = [&] { return test::read_file(log_file()).find(state) != std::string::npos; };
    if (!test::wait_until(seen, std::chrono::seconds(60))) throw std::runtime_error(test::read_file(log_file()));
  }
  std::filesystem::path log_file() const { return folder_ / "host.log"; }

  test::TempDir folder_;
  std::unique_ptr<test::Process> host_;
};

} // namespace

std::string write_credentials(const std::filesystem::path &bundle, const std::filesystem::path &file,
                              std::vector<std::string> publish, std::vector<std::string> subscribe) {
  auto user = NkeySeed::generate(NkeyType::user);
  UserClaims claims;
  claims.publish_allow = std::move(publish);
  claims.subscribe_allow = std::move(subscribe);
  claims.response_max = 1;
  claims.issuer_account = trellis_account(bundle);
  JwtClaims jwt;
  jwt.name = file.filename().string();
  jwt.subject = user.public_text();
  jwt.issued_at = unix_ms_now() / 1000;
  jwt.expires_at = jwt.issued_at + 36000;
  jwt.nats = user_nats_claims(claims);
  const auto signing = expect(NkeySeed::parse(first_line(bundle / "nats/secrets/auth-target-signing.seed")));
  std::ofstream(file) << format_credentials({sign_jwt(jwt, signing), std::move(user)}).reveal();
  return file.string();
}

std::unique_ptr<RpcSite> static_policy_site() {
  return std::make_unique<StaticSite>();
}
std::unique_ptr<RpcSite> in_process_site() {
  return std::make_unique<InProcessSite>();
}
std::unique_ptr<RpcSite> by_request_site() {
  return std::make_unique<ByRequestSite>();
}

} // namespace trellis::bench
