// For tests: real shared objects from the build folder, changes to single fields of them, and what tools say about
// them.
#pragma once

#include "artifact/elf_file.h"
#include <catch2/catch_test_macros.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <unistd.h>

namespace trellis::testing {

inline std::string example_path(const std::string &name) {
  return TRELLIS_BUILD_ROOT "/examples/" + name + ".so";
}
inline std::string testdata_path(const std::string &name) {
  return TRELLIS_BUILD_ROOT "/sdk/artifact/testdata/" + name + ".so";
}

inline Bytes read_file(const std::string &path) {
  std::ifstream in(path, std::ios::binary);
  INFO(path);
  REQUIRE(in);
  return {std::istreambuf_iterator<char>(in), {}};
}

// An ELF file whose fields can be set to what no linker would write.
struct Patched {
  Bytes bytes;

  Elf64_Ehdr header() const { return load<Elf64_Ehdr>(bytes, 0); }
  template <class T>
  void put(std::size_t at, const T &value) {
    REQUIRE(at + sizeof value <= bytes.size());
    std::memcpy(bytes.data() + at, &value, sizeof value);
  }
  template <class Change>
  void change_header(Change change) {
    auto value = header();
    change(value);
    put(0, value);
  }
  // These change the first entry that fits.
  template <class Change>
  void change_section(std::uint32_t type, Change change) {
    change_first<Elf64_Shdr>(
        header().e_shoff, [type](const auto &section) { return section.sh_type == type; }, change);
  }
  template <class Change>
  void change_segment(std::uint32_t type, Change change) {
    change_first<Elf64_Phdr>(
        header().e_phoff, [type](const auto &segment) { return segment.p_type == type; }, change);
  }
  template <class Change>
  void change_dynamic(std::int64_t tag, Change change) {
    std::size_t table = 0;
    change_section(SHT_DYNAMIC, [&table](const auto &section) { table = section.sh_offset; });
    change_first<Elf64_Dyn>(
        table, [tag](const auto &entry) { return entry.d_tag == tag; }, change);
  }
  // The symbol trellis_plugin_entry_v1.
  template <class Change>
  void change_entry_symbol(Change change) {
    const auto elf = ElfFile::parse(bytes);
    REQUIRE(elf);
    std::size_t table = 0, names = 0;
    for (const auto &section : elf->sections())
      if (section.sh_type == SHT_DYNSYM) table = section.sh_offset, names = elf->sections()[section.sh_link].sh_offset;
    const auto is_entry = [&](const Elf64_Sym &symbol) {
      return as_text(bytes).substr(names + symbol.st_name).starts_with(kEntrySymbol);
    };
    change_first<Elf64_Sym>(table, is_entry, change);
  }

private:
  template <class T, class Match, class Change>
  void change_first(std::size_t table, Match match, Change change) {
    std::size_t at = table;
    while (!match(load<T>(bytes, at))) {
      at += sizeof(T);
      REQUIRE(at + sizeof(T) <= bytes.size());
    }
    auto value = load<T>(bytes, at);
    change(value);
    put(at, value);
  }
};

// A folder that is deleted at the end.
class TemporaryFolder {
public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "trellis-test-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()));
    path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder &) = delete;
  TemporaryFolder &operator=(const TemporaryFolder &) = delete;

  const std::filesystem::path &path() const { return path_; }
  // Writes a file and returns its path.
  std::string write(const std::string &name, ByteView bytes) const {
    auto file = (path_ / name).string();
    std::ofstream out(file, std::ios::binary);
    out.write(as_text(bytes).data(), static_cast<std::streamsize>(bytes.size()));
    REQUIRE(out.flush());
    return file;
  }

private:
  std::filesystem::path path_;
};

struct CommandOutput {
  int status = -1;
  std::string text; // stdout and stderr
};

inline CommandOutput run_tool(const std::string &command) {
  CommandOutput out;
  std::FILE *pipe = ::popen((command + " 2>&1").c_str(), "r");
  REQUIRE(pipe);
  char buffer[4096];
  while (const auto size = std::fread(buffer, 1, sizeof buffer, pipe))
    out.text.append(buffer, size);
  out.status = ::pclose(pipe);
  return out;
}

inline bool has_tool(const std::string &name) {
  return run_tool("command -v " + name).status == 0;
}

} // namespace trellis::testing
