#include "suite.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <rapidjson/document.h>

namespace trellis::vectors {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSchemaTopic = "json-schema";
constexpr std::array<std::string_view, 5> kFileMembers = {"description", "fixtures", "sequences", "setup", "cases"};
constexpr JsonLimits kFileLimits = {.max_bytes = std::size_t{256} << 20}; // vector files are ours to trust in size

struct VectorFile {
  std::string label; // as reports name it
  std::string stem;
  std::string topic; // of the registry
  fs::path path;
};

class Report {
public:
  Report(std::ostream &out, bool complete) : out_(out), complete_(complete) {}

  void add(const std::string &label, std::string_view name, const Outcome &outcome) {
    const std::string where = label + ": " + std::string(name) + ": ";
    switch (outcome.verdict) {
    case Verdict::passed: ++passed_; return;
    case Verdict::failed: ++failed_; return line(where + outcome.why);
    case Verdict::skipped: ++(complete_ ? failed_ : skipped_); return line(where + "skipped: " + outcome.why);
    case Verdict::not_yet: failed_ += complete_ ? 1 : 0; return line(where + "not yet: " + outcome.why);
    }
  }

  void fail_file(const std::string &label, const std::string &why) { add(label, "file", {Verdict::failed, why}); }

  bool any_failed() const { return failed_ > 0; }

  // A file or kind whose procedures don't exist yet: named once, not counted.
  void postpone(const std::string &name) {
    if (std::find(not_yet_.begin(), not_yet_.end(), name) != not_yet_.end()) return;
    not_yet_.push_back(name);
    failed_ += complete_ ? 1 : 0;
  }

