#include "contracts/subject_guard.h"

#include "contracts/reserved_ids.h"
#include <algorithm>
#include <set>
#include <string>
#include <unordered_map>

namespace trellis {
namespace {

struct OwnedSubject {
  std::string pointer; // into the manifest
  std::string_view section, version, declared;
  std::string subject; // with "*" for each template token
};

template <class Entry>
void append(std::vector<OwnedSubject> &out, std::string_view section, const std::optional<Named<Entry>> &entries) {
  if (!entries) return;
  for (const auto &[name, entry] : *entries)
    out.push_back({json_pointer(section, name, "subject"), section, entry.version, entry.subject,
                   wildcard_subject(entry.subject)});
}

std::vector<OwnedSubject> owned_subjects(const Manifest &contract) {
  std::vector<OwnedSubject> out;
  const ManifestModel &model = contract.model();
  append(out, "operations", model.operations);
  std::vector<OwnedSubject> controls = out;
  for (OwnedSubject &control : controls)
    control.subject += ".control";
  out.insert(out.end(), controls.begin(), controls.end());
  append(out, "rpc", model.rpc);
  append(out, "events", model.events);
  append(out, "feeds", model.feeds);
  return out;
}

std::string_view next_token(std::string_view &rest) {
  const std::size_t dot = rest.find('.');
  const std::string_view token = rest.substr(0, dot);
  rest.remove_prefix(dot == std::string_view::npos ? rest.size() : dot + 1);
  return token;
}

// "<section>.<version>.<namespace>": two subjects that overlap share it, because none of the three is a template.
std::string_view head_of(std::string_view subject) {
  std::string_view rest = subject;
  for (int token = 0; token < 3; ++token)
    next_token(rest);
  return subject.substr(0, subject.size() - rest.size());
}

std::string_view namespace_of(std::string_view subject) {
  for (int token = 0; token < 2; ++token)
    next_token(subject);
  return next_token(subject);
}

// A space matters: in a NATS permission it separates subject and queue group.
bool is_well_formed(const OwnedSubject &owned) {
  if (owned.declared.find_first_of("*>") != std::string_view::npos) return false;
  if (std::ranges::any_of(owned.subject, [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f; }))
    return false;
  return !owned.subject.empty() && !owned.subject.ends_with('.') && !owned.subject.starts_with('.') &&
         owned.subject.find("..") == std::string::npos;
}

tl::unexpected<Error> bad_subject(const char *code, const OwnedSubject &owned, const std::string &what,
                                  std::string expected) {
  return fail(code, owned.pointer, "\"" + std::string(owned.declared) + "\" " + what, std::move(expected));
}

Result<void> check_shape(const OwnedSubject &owned) {
  if (!is_well_formed(owned))
    return bad_subject("subject_invalid", owned, "is no subject", "non-empty tokens without wildcards and white space");
  const std::string prefix = std::string(owned.section) + "." + std::string(owned.version) + ".";
  if (!owned.subject.starts_with(prefix))
    return bad_subject("subject_invalid", owned, "is outside its section", "a subject that starts with " + prefix);
  if (namespace_of(owned.subject) == "*")
    return bad_subject("subject_invalid", owned, "has a template for a namespace", "a plain third token");
  return {};
}

using Namespaces = std::set<std::string, std::less<>>;

Namespaces reserved_namespaces(const std::vector<Manifest> &builtin) {
  Namespaces out;
  for (const Manifest &manifest : builtin)
    for (const OwnedSubject &owned : owned_subjects(manifest))
      out.emplace(namespace_of(owned.subject));
  return out;
}

Result<void> check_names(const Manifest &contract, const Namespaces &reserved) {
  for (const OwnedSubject &owned : owned_subjects(contract)) {
    if (auto shape = check_shape(owned); !shape) return shape;
    const std::string name_space(namespace_of(owned.subject));
    if (reserved.contains(name_space))
      return bad_subject("subject_reserved", owned, "lies in the platform's namespace " + name_space,
                         "a namespace of the contract's own");
  }
  return {};
}

} // namespace

bool subjects_overlap(std::string_view a, std::string_view b) {
  while (!a.empty() && !b.empty()) {
    const std::string_view left = next_token(a), right = next_token(b);
    if (left != right && left != "*" && right != "*") return false;
  }
  return a.empty() && b.empty();
}

Result<void> check_own_subjects(const Manifest &contract, const std::vector<Manifest> &builtin) {
  for (const Manifest &manifest : builtin) {
    if (manifest.digest() == contract.digest()) return {};
    if (manifest.id() == contract.id())
      return fail("contract_id_reserved", "/id", "\"" + contract.id() + "\" is a contract of the platform",
                  "an id of its own");
  }
  return check_names(contract, reserved_namespaces(builtin));
}

Result<void> check_own_subjects(const Manifest &contract) {
  static const Namespaces reserved{"Auth", "Health", "Jobs", "State", "Trellis"};
  if (auto own = check_contract_id(contract.id(), "service"); !own) return own;
  return check_names(contract, reserved);
}

Result<void> check_subjects_free(const Manifest &contract, const std::vector<const Manifest *> &others) {
  const std::vector<OwnedSubject> owned = owned_subjects(contract);
  std::unordered_multimap<std::string_view, const OwnedSubject *> mine;
  for (const OwnedSubject &entry : owned)
    mine.emplace(head_of(entry.subject), &entry);
  for (const Manifest *other : others) {
    if (other->id() == contract.id()) continue;
    for (const OwnedSubject &theirs : owned_subjects(*other)) {
      const auto [first, last] = mine.equal_range(head_of(theirs.subject));
      for (auto entry = first; entry != last; ++entry)
        if (subjects_overlap(entry->second->subject, theirs.subject))
          return bad_subject("subject_owned", *entry->second, "belongs to contract " + other->id(),
                             "a subject of its own");
    }
  }
  return {};
}

} // namespace trellis
