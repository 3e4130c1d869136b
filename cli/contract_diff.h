// What changes for everybody else when one contract of a lineage takes the place of another: its digest, its surfaces,
// what it needs, whether both can be active together (01 §12), and who has to approve (02 §3, §4.4, §14.4).
//
// A pure function of two manifests and what is known besides. Rejected: comparing the files' texts, which shows moved
// lines and hides that a schema three references away is what breaks a caller.
#pragma once

#include "contract_platform.h"
#include "contracts/authority.h"
#include <optional>
#include <string>
#include <vector>

namespace trellis::cli {

enum class ChangeKind { added, removed, changed };
std::string_view change_name(ChangeKind kind);

struct JsonChange {
  ChangeKind kind;
  std::string pointer;
  std::string before, after; // JSON; "" for what isn't there
};
// Deepest differing members first-come; arrays are compared as a whole. `before` and `after` in canonical order.
std::vector<JsonChange> json_changes(const JsonValue &before, const JsonValue &after);

struct SurfaceChange {
  ChangeKind kind;
  std::string section, name;
  std::vector<std::string> fields; // that differ, by their own value or by their schema's
};

struct NeedChange {
  ChangeKind kind;
  std::string need; // "rpc call Echo.Say of acme.echo@v1"
};

struct ContractDiff {
  bool same = false;                     // equal digests
  std::vector<JsonChange> digest, other; // in the digest projection; only outside of it (texts, docs, exports)
  std::vector<SurfaceChange> surfaces;
  std::vector<NeedChange> needs;
  std::optional<Error> conflict; // why they aren't compatible; code and pointer of 01 §12.1

  // "none", "update" or "migration" by an operator, "user" at the next login, "unknown" without the contracts in use.
  std::string approval;
  std::string approval_reason;
  std::vector<std::string> notes;
};

// Two contracts of one id. Errors: those of analyze.
Result<ContractDiff> diff_contracts(const Manifest &before, const Manifest &after, const Surroundings &surroundings);

// Where 01 §12.1 has the rule of a conflict.
std::string_view conflict_rule(const Error &conflict);

} // namespace trellis::cli
