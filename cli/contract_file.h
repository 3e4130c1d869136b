// Contracts as files on an operator's disk: a manifest as JSON, or the section of a plugin.
#pragma once

#include "contracts/manifest.h"
#include "contracts/result.h"
#include <string>
#include <string_view>
#include <vector>

namespace trellis::cli {

// The whole file. Errors: "file_unreadable", "file_too_large" (beyond `most` bytes).
Result<std::string> read_text_file(const std::string &file, std::size_t most);

// An error of parse_json or Manifest::validate about `text`, with where = "FILE:LINE:COLUMN POINTER".
Error place_in_file(Error error, const std::string &file, std::string_view text);

// The text of the manifest in `file`, which is JSON or, by its first bytes, an ELF file. Errors: those of
// read_text_file and host::read_elf.
Result<std::string> read_contract_text(const std::string &file);
// A text that came from `file`, validated. Errors of a manifest are placed by place_in_file.
Result<Manifest> parse_contract(const std::string &file, std::string_view text);
// Both.
Result<Manifest> read_contract(const std::string &file);
Result<std::vector<Manifest>> read_contracts(const std::vector<std::string> &files);

} // namespace trellis::cli
