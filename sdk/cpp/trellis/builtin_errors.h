// The errors that every contract may list without declaring them (06 §5), as structs. Light: to decode one from an
// RpcFailure include trellis/json_reader.h as well.
#pragma once

#include "trellis/json.h"
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trellis {

// What the built-in errors share: their own members in JSON. Templates, so that nothing is compiled before somebody
// who includes the reader or the writer asks for it.
template <class Error>
struct BuiltinError {
  template <class T = Error>
  static json::Result<T> from_json(std::string_view text) {
    return json::decode<T>(text);
  }
  template <class T = Error>
  json::Result<std::string> to_json() const {
    return json::encode(static_cast<const T &>(*this));
  }
};

// For what a caller can't act on. The message reaches it as context.causeMessage.
struct UnexpectedError : BuiltinError<UnexpectedError> {
  static constexpr std::string_view kType = "UnexpectedError";
  std::string message = {};

  UnexpectedError() = default;
  explicit UnexpectedError(std::string text) : message(std::move(text)) {}
  template <class Reader>
  void read_json(Reader &in) {
    in.object();
  }
  template <class Writer>
  void write_json(Writer &out) const {
    out.begin_object();
    out.end_object();
  }
};

struct AuthError : BuiltinError<AuthError> {
  static constexpr std::string_view kType = "AuthError";
  std::string message = {};
  std::string reason = {}; // one of the closed list of 05 §3.2

  AuthError() = default;
  explicit AuthError(std::string why) : message("Auth failed: " + why), reason(std::move(why)) {}
  template <class Reader>
  void read_json(Reader &in) {
    in.object();
    in.member("reason", reason);
  }
  template <class Writer>
  void write_json(Writer &out) const {
    out.begin_object();
    out.member("reason", reason);
    out.end_object();
  }
};

struct ValidationIssue {
  std::string path;
  std::string message;

  template <class Reader>
  void read_json(Reader &in) {
    in.object();
    in.member("path", path);
    in.member("message", message);
  }
  template <class Writer>
  void write_json(Writer &out) const {
    out.begin_object();
    out.member("path", path);
    out.member("message", message);
    out.end_object();
  }
};

struct ValidationError : BuiltinError<ValidationError> {
  static constexpr std::string_view kType = "ValidationError";
  std::string message = {};
  std::vector<ValidationIssue> issues = {};

  ValidationError() = default;
  // The message is the protocol's: one line an issue.
  explicit ValidationError(std::vector<ValidationIssue> found) : issues(std::move(found)) {
    for (const auto &issue : issues)
      message +=
          (message.empty() ? "Validation failed. " : "\nValidation failed. ") + issue.path + ": " + issue.message + ".";
    if (issues.empty()) message = "Data validation failed.";
  }
  template <class Reader>
  void read_json(Reader &in) {
    in.object();
    in.member("issues", issues);
  }
  template <class Writer>
  void write_json(Writer &out) const {
    out.begin_object();
    out.member("issues", issues);
    out.end_object();
  }
};

struct TransportError : BuiltinError<TransportError> {
  static constexpr std::string_view kType = "TransportError";
  std::string message = {};
  std::string code = {}; // "trellis.rpc.response_send_failed", ...
  std::string hint = {};

  template <class Reader>
  void read_json(Reader &in) {
    in.object();
    in.member("code", code);
    in.member("hint", hint);
  }
  template <class Writer>
  void write_json(Writer &out) const {
    out.begin_object();
    out.member("code", code);
    out.member("hint", hint);
    out.end_object();
  }
};

} // namespace trellis
