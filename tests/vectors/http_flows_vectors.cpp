// http-flows.json (vectors README §4.3): transcripts of the HTTP surface, replayed against the real routes.
//
// A case whose route or RPC doesn't exist yet runs as far as it can, must be right so far, and is then named with
// what is missing, and not counted.
#include "compare.h"
#include "contracts/canonical.h"
#include "contracts/json_copy.h"
#include "http_cases.h"
#include "http_flow_instance.h"
#include "http_flow_values.h"
#include "placeholders.h"
#include "wire_vectors.h"
#include <algorithm>
#include <cstdlib>
#include <set>

namespace trellis::vectors {
namespace {

using auth::HttpRequest;
using auth::HttpResponse;

// One instance for sequence "main"; every other case has its own.
struct MainSequence {
  std::unique_ptr<FlowInstance> instance;
  std::set<std::string> incomplete; // cases that stopped early
};

// The environment of the control plane, for as long as a case runs.
class Environment {
public:
  void set(const std::string &name, const std::string &value) {
    names_.push_back(name);
    ::setenv(name.c_str(), value.c_str(), 1);
  }
  ~Environment() {
    for (const auto &name : names_)
      ::unsetenv(name.c_str());
  }

private:
  std::vector<std::string> names_;
};

// "" when the route exists; else its name in 04 §2.
std::string missing_route(std::string_view method, std::string_view path) {
  path = path.substr(0, path.find('?'));
  if (method == "POST" && path.ends_with("/register/local")) return "POST /auth/flow/:flowId/register/local";
  if (path.starts_with("/auth/devices/")) return "POST " + std::string(path);
  if (method != "GET") return "";
  if (path.starts_with("/auth/login/")) return "GET /auth/login/:provider";
  if (path.starts_with("/auth/callback/")) return "GET /auth/callback/:provider";
  const bool account = path.starts_with("/auth/account-flow/") && path.find("/login/") != std::string_view::npos;
  return account ? "GET /auth/account-flow/:flowId/login/:provider" : "";
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

std::string without_blanks(std::string text) {
  std::erase(text, ' ');
  return lower(std::move(text));
}

bool is_compared(const std::string &name, bool all) {
  static const std::set<std::string> kIgnored = {"date", "content-length", "connection", "keep-alive", "server"};
  if (all) return !kIgnored.contains(name);
  return name == "content-type" || name == "location" || name == "set-cookie" || name == "vary" ||
         name == "retry-after" || name.starts_with("access-control-") || name.starts_with("ratelimit-");
}

HttpRequest http_request(const JsonValue &request) {
  HttpRequest out;
  out.method = string_member(request, "method");
  out.target = string_member(request, "path");
  out.remote_ip = "192.0.2.1";
  out.request_origin = kFlowOrigin;
  if (const auto *headers = find_member(request, "headers"))
    for (const auto &member : headers->GetObject())
      out.headers.emplace_back(lower(std::string(text_of(member.name))), text_of(member.value));
  if (const auto *body = find_member(request, "body")) out.body = to_json(*body);
  if (const auto *raw = find_member(request, "rawBody")) out.body = text_of(*raw);
  return out;
}

// The response in the shape of a step's `expected`, as far as that compares it.
JsonDocument shown_response(const HttpResponse &response, const JsonValue &expected) {
  Output out;
  out.number("status", response.status);
  if (expected.MemberCount() == 1) return out.take();
  const auto *wanted = find_member(expected, "headers");
  const bool all = wanted && find_member(*wanted, "x-content-type-options");
  Output headers;
  for (const auto &[name, value] : response.headers)
    if (is_compared(lower(name), all))
      headers.text(lower(name), lower(name) == "content-type" ? without_blanks(value) : value);
  if (wanted) out.json("headers", std::move(headers));
  if (find_member(expected, "json")) {
    const auto body = parse_json(response.body);
    if (!body) throw std::runtime_error(std::to_string(response.status) + " without JSON: " + response.body);
    out.json("json", *body);
  }
  if (find_member(expected, "text")) out.text("text", response.body);
  return out.take();
}

// Case and blanks of the expected content type don't count either.
void normalize_expected(JsonValue &expected, JsonDocument::AllocatorType &allocator) {
  const auto headers = expected.FindMember("headers");
  if (headers == expected.MemberEnd()) return;
  const auto type = headers->value.FindMember("content-type");
  if (type == headers->value.MemberEnd()) return;
  const auto text = without_blanks(std::string(text_of(type->value)));
  type->value.SetString(text.c_str(), static_cast<rapidjson::SizeType>(text.size()), allocator);
}

class FlowCase {
public:
  FlowCase(FlowInstance &instance, const Input &input) : instance_(instance), values_(instance, input) {}

  // The names of what is missing; empty when the whole case ran.
  std::set<std::string> run(const JsonValue &steps) {
    for (rapidjson::SizeType i = 0; i < steps.Size() && !stopped_; ++i) {
      try {
        step(steps[i]);
      } catch (const UnboundName &unbound) {
        if (missing_.empty()) throw std::runtime_error("step " + std::to_string(i) + ": " + unbound.what());
        stopped_ = true; // what a missing step would have bound
      } catch (const std::exception &problem) {
        throw std::runtime_error("/expected/steps/" + std::to_string(i) + ": " + problem.what());
      }
    }
    return missing_;
  }

private:
  void step(const JsonValue &step) {
    if (const auto *rpc = find_member(step, "adminRpc")) return admin_rpc(step, *rpc);
    if (const auto *request = find_member(step, "request")) return request_step(step, *request);
    if (const auto *pause = find_member(step, "sleepMs")) return instance_.advance(pause->GetInt64());
    for (const auto *name : {"userRpc", "userOperation"})
      if (find_member(step, name)) return stop(std::string(name) + " steps");
    throw std::runtime_error("unknown step " + shown(step));
  }

  void stop(const std::string &missing) {
    missing_.insert(missing);
    stopped_ = true;
  }

  void admin_rpc(const JsonValue &step, const JsonValue &rpc) {
    const std::string method(string_member(rpc, "method"));
    const auto input = values_.resolved(*find_member(rpc, "input"));
    const auto reply = instance_.admin_rpc(method, to_json(input));
    if (!reply) return stop("RPC " + method);
    if (!*reply) throw std::runtime_error(method + ": " + reply->error().text());
    HttpResponse as_response;
    as_response.body = **reply;
    capture(step, as_response);
  }

  void request_step(const JsonValue &step, const JsonValue &unresolved) {
    const auto missing = missing_route(string_member(unresolved, "method"), string_member(unresolved, "path"));
    if (!missing.empty()) {
      missing_.insert(missing);
      // Later steps may stand on what this one would have changed.
      stopped_ = string_member(unresolved, "method") != "GET" || find_member(step, "capture");
      return;
    }
    const auto response = instance_.handle(http_request(values_.resolved(unresolved)));
    capture(step, response);
    auto expected = values_.expected(*find_member(step, "expected"));
    normalize_expected(expected, expected.GetAllocator());
    const auto actual = shown_response(response, expected);
    if (const auto difference = first_difference(expected, actual, {}))
      throw std::runtime_error(std::string(string_member(unresolved, "path")) + " " + difference->pointer + ": " +
                               difference->what + "; body " + response.body.substr(0, 300));
  }

  void capture(const JsonValue &step, const HttpResponse &response) {
    const auto *captures = find_member(step, "capture");
    if (!captures) return;
    for (const auto &member : captures->GetObject())
      values_.bind(std::string(text_of(member.name)), captured(text_of(member.value), response));
  }

  static std::string captured(std::string_view source, const HttpResponse &response) {
    if (!source.starts_with("json:")) throw std::runtime_error("capture not yet known: " + std::string(source));
    const auto body = required_json(response.body);
    const JsonValue *at = &body;
    for (std::string_view path = source.substr(5); !path.empty() && at;) {
      const auto dot = std::min(path.find('.'), path.size());
      at = find_member(*at, path.substr(0, dot));
      path.remove_prefix(std::min(dot + 1, path.size()));
    }
    if (!at) throw std::runtime_error("nothing to capture: " + std::string(source) + " in " + response.body);
    return std::string(text_of(*at));
  }

  FlowInstance &instance_;
  FlowValues values_;
  std::set<std::string> missing_;
  bool stopped_ = false;
};

void apply_environment(const JsonValue *requires_, Environment &environment, test::TempDir &portal) {
  environment.set("TRELLIS_VERSION", "0.10.22"); // the build version of the recorded transcripts
  if (!requires_) return;
  if (const auto *env = find_member(*requires_, "env"))
    for (const auto &member : env->GetObject())
      environment.set(std::string(text_of(member.name)), std::string(text_of(member.value)));
  const auto *files = find_member(*requires_, "portalDir");
  if (!files) return;
  for (const auto &member : files->GetObject()) {
    const auto path = portal.path() / text_of(member.name);
    std::filesystem::create_directories(path.parent_path());
    test::write_file(path, std::string(text_of(member.value)));
  }
  environment.set("TRELLIS_BUILTIN_PORTAL_DIR", portal.path().string());
}

JsonDocument run_flow(MainSequence &main, const Input &input, const CaseContext &context) {
  const auto *requires_ = input.find("requires");
  for (const auto *name : {"contracts", "keys", "devices"})
    (void)input.find(name);
  Environment environment;
  test::TempDir portal;
  apply_environment(requires_, environment, portal);
  const auto *config = requires_ ? find_member(*requires_, "config") : nullptr;
  const bool alone = config || (requires_ && (find_member(*requires_, "env") || find_member(*requires_, "portalDir")));
  const auto after = requires_ ? std::string(string_member(*requires_, "after")) : "";
  if (main.incomplete.contains(after)) throw NotYet("it stands on " + after);
  if (!alone && !main.instance) main.instance = std::make_unique<FlowInstance>(nullptr);
  const auto own = alone ? std::make_unique<FlowInstance>(config) : nullptr;
  const auto missing = FlowCase(own ? *own : *main.instance, input).run(*find_member(*context.expected, "steps"));
  if (!missing.empty()) {
    main.incomplete.insert(context.name);
    std::string names;
    for (const auto &name : missing)
      names += (names.empty() ? "" : ", ") + name;
    throw NotYet(names);
  }
  JsonDocument out;
  out.CopyFrom(*context.expected, out.GetAllocator()); // compared step by step above
  return out;
}

} // namespace

void register_http_flows(Registry &registry) {
  const auto main = std::make_shared<MainSequence>();
  registry["http-flows"] = {
      {"flow", {[main](const Input &input, const CaseContext &context) { return run_flow(*main, input, context); }}}};
}

} // namespace trellis::vectors
