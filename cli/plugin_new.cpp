#include "plugin_new.h"

#include "contract_file.h"
#include "file_write.h"
#include <algorithm>
#include <unistd.h>

namespace trellis::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxName = 40;
constexpr std::size_t kMaxTemplate = std::size_t{1} << 20;

// What a language copies out of the SDK: all regular files of `from` with one of `suffixes`, to `to`.
struct Copy {
  fs::path from, to;
  std::vector<std::string> suffixes;
};

struct Language {
  std::string name;
  std::vector<Copy> copies;
  std::string build, test, artifact;
};

// Names that the languages themselves, or the template, already use; namespaces of the platform, which hosts refuse to
// everybody else; and names that no path of a Go module may have.
constexpr const char *kTaken[] = {
    "main",  "test", "vendor", "trellis", "plugin", "contract",       "target", "build",  "clean",
    "std",   "core", "alloc",  "self",    "crate",  "trellis-plugin", "auth",   "health", "jobs",
    "state", "aux",  "con",    "nul",     "prn"};

const std::vector<Language> &languages() {
  static const std::vector<Language> all = {
      {"c",
       {{"plugin-api/trellis", "vendor/trellis", {"plugin.h", "contract_file.h"}},
        {"sdk/c/trellis", "vendor/trellis", {".h"}}},
       "make",
       "make test",
       "{{name}}.so"},
      {"cpp",
       {{"plugin-api/trellis", "vendor/trellis", {"plugin.h", "contract_file.h"}},
        {"sdk/cpp/trellis", "vendor/trellis", {".h"}}},
       "make",
       "make test",
       "{{name}}.so"},
      {"rust",
       {{"sdk/rust", "vendor/trellis-plugin", {"Cargo.toml"}},
        {"sdk/rust/src", "vendor/trellis-plugin/src", {".rs"}},
        {"sdk/rust/src/json", "vendor/trellis-plugin/src/json", {".rs"}}},
       "cargo build --release",
       "cargo test",
       "target/release/lib{{name_}}.so"},
      {"go",
       {{"plugin-api/trellis", "trellis/include/trellis", {"plugin.h", "contract_file.h"}},
        {"sdk/go", "trellis", {".go", ".c", ".h", "go.mod"}},
        {"sdk/go/include/trellis", "trellis/include/trellis", {".h"}}},
       "go build -buildmode=c-shared -o {{name}}.so .",
       "go test .",
       "{{name}}.so"},
  };
  return all;
}

const Language *find_language(const std::string &name) {
  for (const auto &language : languages())
    if (language.name == name) return &language;
  return nullptr;
}

Result<void> check_name(const std::string &name) {
  const auto lower = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto fits = [&](char c) { return lower(c) || (c >= '0' && c <= '9') || c == '-'; };
  const bool is_word = !name.empty() && name.size() <= kMaxName && lower(name.front()) && name.back() != '-' &&
                       std::all_of(name.begin(), name.end(), fits) && name.find("--") == std::string::npos;
  if (!is_word)
    return fail("plugin_name", name, "no name for a plugin",
                "at most 40 letters a to z, digits and single hyphens, a letter first: stock-keeper");
  if (std::find(std::begin(kTaken), std::end(kTaken), name) != std::end(kTaken))
    return fail("plugin_name", name, "the name is taken by a part of the project", "another one");
  return {};
}

