#include "policy_bootstrap_subjects.h"
#include <algorithm>
#include <array>
#include <string>

namespace trellis::host {
namespace {

constexpr std::array<std::string_view, 5> kReservedNamespaces{"Auth", "Trellis", "Health", "State", "Jobs"};
constexpr std::string_view kReservedIds = "trellis.";

struct OwnedSubject {
  std::string pointer;  // into the manifest
  std::string section;  // first token that the subject has to have
  std::string version;  // second token
  std::string declared; // as in the manifest
  std::string subject;  // with "*" for each template token
};

template <class Entry>
void append(std::vector<OwnedSubject> &out, std::string_view section, const std::optional<Named<Entry>> &entries) {
  if (!entries) return;
  for (const auto &[name, entry] : *entries)
    out.push_back({json_pointer(section, name, "subject"), std::string(section), entry.version, entry.subject,
                   wildcard_subject(entry.subject)});
}

std::vector<OwnedSubject> owned_subjects(const Manifest &contract) {
  std::vector<OwnedSubject> out;
  append(out, "rpc", contract.model().rpc);
  append(out, "operations", contract.model().operations);
  append(out, "events", contract.model().events);
  append(out, "feeds", contract.model().feeds);
  const auto is_operation = [](const OwnedSubject &owned) { return owned.section == "operations"; };
  std::vector<OwnedSubject> controls;
  for (const OwnedSubject &owned : out)
    if (is_operation(owned)) {
      controls.push_back(owned);
      controls.back().subject += ".control";
    }
  out.insert(out.end(), controls.begin(), controls.end());
  return out;
}

std::string_view next_token(std::string_view &rest) {
  const std::size_t dot = rest.find('.');
  const std::string_view token = rest.substr(0, dot);
  rest.remove_prefix(dot == std::string_view::npos ? rest.size() : dot + 1);
  return token;
}

// Tokens without wildcards of the author's own, white space or gaps. A space matters: in a NATS permission it separates
// subject and queue group.
bool is_well_formed(const OwnedSubject &owned) {
  if (owned.declared.find_first_of("*>") != std::string::npos) return false;
  if (std::ranges::any_of(owned.subject, [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f; }))
    return false;
  return !owned.subject.empty() && !owned.subject.ends_with('.') && !owned.subject.starts_with('.') &&
         owned.subject.find("..") == std::string::npos;
}

Result<void> check_subject(const OwnedSubject &owned) {
  if (!is_well_formed(owned))
    return fail("subject_invalid", owned.pointer, "\"" + owned.declared + "\" is no subject",
                "non-empty tokens without wildcards and white space");
  const std::string prefix = owned.section + "." + owned.version + ".";
  if (!owned.subject.starts_with(prefix))
    return fail("subject_invalid", owned.pointer, "\"" + owned.declared + "\" is outside its section",
                "a subject that starts with " + prefix);
  std::string_view rest = std::string_view(owned.subject).substr(prefix.size());
  const std::string_view name_space = next_token(rest);
  if (name_space == "*")
    return fail("subject_invalid", owned.pointer, "\"" + owned.declared + "\" has a template for a namespace",
                "a plain third token");
  if (std::ranges::find(kReservedNamespaces, name_space) != kReservedNamespaces.end())
    return fail("subject_reserved", owned.pointer,
                "\"" + owned.declared + "\" lies in the namespace " + std::string(name_space) +
                    " of a built-in contract",
                "a namespace of the contract's own");
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

Result<void> check_own_subjects(const Manifest &contract) {
  if (contract.id().starts_with(kReservedIds))
    return fail("contract_id_reserved", "/id", "\"" + contract.id() + "\" is reserved for the platform",
                "an id that doesn't start with \"trellis.\"");
  for (const OwnedSubject &owned : owned_subjects(contract))
    if (auto checked = check_subject(owned); !checked) return checked;
  return {};
}

Result<void> check_subjects_free(const Manifest &contract, const std::vector<const Manifest *> &others) {
  const auto mine = owned_subjects(contract);
  for (const Manifest *other : others) {
    if (other->id() == contract.id()) continue;
    for (const OwnedSubject &theirs : owned_subjects(*other))
      for (const OwnedSubject &owned : mine)
        if (subjects_overlap(owned.subject, theirs.subject))
          return fail("subject_owned", owned.pointer, "\"" + owned.declared + "\" belongs to contract " + other->id(),
                      "a subject of its own");
  }
  return {};
}

} // namespace trellis::host
