// How every command for operators begins (10 §2.2): the stored session, signed in again when this CLI's contract has
// changed, a connection, and who one is.
#pragma once

#include "control_plane.h"
#include "login_flow.h"
#include "output.h"
#include "session_file.h"
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace trellis::cli {

// The user of Auth.Sessions.Me.
struct Operator {
  std::string user_id, name;
  std::string identity_id, provider, subject;
  std::vector<std::string> capabilities;
};
// Errors: "not_a_user", "not_an_operator": the capability "admin" is missing.
Result<Operator> operator_from(const JsonValue &me);

struct SignedIn {
  LoginSession session;
  std::unique_ptr<ControlPlane> plane;
  Operator who;
};

// A participant that signs in: the CLI itself, or a contract that `trellis call` makes up.
struct Participant {
  std::string contract, digest; // manifest text, and its digest
};
Result<Participant> cli_participant(); // agent_contract.json

// [may block] Signs `key` in; shows the login URL on stderr when a person has to do something: text with a QR code on a
// terminal, or one JSON line.
Result<LoginSession> log_in(const std::string &url, SessionKey key, const Participant &participant, Output &out);
// [may block] Connects and asks who one is. Saves nothing.
Result<SignedIn> enter(LoginSession session);
// [may block] The prologue. Saves a session that had to be bound again.
Result<SignedIn> sign_in(Output &out);

// Runs `work` as the signed-in operator. The exit code.
int as_operator(Output &out, const std::function<Result<void>(SignedIn &)> &work);

// An error that says that the session is gone ("revoked", "rejected", "session_not_found") deletes `file`, and says to
// log in again (10 §2.2). Others stay as they are.
Error explain_session_error(Error error, const std::filesystem::path &file);

} // namespace trellis::cli
