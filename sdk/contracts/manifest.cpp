#include "contracts/manifest.h"

#include "contracts/encoding.h"
#include "contracts/json_copy.h"
#include "contracts/manifest_steps.h"
#include "contracts/name_index.h"

#include <unordered_map>

namespace trellis {

struct Manifest::Data {
  ManifestModel model;
  KeptJson schemas; // what model.schemas points into
  std::string digest, normalized, projection;
  NameIndex<RpcSurface> rpc;
  NameIndex<const JsonValue *> schema_index;
  std::unordered_map<std::string_view, const ErrorDeclaration *> errors;
};

namespace {

std::optional<Error> check_model(const ManifestModel &model) {
  for (const auto check : {check_event_consumers, check_embedded_schemas, check_schema_refs, check_events})
    if (auto error = check(model)) return error;
  return std::nullopt;
}

// Copies the schemas of `model` into `kept` and points to them there.
void adopt_schemas(ManifestModel &model, KeptJson &kept) {
  if (!model.schemas) return;
  auto &list = kept.root().SetArray();
  list.Reserve(static_cast<rapidjson::SizeType>(model.schemas->size()), kept.allocator());
  for (auto &[name, schema] : *model.schemas) {
    list.PushBack(deep_copy(*schema, kept.allocator()), kept.allocator());
    schema = list.End() - 1; // stays in place: the array was reserved
  }
}

} // namespace

Result<Manifest> Manifest::validate(const JsonValue &value) {
  if (auto error = check_raw(value)) return tl::make_unexpected(std::move(*error));
  auto model = read_model(value);
  if (!model) return tl::make_unexpected(std::move(model.error()));
  if (auto error = check_model(*model)) return tl::make_unexpected(std::move(*error));

  auto data = std::make_shared<Data>();
  data->model = std::move(*model);
  adopt_schemas(data->model, data->schemas);
  auto texts = write_texts(data->model);
  data->normalized = std::move(texts.normalized);
  data->projection = std::move(texts.projection);
  data->digest = sha256_base64url(data->projection);
  data->rpc = NameIndex(data->model.rpc);
  data->schema_index = NameIndex(data->model.schemas);
  for (const auto &[key, error] : entries_of(data->model.errors))
    data->errors.try_emplace(error.type, &error);
  return Manifest(std::move(data));
}

Result<Manifest> Manifest::parse(std::string_view text, const JsonLimits &limits) {
  const auto document = parse_json(text, limits);
  if (!document) return tl::make_unexpected(document.error());
  return validate(*document);
}

const ManifestModel &Manifest::model() const {
  return data_->model;
}
const std::string &Manifest::digest() const {
  return data_->digest;
}
const std::string &Manifest::normalized() const {
  return data_->normalized;
}
const std::string &Manifest::projection() const {
  return data_->projection;
}

const RpcSurface *Manifest::rpc(std::string_view name) const {
  return data_->rpc.find(name);
}

const JsonValue *Manifest::schema(std::string_view name) const {
  const auto *schema = data_->schema_index.find(name);
  return schema ? *schema : nullptr;
}

const ErrorDeclaration *Manifest::error_of_type(std::string_view type) const {
  const auto found = data_->errors.find(type);
  return found == data_->errors.end() ? nullptr : found->second;
}

std::string_view kind_name(ContractKind kind) {
  switch (kind) {
  case ContractKind::service: return "service";
  case ContractKind::app: return "app";
  case ContractKind::device: return "device";
  case ContractKind::agent: return "agent";
  }
  return {};
}

} // namespace trellis
