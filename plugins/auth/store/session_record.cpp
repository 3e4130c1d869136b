#include "store/session_record.h"

#include "contracts/json.h"
#include "contracts/json_write.h"
#include <rapidjson/document.h>

namespace trellis::auth {
namespace {

class RecordText {
public:
  RecordText &text(std::string_view name, const std::string &value) {
    out_.text(name, value);
    return *this;
  }
  RecordText &text(std::string_view name, const std::optional<std::string> &value) {
    if (value) out_.text(name, *value);
    return *this;
  }
  RecordText &time(std::string_view name, const std::optional<UnixMs> &value) {
    if (value) out_.number(name, *value);
    return *this;
  }
  RecordText &names(std::string_view name, const Names &values) {
    out_.texts(name, values);
    return *this;
  }
  std::string str() const { return out_.str(); }

private:
  JsonObjectText out_;
};

std::string record_of(const UserSession &user) {
  return RecordText()
      .text("userId", user.user_id)
      .text("identityId", user.identity.identity_id)
      .text("provider", user.identity.provider)
      .text("subject", user.identity.subject)
      .text("email", user.email)
      .text("name", user.name)
      .text("image", user.image)
      .text("participantKind", user.participant_kind)
      .text("identityGrantId", user.identity_grant_id)
      .text("contractDigest", user.contract_digest)
      .text("contractId", user.contract_id)
      .text("contractDisplayName", user.contract_display_name)
      .text("contractDescription", user.contract_description)
      .text("appOrigin", user.app_origin)
      .text("approvalSource", user.approval_source)
      .text("needs", user.needs_json)
      .names("capabilities", user.capabilities)
      .names("publishSubjects", user.publish_subjects)
      .names("subscribeSubjects", user.subscribe_subjects)
      .str();
}

std::string record_of(const ServiceSession &service) {
  return RecordText()
      .text("trellisId", service.trellis_id)
      .text("email", service.email)
      .text("name", service.name)
      .text("instanceId", service.instance_id)
      .text("deploymentId", service.deployment_id)
      .text("contractId", service.contract_id)
      .text("contractDigest", service.contract_digest)
      .str();
}

std::string record_of(const DeviceSession &device) {
  return RecordText()
      .text("instanceId", device.instance_id)
      .text("deploymentId", device.deployment_id)
      .text("contractId", device.contract_id)
      .text("contractDigest", device.contract_digest)
      .names("capabilities", device.capabilities)
      .names("publishSubjects", device.publish_subjects)
      .names("subscribeSubjects", device.subscribe_subjects)
      .time("activatedAt", device.activated_at)
      .time("revokedAt", device.revoked_at)
      .str();
}

// Reads members; the first that is missing or of another type is remembered.
class RecordReader {
public:
  explicit RecordReader(const JsonValue &record) : record_(record) {}

  std::string text(std::string_view name) {
    auto value = optional_text(name);
    if (!value) note(name);
    return std::move(value).value_or("");
  }
  std::optional<std::string> optional_text(std::string_view name) {
    const JsonValue *value = find_member(record_, name);
    if (!value) return std::nullopt;
    if (value->IsString()) return std::string(text_of(*value));
    note(name);
    return std::nullopt;
  }
  std::optional<UnixMs> optional_time(std::string_view name) {
    const JsonValue *value = find_member(record_, name);
    if (!value) return std::nullopt;
    if (value->IsInt64()) return value->GetInt64();
    note(name);
    return std::nullopt;
  }
  Names names(std::string_view name) {
    Names out;
    const JsonValue *value = find_member(record_, name);
    if (!value || !value->IsArray()) {
      note(name);
      return out;
    }
    for (const auto &item : value->GetArray()) {
      if (!item.IsString()) note(name);
      out.emplace_back(text_of(item));
    }
    return out;
  }
  const std::string &problem() const { return problem_; }

private:
  void note(std::string_view name) {
    if (problem_.empty()) problem_ = name;
  }
  const JsonValue &record_;
  std::string problem_;
};

UserSession read_user(RecordReader &in) {
  return {.user_id = in.text("userId"),
          .identity = {in.text("identityId"), in.text("provider"), in.text("subject")},
          .email = in.text("email"),
          .name = in.text("name"),
          .image = in.optional_text("image"),
          .participant_kind = in.text("participantKind"),
          .identity_grant_id = in.optional_text("identityGrantId"),
          .contract_digest = in.text("contractDigest"),
          .contract_id = in.text("contractId"),
          .contract_display_name = in.text("contractDisplayName"),
          .contract_description = in.text("contractDescription"),
          .app_origin = in.optional_text("appOrigin"),
          .approval_source = in.optional_text("approvalSource"),
          .needs_json = in.optional_text("needs"),
          .capabilities = in.names("capabilities"),
          .publish_subjects = in.names("publishSubjects"),
          .subscribe_subjects = in.names("subscribeSubjects")};
}

ServiceSession read_service(RecordReader &in) {
  return {.trellis_id = in.text("trellisId"),
          .email = in.text("email"),
          .name = in.text("name"),
          .instance_id = in.text("instanceId"),
          .deployment_id = in.text("deploymentId"),
          .contract_id = in.optional_text("contractId"),
          .contract_digest = in.optional_text("contractDigest")};
}

DeviceSession read_device(RecordReader &in) {
  return {.instance_id = in.text("instanceId"),
          .deployment_id = in.text("deploymentId"),
          .contract_id = in.text("contractId"),
          .contract_digest = in.text("contractDigest"),
          .capabilities = in.names("capabilities"),
          .publish_subjects = in.names("publishSubjects"),
          .subscribe_subjects = in.names("subscribeSubjects"),
          .activated_at = in.optional_time("activatedAt"),
          .revoked_at = in.optional_time("revokedAt")};
}

tl::unexpected<Error> corrupted(const Session &session, const std::string &why) {
  return fail("session_corrupted", session.session_key, "the stored session " + why);
}

} // namespace

std::string_view session_type(const Session &session) {
  if (session.user()) return "user";
  return session.service() ? "service" : "device";
}

std::string session_record(const Session &session) {
  return std::visit([](const auto &of) { return record_of(of); }, session.of);
}

Result<void> read_session_record(Session &session, std::string_view type, std::string_view record) {
  const auto json = parse_json(record);
  if (!json || !json->IsObject()) return corrupted(session, "is no JSON object");
  RecordReader in(*json);
  if (type == "user")
    session.of = read_user(in);
  else if (type == "service")
    session.of = read_service(in);
  else if (type == "device")
    session.of = read_device(in);
  else
    return corrupted(session, "is of an unknown type");
  if (!in.problem().empty()) return corrupted(session, "lacks a proper " + in.problem());
  return {};
}

} // namespace trellis::auth
