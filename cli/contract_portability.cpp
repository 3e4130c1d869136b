// The rows of 01 §7.4 that an author can avoid.
#include "contract_warnings.h"
#include "contracts/canonical.h"
#include "contracts/json_text.h"
#include "contracts/name_index.h"

#include <algorithm>
#include <cmath>
#include <rapidjson/document.h>

namespace trellis::cli {
namespace {

constexpr std::size_t kRustDepth = 128;
constexpr std::int64_t kExact = std::int64_t{1} << 53; // of whole numbers in a double

class Portability {
public:
  void structure(const JsonValue &written, const ManifestModel &model) {
    section(model.capabilities, "/capabilities");
    section(model.rpc, "/rpc");
    section(model.operations, "/operations");
    section(model.events, "/events");
    section(model.feeds, "/feeds");
    section(model.jobs, "/jobs");
    section(model.state, "/state");
    section(model.event_consumers, "/eventConsumers");
    if (model.resources) {
      section(model.resources->kv, "/resources/kv");
      section(model.resources->store, "/resources/store");
    }
    if (model.uses) {
      section(model.uses->required, "/uses/required");
      section(model.uses->optional, "/uses/optional");
    }
    for (const auto &[name, operation] : entries_of(model.operations))
      section(operation.signals, json_pointer("operations", name, "signals"));
    for (const auto &[name, store] : entries_of(model.state))
      section(store.accepted_versions, json_pointer("state", name, "acceptedVersions"));
    for (const char *name : {"rpc", "feeds"})
      dropped_members(find_member(written, name), name);
    consumers(find_member(written, "eventConsumers"), model);
    error_types(model);
  }

  // Numbers, texts and depth of the whole document.
  void walk(const JsonValue &value, const std::string &where, std::size_t depth) {
    if (list.size() >= kMaxWarnings) return;
    if (depth == kRustDepth && (value.IsObject() || value.IsArray()))
      return add(where, "nested deeper than Rust clients read", std::to_string(kRustDepth) + " levels at most");
    if (value.IsNumber()) number(value, where);
    if (value.IsString()) text(text_of(value), where);
    if (value.IsArray())
      for (rapidjson::SizeType i = 0; i < value.Size(); ++i)
        walk(value[i], where + json_pointer(std::to_string(i)), depth + 1);
    if (value.IsObject())
      for (const auto &[name, member] : value.GetObject()) {
        const auto pointer = where + json_pointer(text_of(name));
        text(text_of(name), pointer);
        if (text_of(name) == "docs" && !where.starts_with("/schemas")) docs(member, pointer);
        walk(member, pointer, depth + 1);
      }
  }

  std::vector<Error> list;

private:
  void add(std::string where, std::string message, std::string expected) {
    if (list.size() < kMaxWarnings)
      list.push_back({"rust_differs", std::move(where), std::move(message), std::move(expected), {}});
  }

  template <class T>
  void section(const std::optional<Named<T>> &entries, const std::string &where) {
    if (!entries) return;
    if (entries->empty()) add(where, "is empty, which Rust clients leave out of the digest", "no member, or an entry");
    for (const auto &[name, entry] : *entries)
      if (name.empty()) add(where + "/", "has an empty name, which Rust clients refuse", "a name");
  }

  void dropped_members(const JsonValue *entries, std::string_view section_name) {
    if (!entries || !entries->IsObject()) return;
    for (const auto &[name, entry] : entries->GetObject()) {
      const auto where = json_pointer(section_name, text_of(name));
      if (section_name == "rpc" && find_member(entry, "internal"))
        add(where + "/internal", "is dropped here and part of the digest in Rust clients", "no such member");
      const auto *capabilities = find_member(entry, "capabilities");
      if (capabilities && capabilities->IsObject() && capabilities->ObjectEmpty())
        add(where + "/capabilities", "is dropped here and part of the digest in Rust clients", "a list, or no member");
    }
  }

  void consumers(const JsonValue *written, const ManifestModel &model) {
    for (const auto &[name, group] : entries_of(model.event_consumers)) {
      const auto where = json_pointer("eventConsumers", name);
      const auto *as_written = written ? find_member(*written, name) : nullptr;
      if (!as_written) continue;
      const auto *uses = find_member(*as_written, "uses");
      for (const auto &[alias, events] : entries_of(group.uses))
        if (const auto *listed = uses ? find_member(*uses, alias) : nullptr)
          sorted_list(*listed, events, where + json_pointer("uses", alias));
      if (const auto *self = find_member(*as_written, "self")) {
        sorted_list(*self, names_in(group.self), where + "/self");
        if (names_in(group.self).empty()) add(where + "/self", "is empty, which Rust clients refuse", "no member");
      }
    }
  }
  void sorted_list(const JsonValue &written, const NameList &sorted, const std::string &where) {
    const bool same =
        written.IsArray() && std::equal(written.Begin(), written.End(), sorted.begin(), sorted.end(),
                                        [](const JsonValue &a, const auto &b) { return text_of(a) == b; });
    if (!same) add(where, "is sorted here and kept as it is in Rust clients", "a sorted list without duplicates");
  }

  void error_types(const ManifestModel &model) {
    std::unordered_map<std::string_view, std::size_t> seen;
    for (const auto &[key, error] : entries_of(model.errors))
      if (++seen[error.type] == 2)
        add(json_pointer("errors", key, "type"),
            "a second entry for " + canonical_string(error.type) + ", which may change the digest when it is stored",
            "one entry per type");
  }

  void docs(const JsonValue &value, const std::string &where) {
    for (const char *name : {"summary", "markdown"})
      if (const auto *found = find_member(value, name); found && found->IsString() && text_of(*found).empty())
        add(where + json_pointer(name), "is empty, which Rust clients refuse", "some text");
  }

  void number(const JsonValue &value, const std::string &where) {
    if (value.IsInt64()) {
      if (value.GetInt64() > kExact || value.GetInt64() < -kExact)
        add(where, "is rounded to " + ecmascript_number(value.GetDouble()) + " here and exact in Rust clients",
            "a whole number of at most 2^53");
      return;
    }
    const double number = value.GetDouble(), size = std::abs(number);
    if (number == std::trunc(number))
      add(where, "a whole number that Rust clients spell in another way than " + ecmascript_number(number),
          "a whole number of at most 2^53, without fraction and exponent");
    else if (size >= 1e-6 && size < 1e-5)
      add(where, "a number that Rust clients spell in another way than " + ecmascript_number(number), "another number");
  }

  void text(std::string_view value, const std::string &where) {
    for (auto at = value.find('\xED'); at != std::string_view::npos; at = value.find('\xED', at + 1))
      if (surrogate_sequence(value, at) > 0)
        return add(where, "holds half of a surrogate pair, which Rust clients refuse", "whole characters");
  }
};

} // namespace

std::vector<Error> portability_warnings(const JsonValue &written, const Manifest &manifest) {
  Portability portability;
  portability.structure(written, manifest.model());
  portability.walk(written, "", 0);
  return std::move(portability.list);
}

} // namespace trellis::cli
