#include "live_host.h"

#include "artifact/artifact.h"
#include "cli/bundle.h"
#include "log_lines.h"
#include "support/wait_until.h"
#include "wire/ulid.h"
#include <csignal>
#include <cstdlib>
#include <sstream>
#include <stdexcept>

namespace trellis::test {
namespace {

template <class T>
T expect(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().text());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

std::string quoted_list(const std::vector<std::string> &texts) {
  std::string out = "[";
  for (const auto &text : texts)
    out += (out.size() > 1 ? ", \"" : "\"") + text + "\"";
  return out + "]";
}

// The lines of the [account] table of a bundle's policy.toml but the JWTs' life.
std::string account_table(const std::string &policy_toml) {
  std::istringstream lines(policy_toml);
  std::string out;
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("public_key") || line.starts_with("signing_seed_file")) out += line + "\n";
  return out;
}

} // namespace

std::filesystem::path built(const std::string &name) {
  const char *root = std::getenv("TRELLIS_BUILD_DIR");
  if (!root) throw std::runtime_error("TRELLIS_BUILD_DIR isn't set: run this through meson test");
  const std::filesystem::path build(root);
  for (const auto *folder : {"host", "cli", "tests/plugins", "examples", "plugins/auth"})
    if (std::filesystem::exists(build / folder / name)) return build / folder / name;
  throw std::runtime_error("the build made no " + name);
}

std::string error_text(const CallResult &result) {
  return result ? "no error: " + *result : result.error().envelope.to_json();
}

Caller::Caller(NatsLoop &loop, Credentials credentials, const std::string &url, SessionKey key,
               std::map<std::string, Manifest> contracts)
    : key_(std::move(key)), contracts_(std::move(contracts)) {
  NatsOptions options;
  options.servers = {url};
  options.name = "test caller";
  options.inbox_prefix = key_.inbox_prefix();
  options.credentials = [this, credentials = std::move(credentials)] { return credentials(key_); };
  transport_ = NatsTransport::open(loop, std::move(options));
  if (!transport_->wait_connected(std::chrono::seconds(10))) throw std::runtime_error("the caller can't connect");
  client_ = std::make_unique<RpcClient>(*transport_, key_, [] { return unix_ms_now() / 1000; });
}

RpcMethod Caller::method(const std::string &contract_id, const std::string &name) const {
  return expect(compile_rpc(contracts_.at(contract_id), name));
}

CallResult Caller::call(const std::string &contract_id, const std::string &name, const std::string &input,
                        const CallOptions &options) {
  return client_->call_and_wait(method(contract_id, name), input, options);
}

LiveHost::LiveHost(Options options) : options_(std::move(options)), loop_(expect(NatsLoop::start())) {
  cli::BundleOptions wanted;
  wanted.dir = bundle();
  wanted.websocket_url.clear();
  const auto made = expect(cli::make_bundle(wanted, unix_ms_now() / 1000));
  expect(cli::write_bundle(made, bundle(), false));
  account_lines_ = account_table(read_file(bundle() / "policy.toml"));
  nats_ = std::make_unique<NatsServer>(NatsServer::Config{.text = read_file(bundle() / "nats/jwt.conf")});
}

void LiveHost::accept(const std::filesystem::path &file) {
  const auto artifact = expect(Artifact::open(file));
  accepted_[artifact.manifest().id()] = "digest = \"" + artifact.manifest().digest() + "\"\n";
}

void LiveHost::accept_artifact(const std::filesystem::path &file) {
  accept(file);
  const auto artifact = expect(Artifact::open(file));
  accepted_[artifact.manifest().id()] += "sha256 = \"" + artifact.sha256_hex() + "\"\n";
}

void LiveHost::set_caller(const std::string &name, CallerEntry entry) {
  keys_.try_emplace(name, SessionKey::generate());
  callers_[name] = std::move(entry);
}

void LiveHost::write_files() const {
  std::ostringstream config, policy;
  config << "[host]\nname = \"test\"\nstate_dir = \"state\"\n"
         << options_.host_lines << "\n[nats]\nservers = [\"" << nats_->url()
         << "\"]\n\n[policy]\nmode = \"static\"\nfile = \"policy.toml\"\n";
  for (const auto &[name, plugin] : plugins_) {
    config << "\n[plugins." << name << "]\npath = \"" << plugin.file.string() << "\"\n";
    if (plugin.pinned) config << "sha256 = \"" << hex(sha256(as_bytes(read_file(plugin.file)))) << "\"\n";
    config << plugin.lines;
  }
  policy << "[account]\n" << account_lines_ << "jwt_life_s = " << options_.jwt_life.count() << "\n";
  for (const auto &[id, lines] : accepted_)
    policy << "\n[[accept]]\ncontract = \"" << id << "\"\n" << lines;
  for (const auto &[name, caller] : callers_) {
    policy << "\n[[callers]]\nname = \"" << name << "\"\nsession_key = \"" << keys_.at(name).text()
           << "\"\ncapabilities = " << quoted_list(caller.capabilities) << "\n[callers.uses]\n";
    for (const auto &[contract, names] : caller.uses)
      policy << "\"" << contract << "\" = " << quoted_list(names) << "\n";
  }
  config << tables_;
  write_file(config_file(), config.str());
  write_file(bundle() / "policy.toml", policy.str());
}

void LiveHost::launch() {
  write_files();
  process_ = std::make_unique<Process>(
      std::vector<std::string>{built("trellis-host").string(), "--config", config_file().string()}, dir_ / "host.log");
}

void LiveHost::start() {
  const auto before = count_logged({"\"host ready\""});
  launch();
  if (!wait_until([&] { return count_logged({"\"host ready\""}) > before; }, std::chrono::seconds(30)))
    throw std::runtime_error("the host didn't become ready:\n" + log());
}

void LiveHost::reload() {
  const auto before = count_logged({"\"host ready\""});
  write_files();
  process_->signal(SIGHUP);
  if (!wait_until([&] { return count_logged({"\"host ready\""}) > before; }, std::chrono::seconds(30)))
    throw std::runtime_error("the host didn't become ready again:\n" + log());
}

std::optional<int> LiveHost::stop() {
  process_->signal(SIGTERM);
  return process_->wait();
}

void LiveHost::kill() {
  process_->signal(SIGKILL);
  process_->wait();
}

std::unique_ptr<Caller> LiveHost::connect(const std::string &name) {
  std::map<std::string, Manifest> contracts;
  std::vector<Manifest> known;
  for (const auto &[plugin, entry] : plugins_)
    if (auto artifact = Artifact::open(entry.file); artifact) {
      contracts.insert_or_assign(artifact->manifest().id(), artifact->manifest());
      known.push_back(artifact->manifest());
    }
  if (!policy_) policy_ = expect(StaticPolicy::open(bundle() / "policy.toml", {}, unix_ms_now));
  expect(policy_->reload());
  policy_->set_known_contracts(known);
  auto credentials = [policy = policy_.get()](const SessionKey &key) { return policy->caller_credentials(key.text()); };
  return std::make_unique<Caller>(*loop_, std::move(credentials), nats_->url(), keys_.at(name).clone(),
                                  std::move(contracts));
}

std::size_t LiveHost::count_logged(const std::vector<std::string> &texts) const {
  return count_lines(log(), texts);
}

bool LiveHost::logged(const std::vector<std::string> &texts, std::chrono::milliseconds limit) const {
  return wait_until([&] { return count_logged(texts) > 0; }, limit);
}

} // namespace trellis::test
