#include "http_flow_values.h"

#include "contracts/canonical.h"
#include "contracts/json_copy.h"
#include "contracts/manifest.h"
#include "wire/login_proofs.h"
#include "wire_vectors.h"
#include <algorithm>

namespace trellis::vectors {
namespace {

// A volatile name as the angle form of the same kind.
std::string volatile_pattern(std::string_view kind) {
  static const std::map<std::string, std::string, std::less<>> kKinds = {{"time", "<time>"},
                                                                         {"ulid", "<ulid>"},
                                                                         {"ulidLower", "<ulid-lowercase>"},
                                                                         {"int", "<number>"},
                                                                         {"identityGrantId", "<id>"}};
  const auto found = kKinds.find(kind);
  if (found == kKinds.end()) throw std::runtime_error("unknown volatile name: " + std::string(kind));
  return found->second;
}

// An entry of `contracts`: {manifest, digest}.
const JsonValue &manifest_of(const JsonValue &entry) {
  const auto *manifest = find_member(entry, "manifest");
  if (!manifest) throw std::runtime_error("a contract without manifest");
  return *manifest;
}

// Of one that is no contract, the digest is a text like any other.
std::string digest_of(const JsonValue &manifest) {
  const auto valid = Manifest::validate(manifest);
  return valid ? valid->digest() : sha256_base64url(required(canonical_json(manifest)));
}

std::string url_encoded(std::string_view text) {
  std::string out;
  for (const char c : text)
    out += c == ':' ? "%3A" : c == '/' ? "%2F" : std::string(1, c);
  return out;
}

JsonValue text_value(const std::string &text, JsonDocument::AllocatorType &allocator) {
  return JsonValue(text.c_str(), static_cast<rapidjson::SizeType>(text.size()), allocator);
}

} // namespace

FlowValues::FlowValues(const FlowInstance &instance, const Input &input)
    : input_(input), now_(instance.now_ms() / 1000) {
  names_ = {{"publicOrigin", kFlowOrigin},
            {"publicOrigin:urlencoded", url_encoded(kFlowOrigin)},
            {"requestOrigin", kFlowOrigin},
            {"natsUrl", instance.nats_url()},
            {"bootstrapFlow", instance.bootstrap_flow()}};
  if (const auto *keys = input.find("keys"))
    for (const auto &member : keys->GetObject()) {
      const auto key = required(SessionKey::from_seed(string_member(member.value, "seed")));
      names_["key." + std::string(text_of(member.name))] = key.text();
      names_["keyPrefix." + std::string(text_of(member.name))] = std::string(key16(key.text()));
    }
  if (const auto *contracts = input.find("contracts"))
    for (const auto &member : contracts->GetObject()) {
      const auto &manifest = manifest_of(member.value);
      names_["digest." + std::string(text_of(member.name))] = digest_of(manifest);
      names_["id." + std::string(text_of(member.name))] = std::string(string_member(manifest, "id"));
    }
  if (const auto *requires_ = input.find("requires"))
    if (const auto *config = find_member(*requires_, "config"))
      if (const auto *web = find_member(*config, "web"))
        if (const auto origin = string_member(*web, "publicOrigin"); !origin.empty()) {
          names_["publicOrigin"] = origin;
          names_["publicOrigin:urlencoded"] = url_encoded(origin);
        }
}

std::string FlowValues::text(std::string_view text, bool input) const {
  std::string out;
  for (;;) {
    const auto open = text.find("{{"), close = text.find("}}", open == std::string_view::npos ? 0 : open);
    if (open == std::string_view::npos || close == std::string_view::npos) return out.append(text);
    out.append(text.substr(0, open));
    const auto name = text.substr(open + 2, close - open - 2);
    const auto found = names_.find(name);
    if (found != names_.end()) {
      out += found->second;
    } else if (name.starts_with("now")) {
      out += std::to_string(now_ + (name.size() > 3 ? std::stol(std::string(name.substr(3))) : 0));
    } else if (input) {
      throw UnboundName("{{" + std::string(name) + "}} is not bound");
    } else {
      out += name.starts_with('*') ? volatile_pattern(name.substr(1)) : "<text>";
    }
    text.remove_prefix(close + 2);
  }
}

std::string FlowValues::signature(const JsonValue &directive, const JsonValue &siblings) const {
  const auto kind = string_member(directive, "kind");
  const auto *keys = input_.find("keys");
  const auto *key = keys ? find_member(*keys, string_member(directive, "key")) : nullptr;
  if (!key) throw std::runtime_error("no key for a signature of kind " + std::string(kind));
  const auto signer = required(SessionKey::from_seed(string_member(*key, "seed")));
  const auto *iat = find_member(siblings, "iat"), *delta = find_member(directive, "iatDelta");
  const double time = (iat && iat->IsNumber() ? iat->GetDouble() : 0) + (delta ? delta->GetDouble() : 0);
  const auto digest = string_member(siblings, "contractDigest");
  if (kind == "bind-flow") return signer.sign_domain(domain::kBindFlow, text(string_member(directive, "flowId"), true));
  if (kind == "bootstrap-client") return signer.sign_domain(domain::kBootstrapClient, bootstrap_client_value(time));
  if (kind == "nats-connect") return signer.sign_domain(domain::kNatsConnect, nats_connect_value(time, digest));
  if (kind == "oauth-init") {
    const auto redirect = string_member(directive, "redirectTo", string_member(siblings, "redirectTo"));
    const auto *contract = string_member(directive, "over") == "digest" ? nullptr : find_member(siblings, "contract");
    return signer.sign_domain(domain::kOauthInit,
                              required(oauth_init_value({redirect, string_member(siblings, "provider"), contract,
                                                         digest, find_member(siblings, "context")})));
  }
  if (kind != "logout-session") throw std::runtime_error("unknown kind of signature: " + std::string(kind));
  const auto *omit = find_member(directive, "omit");
  const auto part = [&](std::string_view name) -> const JsonValue * {
    if (omit)
      for (const auto &left_out : omit->GetArray())
        if (text_of(left_out) == name) return nullptr;
    return find_member(siblings, name);
  };
  LogoutRequest request;
  request.iat = time;
  if (const auto *value = part("providerLogout")) request.provider_logout = value->IsTrue();
  if (const auto *value = part("federatedProviderLogout")) request.federated_provider_logout = value->IsTrue();
  if (const auto *value = part("returnTo")) request.return_to = std::string(text_of(*value));
  if (const auto *value = part("responseMode")) request.response_mode = std::string(text_of(*value));
  return signer.sign_domain(domain::kLogoutSession, logout_session_value(request));
}

JsonValue FlowValues::directive(const JsonValue &value, JsonDocument::AllocatorType &allocator) const {
  if (const auto *name = find_member(value, "$contract")) {
    const auto *contracts = input_.find("contracts");
    const auto *contract = contracts ? find_member(*contracts, text_of(*name)) : nullptr;
    if (!contract) throw std::runtime_error("no contract " + std::string(text_of(*name)));
    return deep_copy(manifest_of(*contract), allocator);
  }
  if (const auto *delta = find_member(value, "$iat")) return JsonValue(now_ + delta->GetInt64());
  if (const auto *part = find_member(value, "$repeat")) {
    std::string out;
    const auto *times = find_member(value, "times");
    for (int i = 0; times && i < times->GetInt(); ++i)
      out += text_of(*part);
    return text_value(out, allocator);
  }
  throw std::runtime_error("unknown directive");
}

// Siblings first: a signature covers them.
JsonValue FlowValues::resolve(const JsonValue &value, JsonDocument::AllocatorType &allocator) const {
  if (value.IsString()) return text_value(text(text_of(value), true), allocator);
  if (value.IsArray()) {
    JsonValue out(rapidjson::kArrayType);
    for (const auto &item : value.GetArray())
      out.PushBack(resolve(item, allocator), allocator);
    return out;
  }
  if (!value.IsObject()) return deep_copy(value, allocator);
  if (value.MemberCount() > 0 && text_of(value.MemberBegin()->name).starts_with('$'))
    return directive(value, allocator);
  JsonValue out(rapidjson::kObjectType);
  for (const auto &member : value.GetObject())
    if (!find_member(member.value, "$sig"))
      out.AddMember(deep_copy(member.name, allocator), resolve(member.value, allocator), allocator);
  for (const auto &member : value.GetObject())
    if (const auto *sig = find_member(member.value, "$sig"))
      out.AddMember(deep_copy(member.name, allocator), text_value(signature(*sig, out), allocator), allocator);
  return out;
}

JsonDocument FlowValues::resolved(const JsonValue &input) const {
  JsonDocument out;
  static_cast<JsonValue &>(out) = resolve(input, out.GetAllocator());
  return out;
}

void FlowValues::fill(JsonValue &value, JsonDocument::AllocatorType &allocator) const {
  if (value.IsString()) {
    value = text_value(text(text_of(value), false), allocator);
  } else if (value.IsArray()) {
    for (auto &item : value.GetArray())
      fill(item, allocator);
  } else if (value.IsObject()) {
    for (auto &member : value.GetObject())
      fill(member.value, allocator);
  }
}

JsonDocument FlowValues::expected(const JsonValue &value) const {
  JsonDocument out;
  static_cast<JsonValue &>(out) = deep_copy(value, out.GetAllocator());
  fill(out, out.GetAllocator());
  return out;
}

} // namespace trellis::vectors
