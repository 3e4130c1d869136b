// Results of commands, in both forms (10 §1.2): text for people, one JSON object for programs.
//
// A command fills a Report once; its fields become key=value lines and tables, or members of the object. So the two
// forms can't tell different things. Texts may come from hostile files: control characters never reach the terminal.
#pragma once

#include "contracts/result.h"
#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace trellis::cli {

struct Table {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows; // each as long as `columns`
};

class Report {
public:
  Report() = default;
  explicit Report(std::string success) : success_(std::move(success)) {} // "ok ..." in text

  Report &text(std::string name, std::string value);
  Report &number(std::string name, std::int64_t value);
  Report &flag(std::string name, bool value);
  Report &list(std::string name, std::vector<std::string> items);
  Report &table(std::string name, Table table); // in JSON an array of objects
  // Only in one of the forms: what the other one would find too long, or knows from elsewhere.
  Report &json_list(std::string name, std::vector<std::string> items);
  Report &text_only(std::string name, std::string value);

  std::string to_text(bool colour) const;
  std::string to_json() const; // with an indent of 2 and a line end

private:
  enum class Form { both, text, json };
  using Value = std::variant<std::string, std::int64_t, bool, std::vector<std::string>, Table>;
  struct Field {
    std::string name;
    Value value;
    Form form = Form::both;
  };
  Report &add(std::string name, Value value, Form form = Form::both);

  std::string success_;
  std::vector<Field> fields_;
};

class Output {
public:
  enum class Format { text, json };

  Output(std::ostream &out, std::ostream &err, Format format, bool colour, int verbosity)
      : out_(out), err_(err), format_(format), colour_(colour), verbosity_(verbosity) {}

  Format format() const { return format_; }
  bool colour() const { return colour_; }
  int verbosity() const { return verbosity_; }
  std::ostream &out() { return out_; }
  std::ostream &err() { return err_; }

  void show(const Report &report);
  // `json` in JSON format, else `report`: for results whose JSON is what a service answered.
  void show(const Report &report, const std::string &json);
  // Prints the error as text, whatever the format is. Returns 1, the exit code.
  int fail(const Error &error);

private:
  std::ostream &out_;
  std::ostream &err_;
  Format format_;
  bool colour_;
  int verbosity_;
};

// `text` with "?" for each control character but the line end (contracts/plain_text.h).
std::string printable(std::string_view text);
std::string box_table(const Table &table);
// JSON with an indent of 2 and no line end; what is no JSON stays as it is.
std::string pretty_json(const std::string &json);

} // namespace trellis::cli
