// The names and directives of http-flows cases (vectors README §1.3, §4.1, §4.3): {{name}}, {"$sig": …} and the rest.
#pragma once

#include "contracts/json.h"
#include "http_flow_instance.h"
#include <map>
#include <rapidjson/document.h>
#include <stdexcept>
#include <string>
#include <string_view>

namespace trellis::vectors {

// A name in an input that nothing has bound.
struct UnboundName : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class FlowValues {
public:
  FlowValues(const FlowInstance &instance, const Input &input);

  void bind(const std::string &name, std::string value) { names_[name] = std::move(value); }
  JsonDocument resolved(const JsonValue &input) const; // of a request; throws UnboundName
  JsonDocument expected(const JsonValue &value) const; // what is not bound matches any text

private:
  JsonValue resolve(const JsonValue &value, JsonDocument::AllocatorType &allocator) const;
  JsonValue directive(const JsonValue &value, JsonDocument::AllocatorType &allocator) const;
  std::string text(std::string_view text, bool input) const;
  std::string signature(const JsonValue &directive, const JsonValue &siblings) const;
  void fill(JsonValue &value, JsonDocument::AllocatorType &allocator) const;

  const Input &input_;
  std::int64_t now_;
  std::map<std::string, std::string, std::less<>> names_;
};

} // namespace trellis::vectors
