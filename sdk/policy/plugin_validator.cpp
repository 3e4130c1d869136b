#include "policy/plugin_validator.h"

#include "abi/abi_values.h"
#include <optional>
#include <vector>

namespace trellis {
namespace {

constexpr std::size_t kMaxCached = 65536; // sessions; beyond it the cache starts anew

ErrorEnvelope envelope_of(const trellis_error *error) {
  const auto read = read_error(error);
  if (read.type.empty()) return unexpected_error(read.message);
  ErrorEnvelope out;
  out.type = read.type;
  out.message = read.message;
  if (!read.context.empty()) out.context = read.context;
  if (!read.fields.empty()) out.fields = read.fields;
  return out;
}

} // namespace

void PluginValidator::attach(const trellis_validator_v1 *table, void *self) {
  {
    const std::unique_lock lock(mutex_);
    table_ = table;
    self_ = self;
  }
  const std::lock_guard lock(cache_mutex_);
  cache_.clear(); // versions of another instance mean nothing here
}

void PluginValidator::detach() {
  const std::unique_lock lock(mutex_);
  table_ = nullptr;
  self_ = nullptr;
}

std::shared_ptr<const CallerSession> PluginValidator::caller_of(std::string_view session_key,
                                                                const trellis_validation &validation) {
  const std::lock_guard lock(cache_mutex_);
  auto found = cache_.find(session_key);
  if (found != cache_.end() && found->second.version == validation.caller_version) return found->second.caller;
  auto fresh = std::make_shared<CallerSession>();
  fresh->caller = view(validation.caller);
  fresh->inbox_prefix = view(validation.inbox_prefix);
  for (std::size_t i = 0; validation.capabilities && i < validation.capability_count; ++i)
    fresh->capabilities.emplace_back(view(validation.capabilities[i]));
  if (cache_.size() >= kMaxCached) cache_.clear();
  cache_.insert_or_assign(std::string(session_key), Cached{validation.caller_version, fresh});
  return fresh;
}

tl::expected<Validation, ErrorEnvelope> PluginValidator::validate(const ValidationRequest &request) {
  const std::shared_lock lock(mutex_);
  if (!table_) return tl::make_unexpected(unexpected_error("the control plane of this host isn't running"));
  std::vector<trellis_str> capabilities;
  for (const auto &capability : request.capabilities)
    capabilities.push_back(str(capability));
  const trellis_validation_request asked{sizeof(trellis_validation_request),
                                         request.proof_checked ? 1U : 0U,
                                         str(request.session_key),
                                         str(request.proof),
                                         str(request.subject),
                                         request.payload_hash.data(),
                                         request.iat,
                                         str(request.request_id),
                                         capabilities.data(),
                                         capabilities.size()};
  struct Answer {
    PluginValidator &validator;
    std::string_view session_key;
    std::optional<Validation> validation = std::nullopt;
    std::optional<ErrorEnvelope> error = std::nullopt;
  } answer{*this, request.session_key};
  const auto take = [](void *context, const trellis_validation *validation) {
    auto &self = *static_cast<Answer *>(context);
    if (!validation || !TRELLIS_HAS(trellis_validation, validation, capability_count)) return;
    self.validation = Validation{validation->allowed != 0, self.validator.caller_of(self.session_key, *validation)};
  };
  const auto take_error = [](void *context, const trellis_error *error) {
    static_cast<Answer *>(context)->error = envelope_of(error);
  };
  const auto status = table_->validate(self_, &asked, take, &answer, {&answer, take_error});
  if (status == TRELLIS_OK && answer.validation) return std::move(*answer.validation);
  if (answer.error) return tl::make_unexpected(std::move(*answer.error));
  return tl::make_unexpected(
      unexpected_error("the control plane didn't decide: validate returned status " + std::to_string(status)));
}

} // namespace trellis
