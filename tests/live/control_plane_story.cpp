#include "control_plane_story.h"

#include "artifact/artifact.h"
#include "contracts/json_write.h"
#include "store/database.h"
#include "support/wait_until.h"
#include <csignal>
#include <cstdlib>
#include <mutex>
#include <rapidjson/document.h>
#include <span>
#include <stdexcept>
#include <sys/wait.h>

namespace trellis::test {
namespace {

using namespace std::chrono_literals;

constexpr char kAuth[] = "trellis.auth@v1";
constexpr auto kPatience = 60s;
const std::vector<std::string> kPending = {"plugin pending", "\"echo\"", "authority_update_required"},
                               kRunning = {"plugin running", "\"echo\""};

std::string admin_contract() {
  return caller_contract("acme.test-admin@v1", kAuth,
                         {"Auth.Deployments.Create", "Auth.DeploymentAuthority.Plan",
                          "Auth.DeploymentAuthority.Plans.List", "Auth.DeploymentAuthority.AcceptUpdate",
                          "Auth.Sessions.List", "Auth.Sessions.Revoke"});
}

struct Wrong {
  const char *what, *rows; // SQL that finds them
};

constexpr Wrong kHalfWritten[] = {
    {"accepted plan without an authority", "SELECT plan_id FROM plans AS p WHERE state = 'accepted' AND NOT EXISTS "
                                           "(SELECT 1 FROM authorities AS a WHERE a.deployment_id = p.deployment_id)"},
    {"accepted plan without its desired state",
     "SELECT plan_id FROM plans AS p WHERE state = 'accepted' AND NOT EXISTS (SELECT 1 FROM authority_surfaces AS s "
     "WHERE s.deployment_id = p.deployment_id AND s.contract_id = p.contract_id)"},
    {"desired state without an accepted plan",
     "SELECT s.deployment_id FROM authority_surfaces AS s WHERE NOT EXISTS (SELECT 1 FROM plans AS p "
     "WHERE p.deployment_id = s.deployment_id AND p.state = 'accepted')"},
    {"plan that is decided without a decision, or has one without being decided",
     "SELECT plan_id FROM plans WHERE (state IN ('accepted', 'rejected')) <> (decision_at IS NOT NULL)"},
    {"plan whose audit line says something else",
     "SELECT plan_id FROM plans AS p WHERE (state = 'accepted') <> EXISTS "
     "(SELECT 1 FROM audit WHERE action = 'plan.accept' AND subject = p.plan_id)"},
    {"deployment without an authority", "SELECT deployment_id FROM service_deployments AS d WHERE NOT EXISTS "
                                        "(SELECT 1 FROM authorities AS a WHERE a.deployment_id = d.deployment_id)"},
    {"instance without a deployment", "SELECT instance_id FROM service_instances WHERE deployment_id NOT IN "
                                      "(SELECT deployment_id FROM service_deployments)"},
    {"materialization without an authority", "SELECT deployment_id FROM materializations WHERE deployment_id NOT IN "
                                             "(SELECT deployment_id FROM authorities)"},
    {"identity without a user",
     "SELECT identity_id FROM user_identities WHERE user_id NOT IN (SELECT user_id FROM users)"},
    {"user without an identity",
     "SELECT user_id FROM users WHERE user_id NOT IN (SELECT user_id FROM user_identities)"},
    {"password without an identity",
     "SELECT identity_id FROM credentials WHERE identity_id NOT IN (SELECT identity_id FROM user_identities)"},
    {"used link without a password", "SELECT flow_id_hash FROM account_flows WHERE consumed_at IS NOT NULL AND "
                                     "target_identity_id NOT IN (SELECT identity_id FROM credentials)"},
    {"session without a user", "SELECT session_key FROM sessions WHERE user_id NOT IN (SELECT user_id FROM users)"},
    {"session without its grant", "SELECT session_key FROM sessions WHERE identity_grant_id NOT IN "
                                  "(SELECT identity_grant_id FROM identity_grants)"},
    {"session of a disabled instance", "SELECT session_key FROM sessions JOIN service_instances USING (instance_id) "
                                       "WHERE service_instances.disabled"},
};

constexpr Wrong kUnfinished[] = {
    {"reconciliation that still runs", "SELECT deployment_id FROM reconciliation_status WHERE state = 'running'"},
    {"authority that isn't materialized",
     "SELECT a.deployment_id FROM authorities AS a LEFT JOIN materializations AS m USING (deployment_id) "
     "WHERE NOT a.disabled AND (m.status IS NOT 'current' OR m.desired_version IS NOT a.version) AND EXISTS "
     "(SELECT 1 FROM authority_surfaces AS s WHERE s.deployment_id = a.deployment_id)"}, // others wait for a plan
};

std::string rows_of(auth::Reader &db, std::span<const Wrong> wrongs) {
  std::string out;
  for (const auto &wrong : wrongs)
    for (auto row = db.query(wrong.rows); row.next();)
      out += std::string(wrong.what) + ": " + row.text(0) + "\n";
  return out;
}

std::string damage_of(auth::Reader &db) {
  std::string out;
  for (auto row = db.query("PRAGMA integrity_check"); row.next();)
    if (row.text(0) != "ok") out += row.text(0) + "\n";
  return out;
}

// Looks into a copy of the database with its log, so that the next control plane finds them as the last one left them.
template <class Look>
auto look_into(const std::filesystem::path &database, Look look) {
  const TempDir dir;
  const auto copy = dir / "copy.sqlite";
  std::filesystem::copy_file(database, copy);
  if (const auto log = database.string() + "-wal"; std::filesystem::exists(log))
    std::filesystem::copy_file(log, copy.string() + "-wal");
  const auto db = auth::Database::open(copy);
  if (!db) throw std::runtime_error(db.error().text());
  auto found = (*db)->read(look);
  if (!found) throw std::runtime_error(found.error().text());
  return std::move(*found);
}

} // namespace

const char *step_name(Step step) {
  constexpr const char *kNames[] = {"first boot", "set password", "log in", "approve",
                                    "bind",       "propose",      "accept", "revoke"};
  return kNames[static_cast<int>(step)];
}

Story::Story() : contract_(admin_contract()) {
  plane_.set_plugin("echo", built("echo-c.so"));
}

void Story::arm(int n) {
  // Every time another text. The host sees it whole or not at all.
  write_file(plane_.bundle() / "crash.new", std::to_string(n) + " " + std::to_string(++armed_));
  std::filesystem::rename(plane_.bundle() / "crash.new", plane_.bundle() / "crash");
}
void Story::disarm() {
  std::filesystem::remove(plane_.bundle() / "crash");
}

// Without reaping it: that is Process's.
bool Story::is_dead() {
  siginfo_t ended{};
  const auto pid = plane_.process().pid();
  return ::waitid(P_PID, static_cast<id_t>(pid), &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid == pid;
}

bool Story::start() {
  const auto before = plane_.count_logged({"HTTP is served"});
  pending_before_ = plane_.count_logged(kPending);
  running_before_ = plane_.count_logged(kRunning);
  ::setenv("TRELLIS_CRASH_FILE", (plane_.bundle() / "crash").c_str(), 1); // of the host, not of this process
  plane_.launch();
  ::unsetenv("TRELLIS_CRASH_FILE");
  const auto served = [&] { return plane_.count_logged({"HTTP is served"}) > before; };
  if (!wait_until([&] { return is_dead() || served(); }, kPatience))
    throw std::runtime_error("the control plane didn't come up:\n" + plane_.log());
  return !is_dead();
}

void Story::kill_nats() {
  plane_.nats().kill();
  plane_.nats().start();
}

bool Story::advance(Step step) {
  again_ = again_ && step == last_;
  last_ = step;
  const bool running = started_ && !is_dead();
  started_ = true;
  if ((!running && !start()) || !do_step(step) || is_dead()) {
    again_ = true;
    return false;
  }
  again_ = false;
  return true;
}

bool Story::do_step(Step step) {
  switch (step) {
  case Step::first_boot:
    return wait_until([&] { return is_dead() || plane_.count_logged(kPending) > pending_before_; }, kPatience);
  case Step::set_password: return set_password();
  case Step::log_in:
  case Step::approve:
  case Step::bind: return sign_in(step);
  case Step::propose: return propose();
  case Step::accept: return accept();
  case Step::revoke: return revoke();
  }
  return false;
}

// ---------------------------------------------------------------- over HTTP

// The status; nullopt: the host died.
std::optional<int> Story::post(const std::string &path, const std::string &body) {
  HttpClient http;
  const auto answer = http.post_json(plane_.url() + path, body);
  if (answer) return answer->status;
  if (wait_until([&] { return is_dead(); }, 10s)) return std::nullopt;
  throw std::runtime_error(path.substr(0, 20) + ": " + answer.error().code);
}

// A link that was used up by the attempt that was cut off says so (409).
bool Story::set_password() {
  const std::string text = plane_.log(), mark = "flowId=";
  const auto at = text.rfind(mark);
  if (at == std::string::npos) throw std::runtime_error("no bootstrap link:\n" + text);
  const auto begin = at + mark.size();
  const auto flow = text.substr(begin, text.find_first_of("\"&", begin) - begin);
  const auto status = post("/auth/account-flow/" + flow + "/local-password",
                           JsonObjectText().text("password", LiveControlPlane::kPassword).str());
  if (status && *status != 200 && !(again_ && *status == 409))
    throw std::runtime_error("password: HTTP " + std::to_string(*status));
  return status.has_value();
}

// On the flow of the attempt that was cut off, or, when that can't go on, on a new one.
bool Story::sign_in(Step until) {
  if (!flow_.empty() && reach(flow_, until)) return true;
  if (is_dead()) return false;
  if (!flow_.empty() && !again_) throw std::runtime_error(std::string(step_name(until)) + " is refused");
  HttpClient http;
  auto begun = cli::request_login(http, {plane_.url(), key_, contract_});
  if (!begun && wait_until([&] { return is_dead(); }, 10s)) return false;
  if (!begun) throw std::runtime_error(begun.error().text());
  if (const auto *started = std::get_if<cli::StartedFlow>(&*begun)) {
    flow_ = started->flow_id;
    if (!reach(flow_, until) && !is_dead()) throw std::runtime_error(std::string(step_name(until)) + " fails");
    return !is_dead();
  }
  keep_session(std::get<cli::BoundSession>(std::move(*begun))); // the approval was stored: bound at once
  return true;
}

bool Story::reach(const std::string &flow, Step until) {
  const auto form = JsonObjectText()
                        .text("flowId", flow)
                        .text("username", "admin")
                        .text("password", LiveControlPlane::kPassword)
                        .str();
  const bool signed_in = until != Step::log_in && !again_;
  if (!signed_in && post("/auth/login/local", form) != 200) return false;
  if (until == Step::log_in) return true;
  const bool approved = until == Step::bind && !again_;
  if (!approved && post("/auth/flow/" + flow + "/approval", R"({"approved":true})") != 200) return false;
  if (until == Step::approve) return true;
  HttpClient http;
  auto bound = cli::bind_login(http, plane_.url(), key_, flow);
  if (!bound) return bound.error().code != "login_failed" && wait_until([&] { return is_dead(); }, 10s) && false;
  keep_session(std::move(*bound));
  return true;
}

void Story::keep_session(cli::BoundSession bound) {
  const auto manifest = Manifest::parse(contract_);
  if (!manifest) throw std::runtime_error(manifest.error().text());
  session_.emplace(cli::LoginSession{plane_.url(), bound.nats_servers, key_.clone(), manifest->digest(),
                                     bound.sentinel_jwt, std::move(bound.sentinel_seed), bound.expires});
}

// ---------------------------------------------------------------- over NATS

std::optional<CallResult> Story::call(const std::string &rpc, const std::string &input) {
  if (!admin_) admin_ = plane_.connect(*session_);
  if (!admin_->transport().wait_connected(kPatience)) throw std::runtime_error("the administrator can't connect");
  auto method = methods_.find(rpc);
  if (method == methods_.end()) method = methods_.emplace(rpc, admin_->method(kAuth, rpc)).first;
  struct Answer {
    std::mutex mutex;
    std::optional<CallResult> result;
  };
  const auto answer = std::make_shared<Answer>(); // outlives us when the host is gone
  admin_->client().call(method->second, input, {.timeout = kPatience}, [answer](CallResult result) {
    const std::lock_guard lock(answer->mutex);
    answer->result = std::move(result);
  });
  const auto arrived = [&] {
    const std::lock_guard lock(answer->mutex);
    return answer->result.has_value();
  };
  wait_until([&] { return arrived() || is_dead(); }, kPatience + 10s);
  const std::lock_guard lock(answer->mutex);
  if (is_dead() || !answer->result) return std::nullopt;
  return answer->result;
}

// The output; nullopt: the host died.
std::optional<JsonDocument> Story::succeed(const std::string &rpc, const std::string &input) {
  const auto result = call(rpc, input);
  if (!result) return std::nullopt;
  if (!*result) throw std::runtime_error(rpc + ": " + error_text(*result));
  auto output = parse_json(**result);
  if (!output) throw std::runtime_error(rpc + ": no JSON");
  return std::move(*output);
}

bool Story::propose() {
  const auto created =
      call("Auth.Deployments.Create",
           JsonObjectText().text("kind", "service").text("deploymentId", "shop").texts("namespaces", {"acme"}).str());
  if (!created) return false;
  if (!*created && !again_) throw std::runtime_error("create: " + error_text(*created));
  const auto artifact = Artifact::open(built("echo-c.so"));
  if (!artifact) throw std::runtime_error(artifact.error().text());
  const auto &manifest = artifact->manifest();
  return succeed("Auth.DeploymentAuthority.Plan", JsonObjectText()
                                                      .text("deploymentId", "shop")
                                                      .json("contract", manifest.normalized())
                                                      .text("expectedDigest", manifest.digest())
                                                      .str())
      .has_value();
}

// The plan of the echo plugin, which runs then.
bool Story::accept() {
  const auto pending =
      succeed("Auth.DeploymentAuthority.Plans.List",
              JsonObjectText().text("deploymentId", "echo").text("state", "pending").number("limit", 100).str());
  if (!pending) return false;
  const auto &entries = (*pending)["entries"];
  if (entries.Empty() && !again_) throw std::runtime_error("no pending plan");
  if (!entries.Empty()) {
    const auto id = string_member(entries[entries.Size() - 1], "planId");
    const auto accepted = call("Auth.DeploymentAuthority.AcceptUpdate", JsonObjectText().text("planId", id).str());
    if (!accepted) return false;
    if (!*accepted && !again_) throw std::runtime_error("accept: " + error_text(*accepted));
  }
  const auto runs = [&] { return plane_.count_logged(kRunning) > running_before_; };
  if (!wait_until([&] { return is_dead() || runs(); }, kPatience)) throw std::runtime_error("echo doesn't run");
  return !is_dead();
}

// Of the service's own session: the instance is disabled with it.
bool Story::revoke() {
  const auto sessions = succeed("Auth.Sessions.List", JsonObjectText().number("limit", 100).str());
  if (!sessions) return false;
  std::string key;
  for (const auto &entry : (*sessions)["entries"].GetArray())
    if (string_member(entry["principal"], "type") == "service") key = string_member(entry, "sessionKey");
  if (key.empty() && !again_) throw std::runtime_error("no session of a service");
  return key.empty() || succeed("Auth.Sessions.Revoke", JsonObjectText().text("sessionKey", key).str()).has_value();
}

// ---------------------------------------------------------------- what is left

std::string Story::half_written() const {
  if (!std::filesystem::exists(plane_.database())) return {};
  return look_into(plane_.database(), [](auth::Reader &db) {
    // Cut off within the migrations: no table of a later one is there, and none is needed.
    if (!db.query("SELECT 1 FROM sqlite_schema WHERE name = 'audit'").next()) return damage_of(db);
    return damage_of(db) + rows_of(db, kHalfWritten);
  });
}

std::string Story::unfinished() const {
  return look_into(plane_.database(), [](auth::Reader &db) { return rows_of(db, kUnfinished); });
}

std::int64_t Story::count(const std::string &rows) const {
  return look_into(plane_.database(), [&](auth::Reader &db) {
    auto row = db.query("SELECT count(*) FROM " + rows);
    row.next();
    return row.integer(0);
  });
}

bool Story::echo_answers() {
  const auto contract = caller_contract("acme.test-caller@v1", "acme.echo@v1", {"Echo.Say"});
  const auto caller = plane_.connect(plane_.sign_in(contract));
  return caller->call("acme.echo@v1", "Echo.Say", R"({"message":"there?"})", {.timeout = 20s}).has_value();
}

} // namespace trellis::test
