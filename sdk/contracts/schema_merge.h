// Merging of schemas that two contracts of one lineage use in the same place (01 §12.3).
//
// One recursion answers both "equal?" and "mergeable?": asking for equal texts first at each level, as the chapter puts
// it, would write the innermost schema once per level. Answers are remembered per pair, because a lineage compares the
// same two schemas for every surface that names them.
#pragma once

#include "contracts/json.h"
#include <map>
#include <memory>
#include <utility>

namespace trellis {

// The schemas that it is given have to outlive it; so do the merges, which it owns.
class SchemaMerger {
public:
  SchemaMerger();
  ~SchemaMerger();
  SchemaMerger(const SchemaMerger &) = delete;
  SchemaMerger &operator=(const SchemaMerger &) = delete;

  // `left` itself when the two are equal, a new schema, or nullptr when they are incompatible.
  const JsonValue *merge(const JsonValue &left, const JsonValue &right);

private:
  struct Pool;
  std::unique_ptr<Pool> pool_;
  std::map<std::pair<const JsonValue *, const JsonValue *>, const JsonValue *> done_;
};

} // namespace trellis
