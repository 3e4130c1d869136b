// Contracts as files on an operator's disk: a manifest as JSON, the section of a plugin, or "-" for standard input.
//
// A contract that was read stays together with its text, so that whatever is found out about it later can be told as
// file, line, column and JSON pointer. Only a control plane's section holds an array of contracts; it is read as the
// list that it is, and the pointers start with the contract's index.
#pragma once

#include "contracts/manifest.h"
#include "contracts/result.h"
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::cli {

inline constexpr std::size_t kMaxJsonFile = std::size_t{4} << 20; // as JsonLimits and the section of a plugin

// The whole file. Errors: "file_unreadable", "file_too_large" (beyond `most` bytes).
Result<std::string> read_text_file(const std::string &file, std::size_t most);
// The same with "-" for standard input. Of a pipe no more than `most` bytes are read.
Result<std::string> read_input(const std::string &file, std::size_t most);
std::string shown_name(const std::string &file); // "<stdin>" for "-"

// An error of parse_json, Manifest::validate or a check of contracts about `text`: where = "FILE:LINE:COLUMN POINTER",
// and the details file, line, column and pointer for programs.
Error place_in_file(Error error, const std::string &file, std::string_view text);

// The text of the manifest in `file`, which is JSON or, by its first bytes, an ELF file. Errors: those of
// read_input and read_elf.
Result<std::string> read_contract_text(const std::string &file);
// A text that came from `file`, validated. Errors of a manifest are placed by place_in_file.
Result<Manifest> parse_contract(const std::string &file, std::string_view text);
// Both.
Result<Manifest> read_contract(const std::string &file);
Result<std::vector<Manifest>> read_contracts(const std::vector<std::string> &files); // arrays count with all they hold

class ContractSource {
public:
  ContractSource(std::string file, std::string text, JsonDocument json);

  const std::string &text() const { return text_; }
  const JsonDocument &json() const { return *json_; }
  Error place(Error error) const { return place_in_file(std::move(error), file_, text_); }

private:
  std::string file_, text_;
  std::shared_ptr<const JsonDocument> json_;
};

struct SourcedContract {
  std::shared_ptr<const ContractSource> source;
  std::string pointer;    // of the manifest in the text: "" or "/0"
  const JsonValue *value; // as it was written, in source->json()
  Manifest manifest;

  // `error.where`: a pointer into the manifest, or something else that stays.
  Error place(Error error) const;
};

// Error "contract_array": an array that is empty or holds an id twice.
Result<std::vector<SourcedContract>> read_sourced_contracts(const std::string &file);
// The one of that id, or the only one. Error "contract_choice".
Result<SourcedContract> read_sourced_contract(const std::string &file, const std::string &id = {});

} // namespace trellis::cli
