// Manifest: one valid trellis.contract.v1 document (01 §3), normalized, with its digest. Immutable and cheap to copy.
//
// The typed model holds exactly what normalization keeps; the normalized JSON, the digest projection and every later
// derivation (needs, permissions, compatibility) are written from it, so no two of them can disagree. Lists keep
// document order, because 01 decides first failures and first matches by it. Rejected: passing the JSON document
// around, which makes every reader repeat the checks of 01 §3.
#pragma once

#include "contracts/json.h"
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trellis {

// A JSON object with free names, in document order.
template <class T>
using Named = std::vector<std::pair<std::string, T>>;

// nullptr when there is no entry of that name.
template <class T>
const T *find_named(const Named<T> &entries, std::string_view name) {
  for (const auto &[key, value] : entries)
    if (key == name) return &value;
  return nullptr;
}

using NameList = std::vector<std::string>;

enum class ContractKind { service, app, device, agent };

struct Docs {
  std::optional<std::string> summary;
  std::string markdown;
};

struct CapabilityText {
  std::string display_name;
  std::string description;
  std::optional<std::string> consequence;
};

// 01 §3.4. A selector that is present but holds no list is kept by normalization, hence the nested optionals.
struct Use {
  struct Call {
    std::optional<NameList> call;
  };
  struct Events {
    std::optional<NameList> publish, subscribe;
  };
  struct Feeds {
    std::optional<NameList> subscribe;
  };
  std::string contract;
  std::optional<Call> rpc, operations;
  std::optional<Events> events;
  std::optional<Feeds> feeds;
};

struct Uses {
  std::optional<Named<Use>> required, optional;
};

struct StateStore {
  std::string kind; // "value" | "map"
  std::string schema;
  std::optional<std::string> state_version;
  std::optional<Named<std::string>> accepted_versions; // version -> schema name
  std::optional<Docs> docs;
};

struct RpcSurface {
  std::string version, subject;
  std::string input, output;      // schema names
  std::optional<NameList> call;   // capabilities.call
  std::optional<NameList> errors; // error types
  bool transfer_receive = false;  // transfer: {"direction": "receive"}
  std::optional<Docs> docs;
};

struct OperationTransfer {
  std::string store, key;
  std::optional<std::string> content_type, metadata;
  std::optional<double> expires_in_ms, max_bytes; // integral
  bool operator==(const OperationTransfer &) const = default;
};

struct OperationSurface {
  struct Capabilities {
    std::optional<NameList> call, observe, cancel, control;
    bool operator==(const Capabilities &) const = default;
  };
  struct Signal {
    std::string input;
    std::optional<Docs> docs;
  };
  std::string version, subject;
  std::string input, output;
  std::optional<std::string> progress;
  std::optional<OperationTransfer> transfer; // direction is always "send"
  std::optional<Capabilities> capabilities;
  std::optional<Named<Signal>> signals;
  std::optional<bool> cancel;
  std::optional<Docs> docs;
};

struct EventSurface {
  struct Capabilities {
    std::optional<NameList> publish, subscribe;
    bool operator==(const Capabilities &) const = default;
  };
  std::string version, subject;
  std::optional<NameList> params;
  std::string event;
  std::optional<Capabilities> capabilities;
  std::optional<Docs> docs;
};

struct FeedSurface {
  std::string version, subject;
  std::string input, event;
  std::optional<NameList> subscribe; // capabilities.subscribe
  std::optional<Docs> docs;
};

struct ErrorDeclaration {
  std::string type;
  std::optional<std::string> schema;
};

// Numbers of a manifest are doubles (01 §2.4): "integer" means without fraction, of any size.
struct JobQueue {
  std::string payload;
  std::optional<std::string> result;
  std::optional<double> max_deliver, ack_wait_ms, default_deadline_ms, concurrency;
  std::optional<std::vector<double>> backoff_ms;
  std::optional<bool> progress, logs, dlq;
  std::optional<Docs> docs;
};

struct EventConsumerGroup {
  std::optional<Named<NameList>> uses; // alias -> events, sorted and without duplicates
  std::optional<NameList> self;
  std::string replay = "new";
  std::string ordering = "strict";
  double concurrency = 1;
  std::optional<double> ack_wait_ms, max_deliver;
  std::optional<std::vector<double>> backoff_ms;
  std::optional<Docs> docs;
};

struct KvResource {
  std::string purpose;
  std::string schema;
  std::optional<bool> required;
  std::optional<double> history, ttl_ms, max_value_bytes;
  std::optional<Docs> docs;
};

struct StoreResource {
  std::string purpose;
  std::optional<bool> required;
  std::optional<double> ttl_ms, max_object_bytes, max_total_bytes;
  std::optional<Docs> docs;
};

struct Resources {
  std::optional<Named<KvResource>> kv;
  std::optional<Named<StoreResource>> store;
};

// A section that is absent and one that is empty differ in the digest (01 §7.3), hence the optionals.
struct ManifestModel {
  std::string id, display_name, description;
  ContractKind kind = ContractKind::service;
  std::optional<Docs> docs;
  std::optional<Named<CapabilityText>> capabilities;
  std::optional<Named<const JsonValue *>> schemas; // values live in the Manifest's document
  std::optional<std::optional<NameList>> exports;  // exports: {schemas?}
  std::optional<Uses> uses;
  std::optional<Named<StateStore>> state;
  std::optional<Named<RpcSurface>> rpc;
  std::optional<Named<OperationSurface>> operations;
  std::optional<Named<EventSurface>> events;
  std::optional<Named<FeedSurface>> feeds;
  std::optional<Named<ErrorDeclaration>> errors;
  std::optional<Named<JobQueue>> jobs;
  std::optional<Named<EventConsumerGroup>> event_consumers;
  std::optional<Resources> resources;
};

class Manifest {
public:
  // The pipeline of 01 §2.1. The error's code is the category ("structure", "unknown_schema_ref", ...), `where` a JSON
  // pointer into the manifest. The value may be dropped afterwards.
  static Result<Manifest> validate(const JsonValue &value);
  // parse_json and validate.
  static Result<Manifest> parse(std::string_view text, const JsonLimits &limits = {});

  const ManifestModel &model() const;
  const std::string &id() const { return model().id; }
  ContractKind kind() const { return model().kind; }
  const std::string &digest() const;     // 01 §7
  const std::string &normalized() const; // canonical text of the normalized manifest, what a store keeps
  const std::string &projection() const; // canonical text that was hashed

  // Shorthands that treat an absent section as an empty one. nullptr when there is none of that name.
  const RpcSurface *rpc(std::string_view name) const;
  const JsonValue *schema(std::string_view name) const;
  const ErrorDeclaration *error_of_type(std::string_view type) const; // the first in document order

private:
  struct Data;
  explicit Manifest(std::shared_ptr<const Data> data) : data_(std::move(data)) {}
  std::shared_ptr<const Data> data_;
};

std::string_view kind_name(ContractKind kind);

// `surface` with every {template} replaced by "*" (01 §8.3).
std::string wildcard_subject(std::string_view subject);

} // namespace trellis