  void finish() {
    std::string names;
    for (const auto &name : not_yet_) {
      if (!names.empty()) names += ", ";
      names += name;
    }
    if (!names.empty()) line("not yet (no procedures registered): " + names);
    out_ << "vectors: " << passed_ << " passed, " << failed_ << " failed, " << skipped_ << " skipped\n" << std::flush;
  }

private:
  // Exactly one line, whatever the text holds.
  void line(std::string text) {
    std::replace_if(
        text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
    out_ << text << '\n';
  }

  std::ostream &out_;
  const bool complete_;
  std::vector<std::string> not_yet_;
  std::size_t passed_ = 0;
  std::size_t failed_ = 0;
  std::size_t skipped_ = 0;
};

std::vector<fs::path> json_files(const fs::path &folder) {
  std::vector<fs::path> out;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    if (std::error_code unknown; at->path().extension() == ".json" && at->is_regular_file(unknown))
      out.push_back(at->path());
  std::sort(out.begin(), out.end());
  return out;
}

bool is_folder(const fs::path &path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

std::vector<VectorFile> files_of(const fs::path &folder) {
  std::vector<VectorFile> out;
  for (const auto &path : json_files(folder)) {
    const auto stem = path.stem().string();
    out.push_back({stem, stem, stem, path});
  }
  const std::string schema(kSchemaTopic);
  for (const auto &path : json_files(folder / schema)) {
    const auto stem = path.stem().string();
    out.push_back({schema + "/" + stem, stem, schema, path});
  }
  return out;
}

bool called(const VectorFile &file, std::string_view name) {
  if (name.ends_with(".json")) name.remove_suffix(5);
  return name == file.label || name == file.topic || name == file.stem;
}

Result<JsonDocument> read(const fs::path &path) {
  std::ifstream in(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in) return fail("unreadable", path.string(), "can't be read", "a vector file");
  return parse_json(text, kFileLimits);
}

void run_cases(const Kinds &kinds, const VectorFile &file, const JsonValue &content, Report &report) {
  const auto *cases = find_member(content, "cases");
  if (!cases || !cases->IsArray()) return report.fail_file(file.label, "/cases: not an array of cases");
  for (const auto &entry : content.GetObject()) {
    const auto name = text_of(entry.name);
    if (std::find(kFileMembers.begin(), kFileMembers.end(), name) == kFileMembers.end())
      report.fail_file(file.label, json_pointer(name) + ": unknown member of a vector file");
  }
  for (rapidjson::SizeType i = 0; i < cases->Size(); ++i) {
    const auto &vector_case = (*cases)[i];
    const auto numbered = "case " + std::to_string(i);
    const auto kind = kinds.find(std::string(string_member(vector_case, "kind")));
    if (kind != kinds.end() && !kind->second.run) {
      report.postpone(file.label + "/" + kind->first);
      continue;
    }
    report.add(file.label, string_member(vector_case, "name", numbered),
               run_case(kinds, file.topic, vector_case, find_member(content, "fixtures")));
  }
}

// A test of a schema file in the form of a case.
JsonDocument schema_case(const std::string &name, const JsonValue &schema, const JsonValue &data,
                         const JsonValue &valid) {
  JsonDocument out(rapidjson::kObjectType);
  auto &allocator = out.GetAllocator();
  JsonValue input(rapidjson::kObjectType);
  input.AddMember("schema", JsonValue(schema, allocator), allocator);
  input.AddMember("data", JsonValue(data, allocator), allocator);
  JsonValue expected(rapidjson::kObjectType);
  expected.AddMember("valid", JsonValue(valid, allocator), allocator);
  const auto size = static_cast<rapidjson::SizeType>(name.size());
  out.AddMember("name", JsonValue(name.data(), size, allocator), allocator);
  out.AddMember("kind", "json-schema", allocator);
  out.AddMember("input", input, allocator);
  out.AddMember("expected", expected, allocator);
  return out;
}

void run_schema_group(const Kinds &kinds, const VectorFile &file, const JsonValue &group, Report &report) {
  const auto *schema = find_member(group, "schema");
  const auto *tests = find_member(group, "tests");
  const std::string title(string_member(group, "description", "group"));
  if (!schema || !tests || !tests->IsArray())
    return report.add(file.label, title, {Verdict::failed, "not a group of schema and tests"});
  for (const auto &test : tests->GetArray()) {
    const auto name = title + ": " + std::string(string_member(test, "description", "test"));
    const auto *data = find_member(test, "data");
    const auto *valid = find_member(test, "valid");
    const bool well_formed = data && valid && valid->IsBool();
    report.add(file.label, name,
               well_formed ? run_case(kinds, std::string(kSchemaTopic), schema_case(name, *schema, *data, *valid))
                           : Outcome{Verdict::failed, "not a test of data and valid"});
  }
}

// False when no procedures are registered for the file's topic.
bool run_file(const Registry &registry, const VectorFile &file, Report &report) {
  const auto kinds = registry.find(file.topic);
  if (kinds == registry.end()) return false;
  const auto content = read(file.path);
  if (!content) {
    report.fail_file(file.label, content.error().text());
  } else if (file.topic != kSchemaTopic) {
    run_cases(kinds->second, file, *content, report);
  } else if (content->IsArray()) {
    for (const auto &group : content->GetArray())
      run_schema_group(kinds->second, file, group, report);
  } else {
    report.fail_file(file.label, "not an array of schemas");
  }
  return true;
}

// json-schema/ holds dozens of files: one name for all of them.
std::string not_yet_name(const VectorFile &file) {
  return file.topic == kSchemaTopic ? file.topic : file.label;
}

// The names in `only` that mean nothing, comma separated.
std::string meaningless(const std::vector<std::string> &only, const std::vector<VectorFile> &files,
                        const Registry &registry) {
  std::string out;
  for (const auto &name : only) {
    const auto match = [&](const VectorFile &file) { return called(file, name); };
    if (registry.contains(name) || std::any_of(files.begin(), files.end(), match)) continue;
    out += (out.empty() ? "" : ", ") + name;
  }
  return out;
}

} // namespace

ExitStatus run_suite(const Registry &registry, const Suite &suite, const std::vector<std::string> &only,
                     std::ostream &out) {
  if (!is_folder(suite.folder)) {
    out << "vectors: " << (suite.complete ? "failed" : "skipped") << ", because the folder " << suite.folder
        << " isn't there (TRELLIS_VECTORS names it)\n";
    return suite.complete ? kSomeFailed : kNoVectors;
  }
  const auto files = files_of(suite.folder);
  if (const auto unknown = meaningless(only, files, registry); !unknown.empty()) {
    out << "vectors: no file is called " << unknown << '\n';
    return kUsage;
  }
  Report report(out, suite.complete);
  for (const auto &file : files) {
    const auto match = [&](const std::string &name) { return called(file, name); };
    if (!only.empty() && std::none_of(only.begin(), only.end(), match)) continue;
    if (!run_file(registry, file, report)) report.postpone(not_yet_name(file));
  }
  report.finish();
  return report.any_failed() ? kSomeFailed : kAllPassed;
}

} // namespace trellis::vectors
