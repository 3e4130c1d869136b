#include "runtime/builtin_errors.h"

#include "wire/error_envelope.h"
#include <array>
#include <rapidjson/document.h>
#include <span>
#include <string>

namespace trellis {
namespace {

struct Member {
  std::string_view name;
  bool required = true;
};

struct BuiltinType {
  std::string_view name;
  std::array<Member, 5> texts; // string members; unused entries have no name
};

constexpr std::array kTypes = {
    BuiltinType{"AuthError", {{{"reason"}}}},
    BuiltinType{"TransportError", {{{"code"}, {"hint"}}}},
    BuiltinType{"KVError", {{{"operation", false}}}},
    BuiltinType{"StoreError", {{{"operation", false}}}},
    BuiltinType{"TransferError", {{{"operation", false}}}},
    BuiltinType{"OperationNotFoundError", {{{"operationId"}}}},
    BuiltinType{"OperationAlreadyTerminalError",
                {{{"operationId"}, {"state", false}, {"operation", false}, {"service", false}}}},
    BuiltinType{"OperationMismatchError",
                {{{"operationId"},
                  {"expectedService"},
                  {"expectedOperation"},
                  {"actualService", false},
                  {"actualOperation", false}}}},
};

void check_texts(const BuiltinType &type, const JsonValue &envelope, std::vector<SchemaIssue> &issues) {
  for (const auto &member : type.texts) {
    if (member.name.empty()) return;
    const auto *value = find_member(envelope, member.name);
    if (!value && member.required) issues.push_back({"#", "must have property " + std::string(member.name)});
    if (value && !value->IsString()) issues.push_back({"#/properties/" + std::string(member.name), "must be string"});
  }
}

bool is_issue(const JsonValue &value) {
  const auto *path = find_member(value, "path");
  const auto *message = find_member(value, "message");
  return path && path->IsString() && message && message->IsString();
}

void check_issue_list(const JsonValue &envelope, std::vector<SchemaIssue> &issues) {
  const auto *list = find_member(envelope, "issues");
  if (!list) {
    issues.push_back({"#", "must have property issues"});
  } else if (!list->IsArray()) {
    issues.push_back({"#/properties/issues", "must be array"});
  } else {
    for (const auto &item : list->GetArray())
      if (!is_issue(item)) issues.push_back({"#/properties/issues/items", "must have path and message"});
  }
}

} // namespace

std::vector<SchemaIssue> builtin_error_issues(std::string_view type, const JsonValue &envelope) {
  std::vector<SchemaIssue> issues;
  for (const auto &known : kTypes)
    if (known.name == type) check_texts(known, envelope, issues);
  if (type == "ValidationError") check_issue_list(envelope, issues);
  if (type == "AuthError" && issues.empty() && !is_auth_reason(string_member(envelope, "reason")))
    issues.push_back({"#/properties/reason", "must be a known reason"});
  if (issues.size() > kMaxSchemaIssues) issues.resize(kMaxSchemaIssues);
  return issues;
}

} // namespace trellis
