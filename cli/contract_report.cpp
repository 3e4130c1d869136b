#include "contract_report.h"

#include "contracts/json_write.h"
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <ostream>

namespace trellis::cli {
namespace {

constexpr std::array<std::string_view, 4> kPlace{"file", "line", "column", "pointer"};

bool is_place(std::string_view name) {
  return std::ranges::find(kPlace, name) != kPlace.end();
}

std::int64_t number_of(const std::string &digits) {
  return std::strtoll(digits.c_str(), nullptr, 10);
}

// Where the file isn't known from the details, the name of what the error is about.
void append_place(JsonObjectText &out, const Error &error) {
  const bool placed = !error.detail("file").empty();
  if (!placed && !error.where.empty()) out.text("file", error.where);
  for (const auto &[name, value] : error.details) {
    if (!is_place(name)) continue;
    if (name == "line" || name == "column")
      out.number(name, number_of(value));
    else
      out.text(name, value);
  }
}

} // namespace

std::string error_json(const Error &error) {
  JsonObjectText out;
  out.text("category", error.code);
  append_place(out, error);
  out.text("message", error.message);
  if (!error.expected.empty()) out.text("expected", error.expected);
  JsonObjectText facts;
  bool any = false;
  for (const auto &[name, value] : error.details)
    if (!is_place(name)) facts.text(name, value), any = true;
  if (any) out.json("details", facts.str());
  return out.str();
}

std::string errors_json(const std::vector<Error> &errors) {
  std::string out = "[";
  for (const auto &error : errors)
    out += (out.size() > 1 ? "," : "") + error_json(error);
  return out + "]";
}

std::string indented_json(std::string_view compact) {
  std::string out;
  std::size_t depth = 0;
  const auto new_line = [&] { out += "\n" + std::string(2 * depth, ' '); };
  for (std::size_t i = 0; i < compact.size(); ++i) {
    const char c = compact[i];
    if (c == '"') {
      const auto start = i;
      for (++i; i < compact.size() && compact[i] != '"'; ++i)
        if (compact[i] == '\\') ++i;
      out += compact.substr(start, i + 1 - start);
    } else if ((c == '{' || c == '[') && i + 1 < compact.size() && (compact[i + 1] == '}' || compact[i + 1] == ']')) {
      out += compact.substr(i++, 2);
    } else if (c == '{' || c == '[') {
      out += c;
      ++depth;
      new_line();
    } else if (c == '}' || c == ']') {
      --depth;
      new_line();
      out += c;
    } else if (c == ',') {
      out += c;
      new_line();
    } else {
      out += c == ':' ? std::string(": ") : std::string(1, c);
    }
  }
  return out;
}

void print_json(Output &out, std::string_view compact) {
  out.out() << indented_json(compact) << std::endl;
}

int fail_contract(Output &out, const Error &error, int code) {
  if (out.format() == Output::Format::json) print_json(out, "{\"errors\":" + errors_json({error}) + "}");
  out.fail(error);
  return code;
}

} // namespace trellis::cli
