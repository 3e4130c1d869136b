// json-schema/: the public test suite of JSON Schema, cut down to what the protocol rules (01 §4.2).

#include "contracts/schema.h"
#include "runner.h"
#include <stdexcept>

namespace trellis::vectors {
namespace {

JsonDocument check(const Input &input, const CaseContext &) {
  const auto schema = Schema::compile(input.at("schema"));
  if (!schema) throw std::runtime_error(schema.error().text());
  const bool valid = schema->valid(input.at("data"));
  if (valid != schema->check(input.at("data")).empty()) throw std::runtime_error("valid() and check() disagree");
  JsonDocument out(rapidjson::kObjectType);
  out.AddMember("valid", valid, out.GetAllocator());
  return out;
}

} // namespace

void register_schema(Registry &registry) {
  registry["json-schema"]["json-schema"] = {.run = check};
}

} // namespace trellis::vectors
