#include "store/schema.h"

namespace trellis::auth {
namespace {

constexpr const char *kFirst = R"sql(
-- Accounts (04 §13, §19)
CREATE TABLE users (
  user_id TEXT NOT NULL PRIMARY KEY,
  name TEXT,
  email TEXT,
  active INTEGER NOT NULL,
  capabilities TEXT NOT NULL,
  groups TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE user_identities (
  identity_id TEXT NOT NULL PRIMARY KEY,
  user_id TEXT NOT NULL,
  provider TEXT NOT NULL,
  subject TEXT NOT NULL,
  display_name TEXT,
  email TEXT,
  email_verified INTEGER NOT NULL,
  linked_at INTEGER NOT NULL,
  last_login_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX user_identities_by_subject ON user_identities (provider, subject);
CREATE INDEX user_identities_by_user ON user_identities (user_id, identity_id);

CREATE TABLE credentials (
  identity_id TEXT NOT NULL PRIMARY KEY,
  hash TEXT NOT NULL,
  salt TEXT NOT NULL,
  version INTEGER NOT NULL,
  memory_kib INTEGER NOT NULL,
  iterations INTEGER NOT NULL,
  parallelism INTEGER NOT NULL,
  set_at INTEGER NOT NULL,
  must_change INTEGER NOT NULL,
  failed_logins INTEGER NOT NULL,
  locked_until INTEGER,
  updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE account_flows (
  flow_id_hash TEXT NOT NULL PRIMARY KEY,
  kind TEXT NOT NULL,
  target_user_id TEXT,
  target_identity_id TEXT,
  target_local_username TEXT,
  created_by TEXT,
  allowed_providers TEXT,
  capabilities TEXT,
  profile_hint TEXT,
  return_to TEXT,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  consumed_at INTEGER
) STRICT, WITHOUT ROWID;

-- Sessions (03 §8): what they are found by as columns, what only one type has as JSON
CREATE TABLE sessions (
  session_key TEXT NOT NULL PRIMARY KEY,
  type TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  last_auth INTEGER NOT NULL,
  user_id TEXT,
  identity_grant_id TEXT,
  instance_id TEXT,
  deployment_id TEXT,
  record TEXT NOT NULL
) STRICT;
CREATE INDEX sessions_by_user ON sessions (user_id, session_key) WHERE user_id IS NOT NULL;
CREATE INDEX sessions_by_instance ON sessions (instance_id, session_key) WHERE instance_id IS NOT NULL;
CREATE INDEX sessions_by_last_auth ON sessions (last_auth);

-- Deployments and what runs in them (02 §13, 05 §5)
CREATE TABLE service_deployments (
  deployment_id TEXT NOT NULL PRIMARY KEY,
  namespaces TEXT NOT NULL,
  compatibility_mode TEXT NOT NULL,
  disabled INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE service_instances (
  instance_id TEXT NOT NULL PRIMARY KEY,
  deployment_id TEXT NOT NULL,
  instance_key TEXT NOT NULL UNIQUE,
  disabled INTEGER NOT NULL,
  capabilities TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX service_instances_by_deployment ON service_instances (deployment_id, instance_id);

CREATE TABLE device_deployments (
  deployment_id TEXT NOT NULL PRIMARY KEY,
  review_required INTEGER NOT NULL,
  disabled INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE device_instances (
  instance_id TEXT NOT NULL PRIMARY KEY,
  public_identity_key TEXT NOT NULL,
  deployment_id TEXT NOT NULL,
  state TEXT NOT NULL,
  metadata TEXT,
  created_at INTEGER NOT NULL,
  activated_at INTEGER,
  revoked_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX device_instances_by_deployment ON device_instances (deployment_id, instance_id);

CREATE TABLE device_activations (
  instance_id TEXT NOT NULL PRIMARY KEY,
  public_identity_key TEXT NOT NULL,
  deployment_id TEXT NOT NULL,
  state TEXT NOT NULL,
  activated_by TEXT,
  activated_at INTEGER,
  revoked_at INTEGER
) STRICT, WITHOUT ROWID;

-- Contracts and deployment authority (02 §16)
CREATE TABLE contracts (
  digest TEXT NOT NULL PRIMARY KEY,
  contract_id TEXT NOT NULL,
  display_name TEXT NOT NULL,
  description TEXT NOT NULL,
  canonical TEXT NOT NULL,
  installed_at INTEGER NOT NULL
) STRICT;
CREATE INDEX contracts_by_id ON contracts (contract_id, digest);

CREATE TABLE authorities (
  deployment_id TEXT NOT NULL PRIMARY KEY,
  kind TEXT NOT NULL,
  disabled INTEGER NOT NULL,
  version TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE authority_contracts (
  deployment_id TEXT NOT NULL,
  contract_id TEXT NOT NULL,
  required INTEGER NOT NULL,
  PRIMARY KEY (deployment_id, contract_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE authority_surfaces (
  deployment_id TEXT NOT NULL,
  contract_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  action TEXT NOT NULL, -- '' for none
  source TEXT NOT NULL, -- 'need' | 'surface'
  required INTEGER NOT NULL,
  PRIMARY KEY (deployment_id, contract_id, kind, name, action)
) STRICT, WITHOUT ROWID;

CREATE TABLE authority_resources (
  deployment_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  alias TEXT NOT NULL,
  required INTEGER NOT NULL,
  definition TEXT NOT NULL, -- '' for none
  PRIMARY KEY (deployment_id, kind, alias)
) STRICT, WITHOUT ROWID;

CREATE TABLE authority_capabilities (
  deployment_id TEXT NOT NULL,
  capability TEXT NOT NULL,
  source TEXT NOT NULL, -- 'need' | 'capability'
  required INTEGER NOT NULL,
  PRIMARY KEY (deployment_id, capability, source)
) STRICT, WITHOUT ROWID;

CREATE TABLE capability_definitions (
  deployment_id TEXT NOT NULL,
  key TEXT NOT NULL,
  direction TEXT NOT NULL,
  contract_id TEXT NOT NULL,
  contract_digest TEXT NOT NULL,
  display_name TEXT NOT NULL,
  description TEXT NOT NULL,
  consequence TEXT,
  contract_display_name TEXT NOT NULL,
  PRIMARY KEY (deployment_id, key, direction, contract_id, contract_digest)
) STRICT, WITHOUT ROWID;

CREATE TABLE plans (
  plan_id TEXT NOT NULL PRIMARY KEY,
  deployment_id TEXT NOT NULL,
  classification TEXT NOT NULL, -- 'update' | 'migration'
  state TEXT NOT NULL,
  contract_id TEXT NOT NULL,
  contract_digest TEXT NOT NULL,
  contract TEXT NOT NULL,
  requested TEXT NOT NULL,
  provided TEXT NOT NULL,
  summary TEXT NOT NULL,
  desired_change TEXT NOT NULL,
  preview TEXT NOT NULL,
  warnings TEXT NOT NULL,
  acknowledgement_required INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  decision_at INTEGER,
  decision_by TEXT,
  decision_reason TEXT
) STRICT;
CREATE INDEX plans_in_order ON plans (deployment_id, created_at, plan_id);
CREATE INDEX plans_by_state ON plans (deployment_id, state, created_at, plan_id);

CREATE TABLE materializations (
  deployment_id TEXT NOT NULL PRIMARY KEY,
  desired_version TEXT NOT NULL,
  status TEXT NOT NULL,
  grants TEXT NOT NULL,
  reconciled_at INTEGER,
  error TEXT
) STRICT;

CREATE TABLE resource_bindings (
  deployment_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  alias TEXT NOT NULL,
  binding TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (deployment_id, kind, alias)
) STRICT, WITHOUT ROWID;

CREATE TABLE reconciliation_status (
  deployment_id TEXT NOT NULL PRIMARY KEY,
  desired_version TEXT NOT NULL,
  state TEXT NOT NULL,
  started_at INTEGER,
  finished_at INTEGER,
  message TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE reconciliation_events (
  event_id TEXT NOT NULL PRIMARY KEY,
  deployment_id TEXT NOT NULL,
  desired_version TEXT NOT NULL,
  state TEXT NOT NULL,
  message TEXT,
  details TEXT,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX reconciliation_events_by_deployment ON reconciliation_events (deployment_id, created_at);

CREATE TABLE offers (
  offer_id TEXT NOT NULL PRIMARY KEY,
  lineage_key TEXT NOT NULL,
  deployment_id TEXT NOT NULL,
  deployment_kind TEXT NOT NULL,
  instance_id TEXT,
  contract_id TEXT NOT NULL,
  contract_digest TEXT NOT NULL,
  status TEXT NOT NULL,
  liveness TEXT NOT NULL,
  first_offered_at INTEGER NOT NULL,
  accepted_at INTEGER,
  last_refreshed_at INTEGER,
  stale_at INTEGER,
  expires_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX offers_by_deployment ON offers (deployment_id, offer_id);

-- Capabilities of people (02 §14)
CREATE TABLE capability_groups (
  group_key TEXT NOT NULL PRIMARY KEY,
  display_name TEXT NOT NULL,
  description TEXT NOT NULL,
  capabilities TEXT NOT NULL,
  included_groups TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE grant_overrides (
  deployment_id TEXT NOT NULL,
  override_key TEXT NOT NULL, -- all fields as one canonical text
  contract_id TEXT NOT NULL,
  identity_kind TEXT NOT NULL,
  origin TEXT,
  session_public_key TEXT,
  grant_kind TEXT NOT NULL,
  capability TEXT,
  capability_group_key TEXT,
  PRIMARY KEY (deployment_id, override_key)
) STRICT, WITHOUT ROWID;

CREATE TABLE identity_grants (
  identity_grant_id TEXT NOT NULL PRIMARY KEY,
  user_id TEXT NOT NULL,
  provider TEXT NOT NULL,
  subject TEXT NOT NULL,
  anchor TEXT NOT NULL,
  answer TEXT NOT NULL,
  answered_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  approval TEXT NOT NULL,
  publish_subjects TEXT NOT NULL,
  subscribe_subjects TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX identity_grants_by_anchor ON identity_grants (user_id, anchor);

-- One line for each decision (ARCHITECTURE §7)
CREATE TABLE audit (
  audit_id TEXT NOT NULL PRIMARY KEY,
  at INTEGER NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  details TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_by_time ON audit (at, audit_id);
)sql";

constexpr const char *kReservedResources = R"sql(
-- Names that a reconciliation is about to create (reserved_resources.h)
CREATE TABLE reserved_resources (
  deployment_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  alias TEXT NOT NULL,
  binding TEXT NOT NULL,
  reserved_at INTEGER NOT NULL,
  PRIMARY KEY (deployment_id, kind, alias)
) STRICT, WITHOUT ROWID;
)sql";

constexpr const char *kMigrations[] = {kFirst, kReservedResources};

} // namespace

std::span<const char *const> migrations() {
  return kMigrations;
}

} // namespace trellis::auth
