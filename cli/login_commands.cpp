// trellis login, logout, whoami (10 §2).
#include "commands.h"
#include "contracts/json_write.h"
#include "sign_in.h"
#include "wire/url.h"
#include <memory>

namespace trellis::cli {
namespace {

// `logged_in`: of whoami, whose JSON says so.
void show_operator(const SignedIn &entered, bool logged_in, Output &out) {
  const Operator &who = entered.who;
  const std::string &key = entered.session.key.text();
  Report report = logged_in ? Report() : Report("logged in");
  report.text("userId", who.user_id)
      .text("identity", who.provider + ":" + who.subject)
      .text("name", who.name)
      .text("sessionKey", key)
      .text("expires", entered.session.expires);
  JsonObjectText json;
  json.text("userId", who.user_id)
      .json("identity", JsonObjectText()
                            .text("identityId", who.identity_id)
                            .text("provider", who.provider)
                            .text("subject", who.subject)
                            .str())
      .text("name", who.name)
      .texts("capabilities", who.capabilities)
      .text("sessionKey", key)
      .text("expires", entered.session.expires);
  if (logged_in) json.flag("loggedIn", true);
  out.show(report, json.str());
}

int run_login(const std::string &url, Output &out) {
  const auto parsed = parse_url(url);
  if (!parsed || (parsed->scheme != "http" && parsed->scheme != "https"))
    return out.fail(Error{"option", url, "no URL of a control plane", "an http or https URL", {}});
  const auto participant = cli_participant();
  if (!participant) return out.fail(participant.error());
  auto session = log_in(url, SessionKey::generate(), *participant, out);
  if (!session) return out.fail(session.error());
  const auto entered = enter(std::move(*session));
  if (!entered) return out.fail(entered.error());
  if (const auto saved = save_session(admin_session_file(), entered->session); !saved) return out.fail(saved.error());
  show_operator(*entered, false, out);
  return 0;
}

struct Logout {
  bool cleared = false, revoked = false;
  std::string error;
};

// Ends the session of `file` over there, if it can be, and the file in any case.
Logout log_out(const std::filesystem::path &file) {
  Logout result;
  if (const auto session = load_session(file)) {
    if (const auto plane = ControlPlane::connect(*session)) {
      const auto answer = (*plane)->call("Auth.Sessions.Logout", "{}");
      // Some control planes end the connection before they answer (05 §6.3).
      result.revoked = answer || (*plane)->was_disconnected();
      if (!result.revoked) result.error = answer.error().text();
    } else {
      result.error = plane.error().text();
    }
  } else if (session.error().code != "session_absent") {
    result.error = session.error().text();
  }
  result.cleared = remove_session(file);
  return result;
}

int run_logout(Output &out) {
  for (const auto &file : call_session_files())
    log_out(file);
  const auto result = log_out(admin_session_file());
  Report report(result.cleared ? "logged out" : "there was no session");
  report.flag("cleared", result.cleared).flag("revoked", result.revoked);
  if (!result.error.empty()) report.text("revokeError", result.error);
  out.show(report);
  return 0;
}

} // namespace

void add_login_commands(Command root) {
  const auto url = std::make_shared<std::string>();
  auto login = root.command("login", "Sign in at a control plane, with a browser on any machine");
  login.argument("TRELLIS_URL", *url, "where the control plane is, as in https://trellis.example.com");
  login.action([url](Output &out) { return run_login(*url, out); });
  root.command("logout", "End the session and delete it from this machine").action(run_logout);
  root.command("whoami", "Show who is signed in").action([](Output &out) {
    return as_operator(out, [&out](const SignedIn &entered) -> Result<void> {
      show_operator(entered, true, out);
      return {};
    });
  });
}

} // namespace trellis::cli