std::string with_underscores(std::string name) {
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

// "stock-keeper" is "StockKeeper".
std::string camel(const std::string &name) {
  std::string out;
  bool starts = true;
  for (const char c : name) {
    if (c != '-') out += starts && c >= 'a' ? static_cast<char>(c - 'a' + 'A') : c;
    starts = c == '-';
  }
  return out;
}

std::string filled(std::string text, const std::string &name) {
  const std::pair<std::string, std::string> values[] = {
      {"{{name}}", name}, {"{{name_}}", with_underscores(name)}, {"{{Name}}", camel(name)}};
  for (const auto &[token, value] : values)
    for (auto at = text.find(token); at != std::string::npos; at = text.find(token, at + value.size()))
      text.replace(at, token.size(), value);
  return text;
}

// The project's path of a template: without ".in", the name filled in, and a dot where it would hide the template.
fs::path target_of(const fs::path &relative, const std::string &name) {
  auto text = filled(relative.string(), name);
  text.resize(text.size() - std::string(".in").size());
  return text == "gitignore" ? fs::path(".gitignore") : fs::path(text);
}

Result<void> add_templates(ProjectFiles &files, const fs::path &folder, const std::string &name) {
  std::error_code problem;
  fs::recursive_directory_iterator entries(folder, problem);
  if (problem) return fail("sdk_incomplete", folder.string(), "the SDK has no such folder", "a folder of templates");
  for (const auto &entry : entries) {
    if (!entry.is_regular_file() || entry.path().extension() != ".in") continue;
    const auto text = read_text_file(entry.path().string(), kMaxTemplate);
    if (!text) return tl::make_unexpected(text.error());
    files[target_of(fs::relative(entry.path(), folder), name)] = filled(*text, name);
  }
  return {};
}

// By its end; the tests of an SDK stay at home.
bool is_wanted(const std::string &file, const std::vector<std::string> &suffixes) {
  if (file.find("_test.") != std::string::npos) return false;
  return std::any_of(suffixes.begin(), suffixes.end(), [&](const auto &suffix) { return file.ends_with(suffix); });
}

Result<void> add_copy(ProjectFiles &files, const fs::path &sdk, const Copy &copy) {
  std::error_code problem;
  fs::directory_iterator entries(sdk / copy.from, problem);
  std::size_t found = 0;
  if (!problem)
    for (const auto &entry : entries) {
      const auto name = entry.path().filename().string();
      if (!entry.is_regular_file() || !is_wanted(name, copy.suffixes)) continue;
      auto text = read_text_file(entry.path().string(), kMaxTemplate);
      if (!text) return tl::make_unexpected(std::move(text.error()));
      files[copy.to / name] = std::move(*text);
      ++found;
    }
  if (found == 0) return fail("sdk_incomplete", (sdk / copy.from).string(), "the SDK lacks these files");
  return {};
}

Result<void> write_all(const ProjectFiles &files, const fs::path &folder) {
  for (const auto &[path, text] : files) {
    std::error_code problem;
    fs::create_directories((folder / path).parent_path(), problem);
    if (problem) return fail("file_unwritable", (folder / path).string(), problem.message());
    if (auto written = replace_file(folder / path, as_bytes(text), 0644); !written) return written;
  }
  return {};
}

} // namespace

std::vector<std::string> plugin_languages() {
  std::vector<std::string> out;
  for (const auto &language : languages())
    out.push_back(language.name);
  return out;
}

std::vector<std::string> plugin_commands(const NewPlugin &plugin) {
  const auto *language = find_language(plugin.language);
  if (!language) return {};
  return {filled(language->build, plugin.name), filled(language->test, plugin.name),
          filled("trellis plugin run " + language->artifact, plugin.name)};
}

Result<ProjectFiles> project_files(const NewPlugin &plugin) {
  if (auto checked = check_name(plugin.name); !checked) return tl::make_unexpected(checked.error());
  const auto *language = find_language(plugin.language);
  if (!language) return fail("plugin_language", plugin.language, "no language with an SDK", "c, cpp, rust or go");
  ProjectFiles files;
  for (const auto &folder : {std::string("common"), language->name})
    if (auto added = add_templates(files, plugin.sdk / "sdk/templates" / folder, plugin.name); !added)
      return tl::make_unexpected(added.error());
  for (const auto &copy : language->copies)
    if (auto added = add_copy(files, plugin.sdk, copy); !added) return tl::make_unexpected(added.error());
  return files;
}

Result<void> write_project(const ProjectFiles &files, const fs::path &wanted) {
  const auto folder = wanted.has_filename() ? wanted : wanted.parent_path(); // "stock/" is beside its draft, too
  std::error_code problem;
  const auto used = [&] { return fail("folder_used", folder.string(), "there is something already", "a new folder"); };
  if (fs::exists(fs::symlink_status(folder, problem)) && !fs::is_empty(folder, problem)) return used();
  // Made beside it and renamed, which refuses a folder that isn't empty, also one that was filled meanwhile.
  const auto draft = fs::absolute(folder).string() + ".new" + std::to_string(::getpid());
  auto written = write_all(files, draft);
  if (written) {
    fs::rename(draft, folder, problem);
    if (problem) written = used();
  }
  fs::remove_all(draft, problem);
  return written;
}

Result<fs::path> find_sdk() {
  std::error_code problem;
  const auto ours = fs::read_symlink("/proc/self/exe", problem).parent_path();
  const auto installed = ours.parent_path() / "share/trellis";
  for (const auto &root : {installed, ours.parent_path().parent_path().parent_path()}) // .../build/NAME/cli
    if (fs::is_directory(root / "sdk/templates", problem)) return root;
  return fail("sdk_missing", installed.string(), "the SDK isn't installed", "it there, or --sdk FOLDER");
}

} // namespace trellis::cli
