#include "contract_file.h"

#include "host/artifact.h"
#include "json_locator.h"
#include <charconv>
#include <fstream>

namespace trellis::cli {
namespace {

bool is_elf(std::string_view text) {
  return text.starts_with("\x7f"
                          "ELF");
}

// parse_json says where = "byte N".
std::size_t offset_of(const std::string &where, std::string_view text) {
  constexpr std::string_view kByte = "byte ";
  if (!where.starts_with(kByte)) return locate_json(text, where);
  std::size_t offset = 0;
  std::from_chars(where.data() + kByte.size(), where.data() + where.size(), offset);
  return std::min(offset, text.size());
}

} // namespace

Result<std::string> read_text_file(const std::string &file, std::size_t most) {
  std::ifstream in(file, std::ios::binary);
  std::string text;
  char buffer[65536];
  while (in.read(buffer, sizeof buffer) || in.gcount() > 0) {
    text.append(buffer, static_cast<std::size_t>(in.gcount()));
    if (text.size() > most)
      return fail("file_too_large", file, "the file is too large", "at most " + std::to_string(most) + " bytes");
  }
  if (!in.is_open() || in.bad()) return fail("file_unreadable", file, "the file can't be read", "a readable file");
  return text;
}

Error place_in_file(Error error, const std::string &file, std::string_view text) {
  const auto place = line_and_column(text, offset_of(error.where, text));
  const bool is_pointer = error.where.starts_with('/');
  error.where = file + ":" + place + (is_pointer ? " " + error.where : "");
  return error;
}

Result<std::string> read_contract_text(const std::string &file) {
  auto text = read_text_file(file, host::kMaxArtifactBytes);
  if (!text || !is_elf(*text)) return text;
  auto facts = host::read_elf(as_bytes(*text));
  if (!facts) {
    facts.error().where = file;
    return tl::make_unexpected(std::move(facts.error()));
  }
  return std::move(facts->contract);
}

Result<Manifest> parse_contract(const std::string &file, std::string_view text) {
  auto manifest = Manifest::parse(text);
  if (!manifest) return tl::make_unexpected(place_in_file(std::move(manifest.error()), file, text));
  return manifest;
}

Result<Manifest> read_contract(const std::string &file) {
  const auto text = read_contract_text(file);
  if (!text) return tl::make_unexpected(text.error());
  return parse_contract(file, *text);
}

Result<std::vector<Manifest>> read_contracts(const std::vector<std::string> &files) {
  std::vector<Manifest> out;
  for (const auto &file : files) {
    auto manifest = read_contract(file);
    if (!manifest) return tl::make_unexpected(std::move(manifest.error()));
    out.push_back(std::move(*manifest));
  }
  return out;
}

} // namespace trellis::cli
