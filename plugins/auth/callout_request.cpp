#include "callout_request.h"

#include "contracts/json.h"
#include "wire/jwt.h"
#include "wire/xkey.h"
#include <cmath>

namespace trellis::auth {
namespace {

constexpr std::string_view kAudience = "nats-authorization-request";

tl::unexpected<Error> unreadable(std::string what) {
  return fail("callout_request", {}, std::move(what), "an authorization request as nats-server seals it (03 §6.1)");
}

// Reads members of one object of the request, and remembers the first of another kind than it must be: 03 §6.1 fails
// the whole request for it.
class Members {
public:
  Members(const JsonValue &nats, const char *name, std::string &wrong) : name_(name), wrong_(wrong) {
    object_ = find_member(nats, name);
    if (object_ && !object_->IsObject()) complain("");
  }

  std::string text(const char *member) {
    const auto *value = find(member);
    if (!value) return {};
    if (!value->IsString()) complain(member);
    return std::string(text_of(*value));
  }

  std::optional<std::int64_t> number(const char *member) {
    constexpr double kSafe = 9007199254740991;
    const auto *value = find(member);
    if (!value) return std::nullopt;
    const double number = value->IsNumber() ? value->GetDouble() : std::nan("");
    if (!(std::abs(number) <= kSafe)) complain(member);
    return std::isfinite(number) && wrong_.empty() ? std::optional(static_cast<std::int64_t>(number)) : std::nullopt;
  }

private:
  const JsonValue *find(const char *member) const { return object_ ? find_member(*object_, member) : nullptr; }
  void complain(std::string_view member) {
    if (wrong_.empty())
      wrong_ = json_pointer("nats", std::string_view(name_)) + (member.empty() ? "" : json_pointer(member));
  }

  const char *name_;
  const JsonValue *object_ = nullptr;
  std::string &wrong_;
};

Result<CalloutRequest> read_members(const JsonValue &nats, std::string_view server_xkey) {
  std::string wrong;
  Members server(nats, "server_id", wrong), client(nats, "client_info", wrong), options(nats, "connect_opts", wrong);
  const auto *user_nkey = find_member(nats, "user_nkey");
  CalloutRequest request;
  request.server_xkey = server_xkey;
  request.user_nkey = user_nkey ? text_of(*user_nkey) : std::string_view();
  request.server_id = server.text("id");
  request.server_name = server.text("name");
  request.client_ip = client.text("ip");
  const std::string host = client.text("host");
  request.client_id = client.number("id");
  request.auth_token = options.text("auth_token");
  if (!wrong.empty()) return unreadable("the request's " + wrong + " is of another kind");
  if (request.client_ip.empty()) request.client_ip = host;
  if (request.server_name.empty()) request.server_name = request.server_id;
  return request;
}

} // namespace

Result<CalloutRequest> decode_callout_request(const NkeySeed &xkey, std::string_view server_xkey, ByteView payload) {
  if (server_xkey.empty()) return unreadable("the request has no Nats-Server-Xkey header");
  if (payload.size() > kMaxCalloutBytes) return unreadable("the request is larger than nats-server makes them");
  const auto opened = xkey_open(xkey, server_xkey, payload);
  if (!opened) return unreadable(opened.error().message);
  const auto token = decode_jwt(as_text(*opened));
  if (!token) return unreadable(token.error().message);
  if (token->audience != kAudience) return unreadable("the token is meant for something else");
  const auto *nats = find_member(token->claims, "nats");
  if (!nats || !nats->IsObject()) return unreadable("the token has no nats claims");

  auto request = read_members(*nats, server_xkey);
  if (!request) return request;
  // The user key becomes part of a KV key, and the server id of the subject that kicks go to.
  if (!decode_nkey(request->user_nkey, NkeyType::user)) return unreadable("the request names no user key");
  if (!decode_nkey(request->server_id, NkeyType::server)) return unreadable("the request names no server");
  if (request->server_id != token->issuer) return unreadable("the request is signed by another key than its server's");
  return request;
}

} // namespace trellis::auth
