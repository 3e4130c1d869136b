#include "call_login.h"
#include "contract_file.h"
#include "contracts/json_write.h"
#include "wire/ulid.h"
#include <filesystem>
#include <map>
#include <optional>
#include <ostream>
#include <rapidjson/document.h>

namespace trellis::cli {
namespace {

constexpr char kAuthContract[] = "trellis.auth@v1";
constexpr char kLogout[] = "Auth.Sessions.Logout"; // so that `trellis logout` can end these sessions too

struct Found {
  std::string contract_id;
  RpcMethod method;
  std::shared_ptr<const FeedMethod> feed = {};
};

// The rpc of a contract as Trellis.Contract.Get tells it. Schemas are the service's to check: that reply leaves out
// parts of the contract (05 §7.2), and is none that could be validated here.
std::optional<Found> rpc_of(const JsonValue &contract, const std::string &name) {
  const JsonValue *surfaces = find_member(contract, "rpc");
  const JsonValue *surface = surfaces ? find_member(*surfaces, name) : nullptr;
  if (!surface || string_member(*surface, "subject").empty()) return std::nullopt;
  Found found{std::string(string_member(contract, "id")), untyped_method(name)};
  found.method.subject = string_member(*surface, "subject");
  const JsonValue *errors = find_member(*surface, "errors");
  if (errors && errors->IsArray())
    for (const JsonValue &error : errors->GetArray())
      found.method.errors.emplace(string_member(error, "type"), std::nullopt);
  return found;
}

Result<Found> find_in_file(const CallArguments &arguments) {
  const auto contract = read_contract(arguments.contract);
  if (!contract) return tl::unexpected(contract.error());
  Found found{contract->id(), {}};
  if (auto compiled = compile_surface(*contract, arguments, found); !compiled) return tl::unexpected(compiled.error());
  return found;
}

// The control plane tells no feeds of a contract (05 §7.2), so the subject is the usual one and nothing is checked
// here.
Result<Found> assumed_feed(const CallArguments &arguments) {
  if (arguments.contract.empty())
    return fail("feed_unknown", arguments.rpc, "a control plane doesn't tell which contract has it",
                "--contract ID, or --contract FILE");
  const auto any = Schema::compile(*parse_json("{}"));
  FeedMethod feed{arguments.rpc, "feeds.v1." + arguments.rpc, {}, *any, *any};
  return Found{arguments.contract, {}, std::make_shared<const FeedMethod>(std::move(feed))};
}

// Asks for each active contract, or those called --contract.
Result<Found> find_in_catalog(ControlPlane &plane, const CallArguments &arguments) {
  const auto answer = plane.call("Trellis.Catalog", "{}");
  if (!answer) return tl::unexpected(answer.error());
  const JsonValue *catalog = find_member(*answer, "catalog");
  const JsonValue *contracts = catalog ? find_member(*catalog, "contracts") : nullptr;
  if (!contracts || !contracts->IsArray())
    return fail("answer_invalid", "Trellis.Catalog", "the answer holds no contracts");
  std::optional<Found> found;
  for (const JsonValue &entry : contracts->GetArray()) {
    const std::string id(string_member(entry, "id"));
    if (!arguments.contract.empty() && id != arguments.contract) continue;
    const auto got =
        plane.call("Trellis.Contract.Get", JsonObjectText().text("digest", string_member(entry, "digest")).str());
    if (!got) return tl::unexpected(got.error());
    const JsonValue *contract = find_member(*got, "contract");
    auto here = contract ? rpc_of(*contract, arguments.rpc) : std::nullopt;
    if (!here) continue;
    if (found && found->contract_id != here->contract_id)
      return fail("rpc_ambiguous", arguments.rpc, found->contract_id + " and " + here->contract_id + " both have it",
                  "--contract ID");
    found = std::move(here);
  }
  if (!found)
    return fail("rpc_unknown", arguments.rpc, "no active contract has this rpc",
                "the name of an rpc, or --contract FILE");
  return std::move(*found);
}

bool is_file(const std::string &name) {
  std::error_code ignored;
  return !name.empty() && std::filesystem::is_regular_file(name, ignored);
}

bool is_expired(const LoginSession &session, const ServerClock &clock) {
  std::int64_t expires = 0;
  return parse_iso_time(session.expires, expires) && expires <= clock.now() * 1000;
}

// The stored session for this contract at this control plane, or a new login.
Result<LoginSession> session_for(const Participant &participant, const std::string &url, const std::string &rpc,
                                 const ServerClock &clock, Output &out) {
  const auto file = call_session_file(participant.digest);
  auto stored = load_session(file);
  if (stored && stored->trellis_url == url && !is_expired(*stored, clock)) return stored;
  if (!stored && stored.error().code != "session_absent") return stored;
  out.err() << "Calling " << printable(rpc) << " needs a login of its own." << std::endl;
  auto fresh = log_in(url, SessionKey::generate(), participant, out);
  if (!fresh) return fresh;
  if (auto saved = save_session(file, *fresh); !saved) return tl::unexpected(saved.error());
  return fresh;
}

Result<Found> find_surface(ControlPlane &plane, const CallArguments &arguments) {
  if (is_file(arguments.contract)) return find_in_file(arguments);
  return arguments.is_feed ? assumed_feed(arguments) : find_in_catalog(plane, arguments);
}

std::string feed_use_of(std::string_view contract_id, std::string_view feed) {
  const auto feeds = JsonObjectText().texts("subscribe", {std::string(feed)}).str();
  return JsonObjectText().text("contract", contract_id).json("feeds", feeds).str();
}

std::string use_of(std::string_view contract_id, const std::vector<std::string> &rpcs) {
  return JsonObjectText().text("contract", contract_id).json("rpc", JsonObjectText().texts("call", rpcs).str()).str();
}

} // namespace

bool has_login() {
  std::error_code ignored;
  return std::filesystem::exists(admin_session_file(), ignored);
}

Result<Participant> call_participant(std::string_view contract_id, std::string_view rpc, bool is_feed) {
  JsonObjectText required;
  std::vector<std::string> auth{kLogout};
  if (is_feed) {
    required.json("service", feed_use_of(contract_id, rpc));
  } else if (contract_id == kAuthContract) {
    if (rpc != kLogout) auth.emplace_back(rpc);
  } else {
    required.json("service", use_of(contract_id, {std::string(rpc)}));
  }
  required.json("auth", use_of(kAuthContract, auth));
  std::string text = JsonObjectText()
                         .text("format", "trellis.contract.v1")
                         .text("id", "trellis.call@v1")
                         .text("displayName", "trellis call")
                         .text("description", (is_feed ? "Subscribes to " : "Calls ") + std::string(rpc) + " of " +
                                                  std::string(contract_id) + " for an operator at a terminal.")
                         .text("kind", "agent")
                         .json("uses", JsonObjectText().json("required", required.str()).str())
                         .str();
  const auto contract = Manifest::parse(text);
  if (!contract) return tl::unexpected(contract.error());
  return Participant{std::move(text), contract->digest()};
}

Result<CallTarget> call_with_login(const CallArguments &arguments, Output &out) {
  auto entered = sign_in(out);
  if (!entered) return tl::unexpected(explain_session_error(entered.error(), admin_session_file()));
  const auto clock = entered->plane->clock();
  auto found = find_surface(*entered->plane, arguments);
  if (!found) return tl::unexpected(found.error());
  const auto participant = call_participant(found->contract_id, arguments.rpc, arguments.is_feed);
  if (!participant) return tl::unexpected(participant.error());
  auto session = session_for(*participant, entered->session.trellis_url, arguments.rpc, *clock, out);
  if (!session) return tl::unexpected(session.error());
  auto credentials = session_credentials(*session, clock);
  if (!credentials) return tl::unexpected(credentials.error());
  return CallTarget{session_servers(*session),
                    std::move(*credentials),
                    std::move(session->key),
                    std::move(found->method),
                    std::move(found->feed),
                    std::nullopt,
                    call_session_file(participant->digest),
                    [clock] { return clock->now(); }};
}

} // namespace trellis::cli
