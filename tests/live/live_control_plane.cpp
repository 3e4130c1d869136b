#include "live_control_plane.h"

#include "artifact/artifact.h"
#include "builtin_contracts.h"
#include "cli/agent_contract.h"
#include "cli/bundle.h"
#include "cli/login_flow.h"
#include "contracts/canonical.h"
#include "contracts/json_write.h"
#include "contracts/manifest.h"
#include "host/control_socket.h"
#include "host_config/config.h"
#include "http/http_client.h"
#include "live_host.h"
#include "log_lines.h"
#include "support/wait_until.h"
#include "wire/ulid.h"
#include <arpa/inet.h>
#include <csignal>
#include <rapidjson/document.h>
#include <sstream>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

namespace trellis::test {
namespace {

constexpr auto kBundledUrl = "nats://127.0.0.1:4222";

template <class T>
T expect(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().code + " " + result.error().text());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

// A port that nobody has at the moment: the control plane's URLs have to name it before it listens.
std::uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const bool bound = ::bind(fd, reinterpret_cast<sockaddr *>(&address), size) == 0 &&
                     ::getsockname(fd, reinterpret_cast<sockaddr *>(&address), &size) == 0;
  ::close(fd);
  if (!bound) throw std::runtime_error("no free port");
  return ntohs(address.sin_port);
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

// As the host computes it; a debug build of the control plane is too large for reading it byte by byte.
std::string pin_of(const std::filesystem::path &file) {
  return expect(Artifact::open(file)).sha256_hex();
}

// A 2xx answer's JSON.
JsonDocument post(HttpClient &http, const std::string &url, const std::string &body) {
  const auto answer = expect(http.post_json(url, body));
  if (answer.status < 200 || answer.status > 299)
    throw std::runtime_error(url + " answered " + std::to_string(answer.status) + ": " + answer.body);
  return expect(parse_json(answer.body));
}

} // namespace

LiveControlPlane::LiveControlPlane(const Options &options) : port_(free_port()), loop_(expect(NatsLoop::start())) {
  cli::BundleOptions wanted;
  wanted.dir = bundle();
  wanted.websocket_url.clear();
  wanted.trellis_port = port_;
  wanted.public_origin = url();
  wanted.control_plane = {built("auth.so"), pin_of(built("auth.so"))};
  const auto made = expect(cli::make_bundle(wanted, unix_ms_now() / 1000));
  expect(cli::write_bundle(made, bundle(), false));
  nats_ = std::make_unique<NatsServer>(
      NatsServer::Config{.text = "authorization { timeout: 10 }\n" + read_file(bundle() / "nats/jwt.conf")});
  const auto config = bundle() / "trellis/config.jsonc";
  auto text = replaced(read_file(config), kBundledUrl, nats_->url());
  // Tests sign in more often than people do.
  text.insert(text.find('{') + 1, "\"httpRateLimit\": {\"max\": 0}, \"ttlMs\": {\"natsJwt\": " +
                                      std::to_string(options.jwt_life.count()) + "},");
  write_file(config, text);
  host_config_ = replaced(read_file(bundle() / "trellis.toml"), kBundledUrl, nats_->url());
  host_config_ = replaced(host_config_, "[host]\n", "[host]\n" + options.host_lines);
  host_config_ = replaced(host_config_, "[plugins.auth]\n", "[plugins.auth]\n" + options.auth_lines);
}

void LiveControlPlane::set_plugin(const std::string &name, const std::filesystem::path &file,
                                  const std::string &lines) {
  plugins_[name] = {file, lines};
}

void LiveControlPlane::write_config() const {
  std::ostringstream config;
  config << host_config_;
  for (const auto &[name, plugin] : plugins_)
    config << "\n[plugins." << name << "]\npath = \"" << plugin.file.string() << "\"\nsha256 = \""
           << pin_of(plugin.file) << "\"\n"
           << plugin.lines;
  write_file(bundle() / "trellis.toml", config.str());
}

std::filesystem::path LiveControlPlane::control_socket() const {
  return expect(host::load_config(bundle() / "trellis.toml")).state_dir / host::kControlSocketName;
}

void LiveControlPlane::launch() {
  write_config();
  process_ = std::make_unique<Process>(
      std::vector<std::string>{built("trellis-host").string(), "--config", (bundle() / "trellis.toml").string()},
      dir_ / "host.log");
}

void LiveControlPlane::start() {
  const auto before = count_logged({"HTTP is served"});
  launch();
  if (!wait_until([&] { return count_logged({"HTTP is served"}) > before; }, std::chrono::seconds(60)))
    throw std::runtime_error("the control plane didn't come up:\n" + log());
}

std::optional<int> LiveControlPlane::stop() {
  process_->signal(SIGTERM);
  return process_->wait();
}

void LiveControlPlane::kill() {
  process_->signal(SIGKILL);
  process_->wait();
}

std::string LiveControlPlane::bootstrap_link() const {
  const std::string text = log(), mark = "\"bootstrapUrl\":\"";
  const auto at = text.rfind(mark);
  if (at == std::string::npos) throw std::runtime_error("no bootstrap link:\n" + text);
  return text.substr(at + mark.size(), text.find('"', at + mark.size()) - at - mark.size());
}

void LiveControlPlane::set_admin_password() {
  const auto link = bootstrap_link();
  const auto flow = link.substr(link.find("flowId=") + 7);
  HttpClient http;
  post(http, url() + "/auth/account-flow/" + flow + "/local-password",
       JsonObjectText().text("password", kPassword).str());
}

std::string LiveControlPlane::start_flow(const SessionKey &key, const std::string &contract) {
  HttpClient http;
  auto begun = expect(cli::request_login(http, {url(), key, contract}));
  const auto *flow = std::get_if<cli::StartedFlow>(&begun);
  if (!flow) throw std::runtime_error("a new session key was bound at once");
  return flow->flow_id;
}

int LiveControlPlane::log_in(const std::string &flow_id, const std::string &username, const std::string &password) {
  HttpClient http;
  const auto form =
      JsonObjectText().text("flowId", flow_id).text("username", username).text("password", password).str();
  return expect(http.post_json(url() + "/auth/login/local", form)).status;
}

cli::LoginSession LiveControlPlane::sign_in(const std::string &contract) {
  HttpClient http;
  auto key = SessionKey::generate();
  const auto flow = start_flow(key, contract);
  if (const int status = log_in(flow, "admin", kPassword); status != 200)
    throw std::runtime_error("login: HTTP " + std::to_string(status));
  post(http, url() + "/auth/flow/" + flow + "/approval", R"({"approved":true})");
  auto bound = expect(cli::bind_login(http, url(), key, flow));
  const auto digest = expect(Manifest::parse(contract)).digest();
  return {url(),        bound.nats_servers, std::move(key), digest, bound.sentinel_jwt, std::move(bound.sentinel_seed),
          bound.expires};
}

std::unique_ptr<Caller> LiveControlPlane::connect(const cli::LoginSession &session,
                                                  std::optional<std::chrono::seconds> jwt_life) {
  std::map<std::string, Manifest> contracts;
  for (const auto &manifest : expect(auth::builtin_contracts()))
    contracts.insert_or_assign(manifest.id(), manifest);
  for (const auto &[name, plugin] : plugins_)
    if (auto artifact = Artifact::open(plugin.file); artifact)
      contracts.insert_or_assign(artifact->manifest().id(), artifact->manifest());
  auto credentials = [make = expect(cli::session_credentials(session)), jwt_life](const SessionKey &) {
    auto made = make();
    if (made && jwt_life) made->expires_at = unix_ms_now() / 1000 + jwt_life->count();
    return made;
  };
  return std::make_unique<Caller>(*loop_, std::move(credentials), nats_->url(), session.key.clone(),
                                  std::move(contracts));
}

std::unique_ptr<cli::ControlPlane> LiveControlPlane::sign_in_operator() {
  return expect(cli::ControlPlane::connect(sign_in(std::string(cli::agent_contract_text()))));
}

void LiveControlPlane::accept_plan(cli::ControlPlane &plane, const std::string &deployment) {
  const auto filter = JsonObjectText().text("deploymentId", deployment).text("state", "pending").str();
  const auto plans = expect(plane.list("Auth.DeploymentAuthority.Plans.List", filter));
  const auto *entries = find_member(plans, "entries");
  if (!entries || entries->Empty()) throw std::runtime_error("no pending plan: " + to_json(plans));
  // A contract that it uses may have become known since the first one was recorded.
  const auto &newest = (*entries)[entries->Size() - 1];
  expect(plane.call("Auth.DeploymentAuthority.AcceptUpdate",
                    JsonObjectText().text("planId", string_member(newest, "planId")).str()));
}

std::size_t LiveControlPlane::count_logged(const std::vector<std::string> &texts) const {
  return count_lines(log(), texts);
}

std::size_t LiveControlPlane::line_of(const std::vector<std::string> &texts) const {
  return first_line(log(), texts);
}

bool LiveControlPlane::logged(const std::vector<std::string> &texts, std::chrono::milliseconds limit) const {
  return wait_until([&] { return count_logged(texts) > 0; }, limit);
}

std::string caller_contract(const std::string &id, const std::string &contract, const std::vector<std::string> &rpc) {
  return JsonObjectText()
      .text("format", "trellis.contract.v1")
      .text("id", id)
      .text("displayName", "Test caller")
      .text("description", "Calls what a test needs.")
      .text("kind", "agent")
      .json("uses", R"({"required":{"target":{"contract":)" + canonical_string(contract) + R"(,"rpc":)" +
                        JsonObjectText().texts("call", rpc).str() + "}}}")
      .str();
}

} // namespace trellis::test
