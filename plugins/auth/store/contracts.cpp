#include "store/authority.h"
#include "store/columns.h"

namespace trellis::auth {
namespace {

constexpr std::string_view kContracts =
    "SELECT digest, contract_id, display_name, description, canonical, installed_at FROM contracts";
constexpr std::string_view kByDigest = " WHERE digest = ?1";
constexpr std::string_view kOfId = " WHERE contract_id = ?1 ORDER BY digest";
constexpr std::string_view kInOrder = " ORDER BY digest";

StoredContract read_contract(Columns row) {
  return {.digest = row.text(),
          .contract_id = row.text(),
          .display_name = row.text(),
          .description = row.text(),
          .canonical = row.text(),
          .installed_at = row.integer()};
}

} // namespace

std::optional<StoredContract> find_contract(Reader &db, std::string_view digest) {
  return first_of(db, joined<kContracts, kByDigest>, {digest}, read_contract);
}

std::vector<StoredContract> contracts_of_id(Reader &db, std::string_view contract_id) {
  return all_of(db, joined<kContracts, kOfId>, {contract_id}, read_contract);
}

std::vector<StoredContract> list_contracts(Reader &db) {
  return all_of(db, joined<kContracts, kInOrder>, {}, read_contract);
}

bool add_contract(Writer &db, const StoredContract &contract) {
  return db.execute("INSERT INTO contracts (digest, contract_id, display_name, description, canonical, installed_at) "
                    "VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (digest) DO NOTHING",
                    {contract.digest, contract.contract_id, contract.display_name, contract.description,
                     contract.canonical, contract.installed_at}) > 0;
}

} // namespace trellis::auth
