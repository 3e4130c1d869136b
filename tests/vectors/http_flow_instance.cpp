#include "http_flow_instance.h"

#include "builtin_contracts.h"
#include "contracts/json_copy.h"
#include "http_urls.h"
#include "platform_streams.h"
#include "wire/ulid.h"
#include "wire_vectors.h"
#include <map>

namespace trellis::vectors {
namespace {

using namespace trellis::auth;

constexpr char kBaseline[] = R"({"instanceName":"Acme Trellis",
  "web":{"origins":["http://localhost:3999","http://app.acme.test"],"publicOrigin":"http://localhost:3999",
    "allowInsecureOrigins":["http://app.acme.test"]},
  "httpRateLimit":{"max":0},
  "nats":{"trellis":{"credsPath":"t"},"auth":{"credsPath":"a"},"system":{"credsPath":"s"},"sentinelCredsPath":"x",
    "authCallout":{"issuer":{"nkey":"A","signing":"S"},"target":{"nkey":"B","signing":"S"},"sxSeed":"X"}},
  "sessionKeySeed":"seed","client":{"natsServers":["ws://localhost:8080"]},
  "oauth":{"redirectBase":"http://localhost:3999/auth/callback","providers":{
    "acme-sso":{"type":"oidc","issuer":"https://idp.acme.test","clientId":"acme-client","clientSecret":"s3cret",
      "displayName":"Acme SSO","organization":"org_42","logout":{"enabled":true}},
    "github":{"type":"github","clientId":"gh-client","clientSecret":"gh-secret"}}}})";

void merge(JsonValue &into, const JsonValue &changes, JsonDocument::AllocatorType &allocator) {
  for (const auto &member : changes.GetObject()) {
    const auto found = into.FindMember(member.name);
    if (found == into.MemberEnd()) {
      into.AddMember(deep_copy(member.name, allocator), deep_copy(member.value, allocator), allocator);
    } else if (found->value.IsObject() && member.value.IsObject() && text_of(member.name) != "providers") {
      merge(found->value, member.value, allocator);
    } else {
      found->value = deep_copy(member.value, allocator);
    }
  }
}

ControlPlaneConfig flow_config(const std::string &nats_url, const JsonValue *changes) {
  auto document = required(parse_json(kBaseline));
  auto &allocator = document.GetAllocator();
  if (changes) merge(document, *changes, allocator);
  document["nats"].AddMember("servers", JsonValue(nats_url.c_str(), allocator), allocator);
  const auto no_file = [](const std::filesystem::path &) -> Result<SecretText> { return SecretText(std::string("x")); };
  return required(parse_control_plane_config(to_json(document), "/etc/acme/config.jsonc", no_file));
}

std::string flow_id_of(std::string_view fields) {
  const auto line = required(parse_json(fields));
  const auto url = string_member(line, "bootstrapUrl");
  const auto at = url.find("flowId=");
  return at == std::string_view::npos ? std::string() : std::string(url.substr(at + 7));
}

} // namespace

FlowInstance::FlowInstance(const JsonValue *changes)
    : config_(flow_config(server_.url(), changes)), db_(required(Database::open(dir_ / "trellis.sqlite"))),
      catalog_(std::make_unique<Catalog>(required(builtin_contracts()))) {
  core_.emplace(
      Core{config_, *db_, *catalog_, [this] { return now_ms(); }, [](Level, std::string_view, std::string_view) {}});
  connect();
  if (const auto made = ensure_platform_streams(*core_, *auth_, *trellis_, choose_replicas(*core_, *system_)); !made)
    throw std::runtime_error(made.error().text());
  const auto sentinel =
      sentinel_json(required(parse_credentials(test::read_file(server_.bundle() / "nats/creds/sentinel.creds"))));
  connections_ = std::make_unique<Connections>(*core_, *auth_, *system_, *trellis_);
  authority_ = std::make_unique<DeploymentAuthority>(*core_, *connections_, *trellis_, *system_, sentinel,
                                                     transports_json(config_));
  api_ = std::make_unique<HttpApi>(*core_, *authority_, *connections_, *auth_, sentinel, transports_json(config_));
  const auto booted = api_->first_boot([this](const std::string &line) { bootstrap_flow_ = flow_id_of(line); });
  if (!booted) throw std::runtime_error(booted.error().text());
}

FlowInstance::~FlowInstance() = default;

std::int64_t FlowInstance::now_ms() const {
  return unix_ms_now() + offset_ms_;
}

void FlowInstance::connect() {
  loop_ = required(NatsLoop::start());
  auth_ = open("auth-auth.creds");
  system_ = open("system.creds");
  trellis_ = open("trellis-auth.creds");
}

std::unique_ptr<NatsTransport> FlowInstance::open(const std::string &credentials) const {
  const auto text = test::read_file(server_.bundle() / ("nats/creds/" + credentials));
  NatsOptions options;
  options.servers = {server_.url()};
  options.name = credentials;
  options.inbox_prefix = "_INBOX.flows";
  options.credentials = [text]() -> Result<ConnectionCredentials> {
    auto user = parse_credentials(text);
    if (!user) return tl::make_unexpected(user.error());
    return ConnectionCredentials{std::move(*user), {}, {}};
  };
  auto transport = NatsTransport::open(*loop_, std::move(options));
  if (!transport->wait_connected(std::chrono::seconds(20))) throw std::runtime_error("not connected: " + credentials);
  return transport;
}

std::optional<Result<std::string>> FlowInstance::admin_rpc(const std::string &method, const std::string &input) {
  auto &authority = *authority_;
  const Decider by{R"({"type":"user"})", "usr_admin"};
  if (method == "Auth.Deployments.Create") {
    const auto body = required(parse_json(input)); // devices come with their issue
    return string_member(body, "kind") == "service" ? std::optional(authority.create_deployment(input, by))
                                                    : std::nullopt;
  }
  if (method == "Auth.Deployments.Disable") return authority.set_deployment_disabled(input, true, by);
  if (method == "Auth.Deployments.Enable") return authority.set_deployment_disabled(input, false, by);
  if (method == "Auth.ServiceInstances.Provision") return authority.provision_instance(input, by);
  if (method == "Auth.ServiceInstances.Disable") return authority.set_instance_disabled(input, true, by);
  if (method == "Auth.ServiceInstances.Enable") return authority.set_instance_disabled(input, false, by);
  if (method == "Auth.DeploymentAuthority.Plan") return authority.plan(input, by);
  if (method == "Auth.DeploymentAuthority.AcceptUpdate") return authority.accept(input, false, by);
  if (method == "Auth.DeploymentAuthority.AcceptMigration") return authority.accept(input, true, by);
  if (method == "Auth.DeploymentAuthority.Reject") return authority.reject(input, by);
  if (method == "Auth.DeploymentAuthority.Reconcile") return authority.reconcile(input, by);
  return std::nullopt;
}

} // namespace trellis::vectors
