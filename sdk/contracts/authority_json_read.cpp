// The readers of contracts/authority_json.h. The first thing that is wrong in document order is what is reported.
#include "contracts/authority_json.h"
#include "contracts/canonical.h"

#include <array>
#include <rapidjson/document.h>

namespace trellis {
namespace {

constexpr std::array kSurfaceKinds = {SurfaceKind::rpc, SurfaceKind::operation, SurfaceKind::event, SurfaceKind::feed};
constexpr std::array kSurfaceActions = {SurfaceAction::call, SurfaceAction::publish, SurfaceAction::subscribe,
                                        SurfaceAction::observe, SurfaceAction::cancel};
constexpr std::array kResourceKinds = {ResourceKind::kv, ResourceKind::store, ResourceKind::jobs,
                                       ResourceKind::event_consumer, ResourceKind::transfer};
constexpr std::array kGrantSources = {GrantSource::owned_surface, GrantSource::used_surface,
                                      GrantSource::resource_binding, GrantSource::platform_service,
                                      GrantSource::transfer};

template <class Values, class Name>
auto named(const Values &values, std::string_view text, const Name &name_of)
    -> std::optional<typename Values::value_type> {
  for (const auto value : values)
    if (name_of(value) == text) return value;
  return std::nullopt;
}

std::optional<GrantSource> grant_source_of(std::string_view name) {
  return named(kGrantSources, name, grant_source_name);
}

std::optional<bool> is_publish(std::string_view direction) {
  if (direction == "publish") return true;
  if (direction == "subscribe") return false;
  return std::nullopt;
}

// One value with its JSON pointer. Reading goes on after the first mistake, which stays in `error`, so that the
// functions below say what a record holds and nothing else.
class Place {
public:
  Place(const JsonValue *value, std::string pointer, std::optional<Error> &error)
      : value_(value), pointer_(std::move(pointer)), error_(error) {}

  bool absent() const { return !value_; }

  Place member(std::string_view name) const {
    if (!value_ || !value_->IsObject()) wrong("an object");
    return {value_ ? find_member(*value_, name) : nullptr, pointer_ + json_pointer(name), error_};
  }

  std::string text() const {
    if (value_ && value_->IsString() && value_->GetStringLength() > 0) return std::string(text_of(*value_));
    wrong("a non-empty string");
    return {};
  }

  bool flag() const {
    if (!value_ || !value_->IsBool()) wrong("true or false");
    return value_ && value_->IsTrue();
  }

  // The value that `of` knows by this text.
  template <class Of>
  auto word(const Of &of, const char *expected) const {
    const auto text = value_ ? text_of(*value_) : std::string_view();
    const auto known = text.empty() ? decltype(of(text))() : of(text);
    if (!known) wrong(expected);
    return known ? *known : typename std::decay_t<decltype(known)>::value_type();
  }

  // A JSON object as canonical text.
  std::string object_text() const {
    if (!value_ || !value_->IsObject()) {
      wrong("an object");
      return {};
    }
    auto text = canonical_json(*value_, NegativeZero::zero);
    if (!text) wrong("finite numbers");
    return text.value_or("");
  }

  template <class Read>
  auto list(const Read &read) const {
    std::vector<decltype(read(*this))> out;
    if (!value_ || !value_->IsArray()) {
      wrong("an array");
      return out;
    }
    out.reserve(value_->Size());
    for (rapidjson::SizeType i = 0; i < value_->Size() && !error_; ++i)
      out.push_back(read(Place(&(*value_)[i], pointer_ + "/" + std::to_string(i), error_)));
    return out;
  }

private:
  void wrong(const char *expected) const {
    if (!error_) error_ = Error{"authority_json", pointer_, value_ ? "is malformed" : "is missing", expected, {}};
  }

