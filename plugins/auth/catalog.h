// Contracts that the control plane knows: built in and stored, parsed once; which are active (02 §11.2, 01 §14).
//
// Validating a manifest takes milliseconds, and every decision looks at all of them. Parsed manifests are therefore
// kept by digest, which never goes stale, and the whole set by the database's version. Rejected: parsing only the
// manifests that a request names; `uses` and subject checks need every version of an id anyway.
#pragma once

#include "contracts/authority.h"
#include "contracts/catalog.h"
#include "store/authority.h"
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::auth {

class Database;

class Catalog {
public:
  // `builtin`: the control plane's own manifests, in the order of its contract section.
  explicit Catalog(std::vector<Manifest> builtin);
  ~Catalog();

  const std::vector<Manifest> &builtin() const { return builtin_; }
  bool is_builtin(std::string_view contract_id) const;
  const Manifest *builtin_of(std::string_view contract_id) const;
  // The whole text of a known manifest: a built-in one as shipped, a stored one normalized. nullopt: unknown.
  std::optional<std::string> text_of(Reader &db, std::string_view digest) const;

  // [thread-safe] A known manifest by digest: built in, or stored and still valid.
  std::optional<Manifest> find(Reader &db, std::string_view digest);
  // Every known manifest. `active`: built in, or effective by offers (01 §14). None is `accepted`: that shape counts at
  // service bootstrap only (02 §2.1).
  KnownContracts known(Reader &db, std::int64_t now_ms);
  // The same with the accepted dependency shapes of 02 §2.1, which may add manifests that aren't stored.
  KnownContracts known_or_accepted(Reader &db, std::int64_t now_ms);

  // What is in force and what was left out of it (01 §14).
  EffectiveCatalog effective(Reader &db, std::int64_t now_ms);

  // [thread-safe] All three, kept while the database and the offers' times stay as they are.
  struct View {
    EffectiveCatalog effective;
    KnownContracts known, with_accepted;
  };
  Result<std::shared_ptr<const View>> view(const Database &db, std::int64_t now_ms);

  // Stores `contract` when it is new.
  void store(Writer &db, const Manifest &contract, std::int64_t now_ms);

private:
  struct Cache; // digest -> Manifest, and the last View
  std::optional<Manifest> parsed(std::string_view digest, std::string_view text);
  std::vector<Manifest> stored(Reader &db);
  KnownContracts known_with(Reader &db, const EffectiveCatalog &effective);
  void add_accepted(Reader &db, KnownContracts &known);

  std::vector<Manifest> builtin_;
  std::unique_ptr<Cache> cache_;
};

} // namespace trellis::auth
