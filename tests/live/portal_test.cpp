// The portal's pages (04 §17) as people meet them: in a real browser, with the keyboard and the mouse.
#include "cli/login_flow.h"
#include "http/http_client.h"
#include "live_control_plane.h"
#include "support/browser.h"
#include <catch2/catch_test_macros.hpp>

using namespace trellis;
using namespace trellis::test;

namespace {

const std::string kUserName = "input[autocomplete=username]";
const std::string kPasswordOfLogin = "input[autocomplete=current-password]";
const std::string kNewPassword = "input[autocomplete=new-password]";
const std::string kSubmit = "button[type=submit]";

// An agent that asks for the right to list sessions, so that there is something to approve.
std::string lister_contract() {
  auto contract = caller_contract("acme.test-lister@v1", "trellis.auth@v1", {"Auth.Sessions.List"});
  const std::string name = "Test caller";
  return contract.replace(contract.find(name), name.size(), "Lister <script>document.title='broken'</script>");
}

std::string login_url(const LiveControlPlane &plane, const SessionKey &key) {
  HttpClient http;
  const auto begun = cli::request_login(http, {plane.url(), key, lister_contract()});
  if (!begun) throw std::runtime_error(begun.error().text());
  return std::get<cli::StartedFlow>(*begun).login_url;
}

void sign_in(Browser &browser, const std::string &password) {
  browser.type(kUserName, "admin");
  browser.type(kPasswordOfLogin, password);
  browser.click(kSubmit);
}

void press(Browser &browser, const std::string &label) {
  browser.evaluate("[...document.querySelectorAll('button')].find((b) => b.textContent === '" + label + "').click()");
}

} // namespace

TEST_CASE("the first administrator sets a password in the browser, signs in and approves an agent") {
  LiveControlPlane plane;
  plane.start();
  Browser browser;

  browser.open(plane.bootstrap_link());
  REQUIRE(browser.shows("Reset your password"));
  browser.type(kNewPassword, LiveControlPlane::kPassword);
  browser.type("input[autocomplete=email]", "ada@acme.test");
  browser.click(kSubmit);
  REQUIRE(browser.shows("Password saved"));

  const auto key = SessionKey::generate();
  browser.open(login_url(plane, key));
  REQUIRE(browser.shows("Choose a sign-in method"));
  CHECK(browser.evaluate("document.activeElement.autocomplete") == "\"username\"");
  sign_in(browser, "not the password");
  REQUIRE(browser.shows("The user name or the password is wrong"));
  // The wrong one is selected, so that typing replaces it.
  browser.type(kPasswordOfLogin, LiveControlPlane::kPassword);
  browser.click(kSubmit);
  REQUIRE(browser.shows("Approve access"));
  // What a contract says of itself is shown as it was written, and is never markup.
  CHECK(browser.shows("Lister <script>document.title='broken'</script> wants to act for admin."));
  CHECK(browser.title() == "Approve access – Trellis");
  press(browser, "Approve");
  REQUIRE(browser.shows("Connected"));

  HttpClient http;
  const auto url = browser.url();
  CHECK(cli::bind_login(http, plane.url(), key, url.substr(url.find("flowId=") + 7)));
}

TEST_CASE("who denies an agent is told so, and it gets no session") {
  LiveControlPlane plane;
  plane.start();
  plane.set_admin_password();
  Browser browser;
  const auto key = SessionKey::generate();
  browser.open(login_url(plane, key));
  sign_in(browser, LiveControlPlane::kPassword);
  REQUIRE(browser.shows("Approve access"));
  const auto url = browser.url();
  press(browser, "Deny");
  REQUIRE(browser.shows("Access denied"));
  HttpClient http;
  CHECK_FALSE(cli::bind_login(http, plane.url(), key, url.substr(url.find("flowId=") + 7)));
  CHECK(browser.console_errors() == "");
}

TEST_CASE("links that are used up, unknown or of no page say so in words") {
  LiveControlPlane plane;
  plane.start();
  const auto link = plane.bootstrap_link();
  plane.set_admin_password();
  Browser browser;
  browser.open(link);
  CHECK(browser.shows("This link has been used"));
  browser.open(plane.url() + "/_trellis/portal/users/login?flowId=nobodyknows");
  CHECK(browser.shows("This sign-in has expired"));
  browser.open(plane.url() + "/_trellis/portal/somewhere/else");
  CHECK(browser.shows("Page not found"));
  browser.open(plane.url() + "/_trellis/portal?flowId=x");
  CHECK(browser.shows("This sign-in has expired"));
  CHECK(browser.url().find("/_trellis/portal/users/login?flowId=x") != std::string::npos);
}
