#include "output.h"

#include "contracts/json.h"
#include "contracts/plain_text.h"
#include <algorithm>
#include <ostream>
#include <rapidjson/document.h>
#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>

namespace trellis::cli {
namespace {

using Writer = rapidjson::PrettyWriter<rapidjson::StringBuffer>;

void write(Writer &out, std::string_view text) {
  out.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
}
void write(Writer &out, const std::string &text) {
  write(out, std::string_view(text));
}
void write(Writer &out, std::int64_t number) {
  out.Int64(number);
}
void write(Writer &out, bool flag) {
  out.Bool(flag);
}
void write(Writer &out, const std::vector<std::string> &items) {
  out.StartArray();
  for (const auto &item : items)
    write(out, item);
  out.EndArray();
}
void write(Writer &out, const Table &table) {
  out.StartArray();
  for (const auto &row : table.rows) {
    out.StartObject();
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
      write(out, table.columns[i]);
      write(out, row[i]);
    }
    out.EndObject();
  }
  out.EndArray();
}

std::string line(const std::string &name, const std::string &value) {
  return name + "=" + value + "\n";
}

// Columns that a terminal needs for UTF-8 text without wide characters.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string repeated(std::string_view text, std::size_t times) {
  std::string out;
  while (times-- > 0)
    out += text;
  return out;
}

std::string border(const std::vector<std::size_t> &widths, std::string_view left, std::string_view middle,
                   std::string_view right) {
  std::string out(left);
  for (std::size_t i = 0; i < widths.size(); ++i) {
    out += repeated("─", widths[i] + 2);
    out += i + 1 < widths.size() ? middle : right;
  }
  return out + "\n";
}

std::string box_row(const std::vector<std::string> &cells, const std::vector<std::size_t> &widths) {
  std::string out = "│";
  for (std::size_t i = 0; i < widths.size(); ++i)
    out += " " + cells[i] + std::string(widths[i] - width(cells[i]), ' ') + " │";
  return out + "\n";
}

std::string field_text(const std::string &name, const std::string &value) {
  return line(name, printable(value));
}
std::string field_text(const std::string &name, std::int64_t value) {
  return line(name, std::to_string(value));
}
std::string field_text(const std::string &name, bool value) {
  return line(name, value ? "true" : "false");
}
std::string field_text(const std::string &name, const Table &table) {
  if (table.rows.empty()) return line(name, "none");
  return name + "\n" + box_table(table);
}
std::string field_text(const std::string &name, const std::vector<std::string> &items) {
  if (items.empty()) return line(name, "none");
  Table table{{name}, {}};
  for (const auto &item : items)
    table.rows.push_back({item});
  return box_table(table);
}

} // namespace

Report &Report::add(std::string name, Value value, Form form) {
  fields_.push_back({std::move(name), std::move(value), form});
  return *this;
}

Report &Report::text(std::string name, std::string value) {
  return add(std::move(name), std::move(value));
}
Report &Report::number(std::string name, std::int64_t value) {
  return add(std::move(name), value);
}
Report &Report::flag(std::string name, bool value) {
  return add(std::move(name), value);
}
Report &Report::list(std::string name, std::vector<std::string> items) {
  return add(std::move(name), std::move(items));
}
Report &Report::table(std::string name, Table table) {
  return add(std::move(name), std::move(table));
}
Report &Report::json_list(std::string name, std::vector<std::string> items) {
  return add(std::move(name), std::move(items), Form::json);
}
Report &Report::text_only(std::string name, std::string value) {
  return add(std::move(name), std::move(value), Form::text);
}

std::string Report::to_text(bool colour) const {
  std::string out;
  if (!success_.empty()) out += (colour ? "\x1b[1;32mok\x1b[0m " : "ok ") + printable(success_) + "\n";
  for (const auto &field : fields_)
    if (field.form != Form::json)
      out += std::visit([&field](const auto &value) { return field_text(field.name, value); }, field.value);
  return out;
}

std::string Report::to_json() const {
  rapidjson::StringBuffer buffer;
  Writer out(buffer);
  out.SetIndent(' ', 2);
  out.StartObject();
  for (const auto &field : fields_) {
    if (field.form == Form::text) continue;
    write(out, field.name);
    std::visit([&out](const auto &value) { write(out, value); }, field.value);
  }
  out.EndObject();
  return std::string(buffer.GetString(), buffer.GetSize()) + "\n";
}

void Output::show(const Report &report) {
  out_ << (format_ == Format::json ? report.to_json() : report.to_text(colour_)) << std::flush;
}

void Output::show(const Report &report, const std::string &json) {
  if (format_ == Format::text) return show(report);
  out_ << pretty_json(json) << std::endl;
}

int Output::fail(const Error &error) {
  err_ << (colour_ ? "\x1b[1;31merror\x1b[0m: " : "error: ") << printable(error.text()) << std::endl;
  return 1;
}

std::string printable(std::string_view text) {
  return plain_text(text, '?', true);
}

std::string box_table(const Table &table) {
  std::vector<std::vector<std::string>> rows{table.columns};
  rows.insert(rows.end(), table.rows.begin(), table.rows.end());
  std::vector<std::size_t> widths(table.columns.size());
  for (auto &row : rows)
    for (std::size_t i = 0; i < widths.size(); ++i) {
      row[i] = printable(row[i]);
      std::ranges::replace(row[i], '\n', ' ');
      widths[i] = std::max(widths[i], width(row[i]));
    }
  std::string out = border(widths, "┌", "┬", "┐") + box_row(rows.front(), widths) + border(widths, "├", "┼", "┤");
  for (std::size_t i = 1; i < rows.size(); ++i)
    out += box_row(rows[i], widths);
  return out + border(widths, "└", "┴", "┘");
}

std::string pretty_json(const std::string &json) {
  const auto document = parse_json(json);
  if (!document) return json;
  rapidjson::StringBuffer buffer;
  rapidjson::PrettyWriter<rapidjson::StringBuffer> writer(buffer);
  writer.SetIndent(' ', 2);
  document->Accept(writer);
  return {buffer.GetString(), buffer.GetSize()};
}

} // namespace trellis::cli
