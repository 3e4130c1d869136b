#include "support/browser.h"

#include "contracts/json.h"
#include "contracts/json_write.h"
#include "support/wait_until.h"
#include <rapidjson/document.h>
#include <regex>
#include <stdexcept>

namespace trellis::test {
namespace {

constexpr auto kDriver = "/usr/bin/chromedriver";
// WebDriver's name for an element reference.
constexpr auto kElement = "element-6066-11e4-a52e-4f735466cecf";
constexpr auto kPatience = std::chrono::seconds(20);

struct Failed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

std::string value_of(const Result<HttpAnswer> &answer, const std::string &path) {
  if (!answer) throw Failed(path + ": " + answer.error().text());
  const auto json = parse_json(answer->body);
  const auto *value = json ? find_member(*json, "value") : nullptr;
  if (answer->status != 200 || !value) throw Failed(path + ": " + answer->body);
  return to_json(*value);
}

JsonDocument parsed(const std::string &text) {
  auto json = parse_json(text);
  if (!json) throw Failed("no JSON: " + text);
  return std::move(*json);
}

std::string plain(const std::string &json_text) {
  const auto json = parsed(json_text);
  return json.IsString() ? std::string(json.GetString(), json.GetStringLength()) : json_text;
}

std::string session_request(const TempDir &dir) {
  const auto profile = "--user-data-dir=" + (dir / "profile").string();
  const auto options = JsonObjectText()
                           .texts("args", {"--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                                           "--no-first-run", "--window-size=900,900", profile})
                           .str();
  const auto capabilities = JsonObjectText()
                                .text("browserName", "chrome")
                                .json("goog:chromeOptions", options)
                                .json("goog:loggingPrefs", R"({"browser":"SEVERE"})")
                                .str();
  return R"({"capabilities":{"alwaysMatch":)" + capabilities + "}}";
}

} // namespace

Browser::Browser() : http_({.timeout = std::chrono::seconds(60)}) {
  const auto log = dir_ / "driver.log";
  driver_ = std::make_unique<Process>(std::vector<std::string>{kDriver, "--port=0", "--log-level=WARNING"}, log);
  std::smatch port;
  std::string said;
  if (!wait_until(
          [&] {
            said = read_file(log);
            return std::regex_search(said, port, std::regex("started successfully on port ([0-9]+)"));
          },
          kPatience))
    throw Failed("chromedriver doesn't come up: " + said);
  const auto driver = "http://127.0.0.1:" + port[1].str();
  base_ = driver;
  const auto session = parsed(command("/session", session_request(dir_)));
  base_ = driver + "/session/" + std::string(string_member(session, "sessionId"));
}

Browser::~Browser() {
  // Ends the browser too; killing the driver would leave it behind.
  const auto driver = base_.substr(0, base_.find("/session"));
  (void)http_.get(driver + "/shutdown");
  driver_->wait();
}

std::string Browser::command(const std::string &path, const std::string &body) {
  return value_of(http_.post_json(base_ + path, body), path);
}

std::string Browser::query(const std::string &path) {
  return value_of(http_.get(base_ + path), path);
}

void Browser::open(const std::string &url) {
  command("/url", JsonObjectText().text("url", url).str());
}

std::string Browser::title() {
  return plain(query("/title"));
}

std::string Browser::url() {
  return plain(query("/url"));
}

std::string Browser::text() {
  return plain(evaluate("document.body.innerText"));
}

std::string Browser::evaluate(const std::string &expression) {
  return command("/execute/sync", JsonObjectText().text("script", "return " + expression).json("args", "[]").str());
}

std::string Browser::element(const std::string &selector) {
  const auto request = JsonObjectText().text("using", "css selector").text("value", selector).str();
  std::string reference, trouble;
  const auto found = wait_until(
      [&] {
        try {
          reference = string_member(parsed(command("/element", request)), kElement);
        } catch (const Failed &failed) {
          trouble = failed.what();
        }
        return !reference.empty();
      },
      kPatience);
  if (!found) throw Failed(selector + " isn't on the page: " + trouble + "\n" + text());
  return reference;
}

void Browser::type(const std::string &selector, std::string_view keys) {
  command("/element/" + element(selector) + "/value", JsonObjectText().text("text", keys).str());
}

void Browser::click(const std::string &selector) {
  command("/element/" + element(selector) + "/click", "{}");
}

bool Browser::shows(std::string_view wanted) {
  return wait_until([&] { return text().find(wanted) != std::string::npos; }, kPatience);
}

std::string Browser::console_errors() {
  const auto entries = parsed(command("/se/log", R"({"type":"browser"})"));
  std::string out;
  if (entries.IsArray())
    for (const auto &entry : entries.GetArray())
      out += std::string(string_member(entry, "message")) + "\n";
  return out;
}

} // namespace trellis::test
