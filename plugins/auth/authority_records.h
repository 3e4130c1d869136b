// The records of deployments and their authority as they cross the wire (02 §1.2, 05 §5), and how RPC bodies are read.
#pragma once

#include "contracts/json.h"
#include "store/authority.h"
#include "store/deployments.h"
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trellis::auth {

std::string authority_record(const Authority &authority);
// `decided`: with decisionAt, decisionBy and decisionReason, null until there is a decision. The Plan RPC leaves them
// out of its reply (05 §6.6).
enum class Decisions { shown, left_out };
std::string plan_record(const Plan &plan, Decisions decisions = Decisions::shown);
std::string materialization_record(const Materialization &materialization);
std::string reconciliation_record(const Reconciliation &reconciliation);
std::string override_record(const GrantOverride &grant_override);
std::string deployment_record(const ServiceDeployment &deployment);
std::string deployment_record(const DeviceDeployment &deployment);
std::string instance_record(const ServiceInstance &instance);

std::string json_array(const std::vector<std::string> &items); // of JSON texts

// Lists in the order of 05 §2.3, so that equal requests give equal texts.
Needs in_wire_order(Needs needs);
std::vector<Surface> in_wire_order(std::vector<Surface> surfaces);

// A request body; inputs have passed their schemas, so an absent member reads as its empty value.
class Body {
public:
  static Result<Body> parse(std::string_view text); // error "validation" at "/"
  std::string text(std::string_view name) const;
  std::optional<std::string> optional_text(std::string_view name) const;
  std::optional<bool> optional_flag(std::string_view name) const;
  bool flag(std::string_view name) const { return optional_flag(name).value_or(false); }
  std::vector<std::string> texts(std::string_view name) const;
  std::int64_t integer(std::string_view name) const; // 0 when absent
  const JsonValue *find(std::string_view name) const;

private:
  explicit Body(JsonDocument document);
  std::shared_ptr<const JsonDocument> document_;
};

// 05 §2.3: entries [offset, offset + limit) of `count` rows; `entry` gives the JSON of the row at an index.
std::string page_json(const Body &request, std::size_t count, const std::function<std::string(std::size_t)> &entry);
template <class Row, class Write>
std::string page_of(const Body &request, const std::vector<Row> &rows, const Write &write) {
  return page_json(request, rows.size(), [&](std::size_t index) { return write(rows[index]); });
}

} // namespace trellis::auth