  const JsonValue *value_;
  std::string pointer_;
  std::optional<Error> &error_;
};

template <class Read>
auto read_whole(const JsonValue &value, const Read &read) -> Result<decltype(read(std::declval<const Place &>()))> {
  std::optional<Error> error;
  auto out = read(Place(&value, "", error));
  if (error) return tl::make_unexpected(std::move(*error));
  return out;
}

Surface read_surface(const Place &place, std::string_view kind_member) {
  Surface surface;
  surface.contract_id = place.member("contractId").text();
  surface.kind = place.member(kind_member).word(surface_kind_of, "rpc, operation, event or feed");
  surface.name = place.member("name").text();
  if (const auto action = place.member("action"); !action.absent())
    surface.action = action.word(surface_action_of, "call, publish, subscribe, observe or cancel");
  return surface;
}

Surface read_surface(const Place &place) {
  return read_surface(place, "kind");
}

ResourceNeed read_resource(const Place &place) {
  ResourceNeed need;
  need.kind = place.member("kind").word(resource_kind_of, "kv, store, jobs, event-consumer or transfer");
  need.alias = place.member("alias").text();
  need.required = place.member("required").flag();
  if (const auto definition = place.member("definition"); !definition.absent())
    need.definition = definition.object_text();
  return need;
}

Needs read_needs(const Place &place) {
  Needs needs;
  needs.contracts = place.member("contracts").list([](const Place &need) {
    auto id = need.member("contractId").text();
    return ContractNeed{std::move(id), need.member("required").flag()};
  });
  needs.surfaces = place.member("surfaces").list([](const Place &need) {
    auto surface = read_surface(need);
    return SurfaceNeed{std::move(surface), need.member("required").flag()};
  });
  needs.capabilities = place.member("capabilities").list([](const Place &need) {
    auto key = need.member("capability").text();
    return CapabilityNeed{std::move(key), need.member("required").flag()};
  });
  needs.resources = place.member("resources").list(read_resource);
  return needs;
}

std::string read_text(const Place &place) {
  return place.text();
}

DesiredState read_desired_state(const Place &place) {
  DesiredState desired;
  desired.needs = read_needs(place.member("needs"));
  desired.capabilities = place.member("capabilities").list(read_text);
  desired.resources = place.member("resources").list(read_resource);
  desired.surfaces = place.member("surfaces").list([](const Place &surface) { return read_surface(surface); });
  return desired;
}

NatsGrant read_nats_grant(const Place &place) {
  NatsGrant grant;
  grant.publish = place.member("direction").word(is_publish, "publish or subscribe");
  grant.subject = place.member("subject").text();
  if (const auto surface = place.member("surface"); !surface.absent()) grant.surface = read_surface(surface);
  grant.required_capabilities = place.member("requiredCapabilities").list(read_text);
  grant.source = place.member("grantSource").word(grant_source_of, "a grant source of 02 §1.2");
  return grant;
}

Grants read_grants(const Place &place) {
  Grants grants;
  grants.capabilities =
      place.member("capabilities").list([](const Place &grant) { return grant.member("capability").text(); });
  grants.surfaces =
      place.member("surfaces").list([](const Place &surface) { return read_surface(surface, "surfaceKind"); });
  grants.nats = place.member("nats").list(read_nats_grant);
  return grants;
}

} // namespace

std::optional<SurfaceKind> surface_kind_of(std::string_view name) {
  return named(kSurfaceKinds, name, surface_kind_name);
}
std::optional<SurfaceAction> surface_action_of(std::string_view name) {
  return name.empty() ? SurfaceAction::none : named(kSurfaceActions, name, surface_action_name);
}
std::optional<ResourceKind> resource_kind_of(std::string_view name) {
  return named(kResourceKinds, name, resource_kind_name);
}

Result<Needs> needs_from_json(const JsonValue &value) {
  return read_whole(value, read_needs);
}
Result<std::vector<Surface>> surfaces_from_json(const JsonValue &value) {
  return read_whole(
      value, [](const Place &place) { return place.list([](const Place &surface) { return read_surface(surface); }); });
}
Result<DesiredState> desired_state_from_json(const JsonValue &value) {
  return read_whole(value, read_desired_state);
}
Result<Grants> grants_from_json(const JsonValue &value) {
  return read_whole(value, read_grants);
}

} // namespace trellis
