#include "retention.h"

#include "contracts/json_write.h"
#include "store/history.h"
#include <algorithm>

namespace trellis::auth {
namespace {

constexpr UnixMs kDayMs = UnixMs{24} * 3600 * 1000;

using DeleteSome = int (*)(Writer &, UnixMs, std::size_t);

Result<int> delete_batch(Database &db, DeleteSome delete_some, UnixMs before) {
  int deleted = 0;
  const auto done = db.write_aside([&](Writer &writer) -> Result<void> {
    deleted = delete_some(writer, before, kForgetBatch);
    return {};
  });
  if (!done) return tl::make_unexpected(done.error());
  return deleted;
}

Result<void> delete_older(Database &db, DeleteSome delete_some, UnixMs before, const std::stop_token &stop) {
  for (std::size_t batch = 0; batch < kForgetBatches && !stop.stop_requested(); ++batch) {
    const auto deleted = delete_batch(db, delete_some, before);
    if (!deleted) return tl::make_unexpected(deleted.error());
    if (*deleted < static_cast<int>(kForgetBatch)) break;
  }
  return {};
}

// The time before which lines of `days` are too old; 0, which no line is before, when they are kept for ever.
UnixMs too_old(const Core &core, std::int64_t days) {
  return days > 0 ? core.now() - days * kDayMs : 0;
}

Result<UnixMs> audit_limit(Core &core) {
  const auto &kept = core.config.retention;
  const UnixMs by_age = too_old(core, kept.audit_days);
  if (kept.audit_rows == 0) return by_age;
  const auto beyond =
      core.db.read([&](Reader &db) { return audit_time_beyond(db, static_cast<std::size_t>(kept.audit_rows)); });
  if (!beyond) return tl::make_unexpected(beyond.error());
  return std::max(by_age, *beyond ? **beyond + 1 : 0);
}

Result<void> forget(Core &core, const std::stop_token &stop) {
  const auto audit = audit_limit(core);
  if (!audit) return tl::make_unexpected(audit.error());
  if (auto done = delete_older(core.db, delete_audit_before, *audit, stop); !done) return done;
  const UnixMs events = too_old(core, core.config.retention.reconciliation_event_days);
  return delete_older(core.db, delete_reconciliation_events_before, events, stop);
}

} // namespace

void forget_old_history(Core &core, const std::stop_token &stop) {
  if (const auto done = forget(core, stop); !done)
    core.log(Level::warn, "old audit lines and reconciliation events can't be deleted",
             JsonObjectText().text("detail", done.error().text()).str());
}

} // namespace trellis::auth
