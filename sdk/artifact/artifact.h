// A plugin file, read without running any of it (ARCHITECTURE §3).
//
// The file is copied once into a sealed memfd; hash, contract, imports and later the loading all see that copy, so what
// was checked is what runs. The ELF reader is ours: it must survive hostile files, and needs ten structures of the
// format. Rejected: BFD or libelf, whose job is everything that linkers do.
#pragma once

#include "contracts/encoding.h"
#include "contracts/manifest.h"
#include "contracts/result.h"
#include "contracts/schema.h"
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace trellis {

inline constexpr std::size_t kMaxContractBytes = std::size_t{4} << 20;   // .trellis.contract
inline constexpr std::size_t kMaxConfigSchema = std::size_t{256} << 10;  // .trellis.config-schema
inline constexpr std::size_t kMaxArtifactBytes = std::size_t{512} << 20; // a plugin file

// What the ELF file says about itself.
struct ElfFacts {
  std::string contract;                     // the section's text without trailing NULs
  std::optional<std::string> config_schema; // the text of .trellis.config-schema, when there is one
  std::vector<std::string> needed;          // DT_NEEDED
  std::vector<std::string> imported;        // undefined dynamic symbols, sorted
  bool has_entry = false;                   // exports trellis_plugin_entry_v1 as an object
  std::vector<std::string> unique_symbols;  // STB_GNU_UNIQUE
  bool has_rpath = false;                   // DT_RPATH or DT_RUNPATH
  bool is_go = false;                       // holds a Go runtime (section .note.go.buildid or .go.buildinfo)
};

// Errors: "elf_invalid" (not a 64-bit little-endian shared object of this machine, or inconsistent),
// "contract_missing", "contract_repeated", "contract_too_large", "config_schema_repeated", "config_schema_too_large".
// Never reads outside `file`, whatever it holds.
Result<ElfFacts> read_elf(ByteView file);

// The file with its contract section replaced or added, for `trellis plugin embed`. Errors as read_elf.
Result<Bytes> embed_contract(ByteView file, std::string_view contract);
// The same for the schema of its settings, in a file that has a contract. Also errors of compile_config_schema.
Result<Bytes> embed_config_schema(ByteView file, std::string_view schema);

// The schema of a plugin's settings. Error "config_schema_invalid".
Result<Schema> compile_config_schema(std::string_view text);

// Why a host refuses such a file (ARCHITECTURE §3): "entry_missing", "unique_symbols", "rpath", "needed_path",
// "config_schema_invalid". `where` is `file`. Empty when it doesn't.
std::vector<Error> refusals(const ElfFacts &facts, const std::string &file);

class Artifact {
public:
  // Reads `path` and checks what ARCHITECTURE §3 refuses: "artifact_unreadable", "artifact_too_large", those of
  // read_elf, Manifest::parse and the first of refusals(); "contract_array" for a section that holds an empty array,
  // or one with two contracts of the same id.
  static Result<Artifact> open(const std::filesystem::path &path);
  // The same without refusals(), for telling all of them: `trellis plugin inspect`.
  static Result<Artifact> open_for_inspection(const std::filesystem::path &path);

  Artifact(Artifact &&) noexcept;
  Artifact &operator=(Artifact &&) noexcept;
  ~Artifact();

  const std::filesystem::path &path() const;
  const std::string &sha256_hex() const;
  const Manifest &manifest() const; // the first, for everything but the control plane the only one
  const std::vector<Manifest> &manifests() const;
  // The section holds a JSON array of manifests, which only the control plane may have.
  bool has_contract_array() const;
  const ElfFacts &elf() const;
  // nullptr when the plugin ships none. Compiled already: an artifact of open() has no broken one.
  const Schema *config_schema() const;
  ByteView bytes() const;
  // A sealed memfd with the file's bytes; owned by this object, must stay open as long as its code is mapped.
  int memfd() const;

private:
  struct Data;
  explicit Artifact(std::unique_ptr<Data> data);
  std::unique_ptr<Data> data_;
};

} // namespace trellis
