// A real browser without a window, driven over the WebDriver protocol (W3C), for what a person does on our pages.
//
// Plain HTTP and JSON to chromedriver: the few commands that the tests need are fewer lines than a client library. It
// has its own profile in a temporary folder, so no run sees another's cookies. Its sandbox is off: the tests may run as
// root, and nothing but our own pages is opened.
#pragma once

#include "http/http_client.h"
#include "support/process.h"
#include "support/temp_dir.h"
#include <memory>
#include <string>
#include <string_view>

namespace trellis::test {

class Browser {
public:
  Browser(); // throws when chromedriver or the browser can't be started
  ~Browser();
  Browser(const Browser &) = delete;
  Browser &operator=(const Browser &) = delete;

  void open(const std::string &url);
  std::string title();
  std::string url();
  std::string text(); // what is visible on the page

  // Elements by CSS selector, the first of several. Both wait until it is there, and throw when it doesn't come.
  void type(const std::string &selector, std::string_view keys);
  void click(const std::string &selector);
  bool shows(std::string_view wanted); // waits until the page shows this text
  // A JavaScript expression's value as JSON.
  std::string evaluate(const std::string &expression);
  // What the page wrote to the console at level "SEVERE": script errors, refused or missing files.
  std::string console_errors();

private:
  std::string command(const std::string &path, const std::string &body); // POST; the member `value` as JSON text
  std::string query(const std::string &path);                            // GET; the same
  std::string element(const std::string &selector);                      // its reference

  TempDir dir_;
  HttpClient http_;
  std::unique_ptr<Process> driver_;
  std::string base_; // URL of the session
};

} // namespace trellis::test
