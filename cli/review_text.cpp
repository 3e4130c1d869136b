#include "review_text.h"
#include "contracts/json_write.h"
#include <algorithm>
#include <cstdint>

namespace trellis::cli {
namespace {

constexpr std::size_t kWidth = 100, kIndent = 2, kNames = 14;

// The code point at the start of strict UTF-8, and its length.
std::pair<std::uint32_t, std::size_t> first_code_point(std::string_view text) {
  const auto byte = [&](std::size_t at) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[at])); };
  if (byte(0) < 0x80) return {byte(0), 1};
  if (byte(0) < 0xE0) return {(byte(0) & 0x1F) << 6 | (byte(1) & 0x3F), 2};
  if (byte(0) < 0xF0) return {(byte(0) & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F), 3};
  return {(byte(0) & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F), 4};
}

struct Range {
  std::uint32_t first, last;
};

bool is_deceptive(std::uint32_t c) {
  static constexpr Range kRanges[] = {
      {0x00, 0x1F},       {0x7F, 0x9F},     // controls
      {0xAD, 0xAD},       {0x61C, 0x61C},   // soft hyphen, Arabic letter mark
      {0x115F, 0x1160},   {0x180B, 0x180F}, // fillers
      {0x200B, 0x200F},   {0x2028, 0x202E}, // zero width, line separators, embeddings and overrides
      {0x2060, 0x206F},   {0x3164, 0x3164}, // invisible operators, isolates, filler
      {0xFE00, 0xFE0F},   {0xFEFF, 0xFEFF}, // variation selectors, byte order mark
      {0xFFA0, 0xFFA0},   {0xFFF0, 0xFFFB}, // filler, annotations
      {0xE0000, 0xE0FFF},                   // tags
  };
  return std::ranges::any_of(kRanges, [c](const Range &range) { return c >= range.first && c <= range.last; });
}

std::string indent(int level) {
  return std::string(kIndent * static_cast<std::size_t>(level), ' ');
}

std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

// Appends `line` as lines of at most kWidth columns, where its words allow that.
void append_wrapped(std::string &out, std::string_view line, const std::string &margin) {
  std::string row;
  while (!line.empty()) {
    const auto end = std::min(line.find(' '), line.size());
    const auto word = line.substr(0, end);
    line.remove_prefix(std::min(end + 1, line.size()));
    if (!row.empty() && margin.size() + columns(row) + 1 + columns(word) > kWidth) {
      out += margin + row + "\n";
      row.clear();
    }
    if (!row.empty() && !word.empty()) row += ' ';
    row += word;
  }
  if (!row.empty()) out += margin + row + "\n";
}

} // namespace

std::string one_line(std::string_view text) {
  const std::string clean = utf8_text(text);
  std::string out;
  for (std::string_view rest = clean; !rest.empty();) {
    const auto [code, size] = first_code_point(rest);
    if (is_deceptive(code))
      out += '?';
    else
      out += rest.substr(0, size);
    rest.remove_prefix(size);
  }
  return out;
}

void ReviewText::heading(std::string_view text) {
  if (!out_.empty()) out_ += "\n";
  out_ += (colour_ ? "\x1b[1m" : "") + one_line(text) + (colour_ ? "\x1b[0m" : "") + "\n";
}

void ReviewText::fact(std::string_view name, std::string_view value) {
  std::string label(name);
  label.resize(std::max(kNames, label.size() + 1), ' ');
  out_ += indent(1) + label + one_line(value) + "\n";
}

void ReviewText::item(std::string_view text, int level) {
  out_ += indent(level) + one_line(text) + "\n";
}

void ReviewText::paragraph(std::string_view text, int level) {
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    append_wrapped(out_, one_line(text.substr(0, end)), indent(level));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

} // namespace trellis::cli
