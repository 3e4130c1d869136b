// What a plugin says of its own health: Service::check and Service::health_info (06 §8).
//
//   service.check("database", [&] { database.ping(); });                       // fine unless it throws
//   service.check("disk", [&] { return trellis::CheckNote{.summary = "3 GB free", .info = R"({"freeGb":3})"}; });
//
// The host runs the checks side by side on the plugin's workers, for each heartbeat and for the rpc <Plugin>.Health.
// One that takes longer than 5 s has failed, and isn't run again until it came back.
#pragma once

#include "trellis/json_text.h"
#include "trellis/plugin.h"
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace trellis {

// What a check that is fine may add.
struct CheckNote {
  std::string summary = {}; // one line for people
  std::string info = {};    // JSON object
};

// The checks of one Service as the host reads them. Each gets a C function of its own, because the host doesn't say
// which check it asks for.
class HealthTable {
public:
  static constexpr std::size_t kMost = 32;

  // `check`: void() or CheckNote().
  template <class Check>
  void add(std::string name, Check check) {
    if (names_.size() == kMost) throw std::length_error("a service has at most 32 health checks");
    names_.push_back(std::move(name));
    checks_.push_back([check = std::move(check)]() mutable {
      if constexpr (std::is_void_v<std::invoke_result_t<Check &>>) {
        check();
        return CheckNote{};
      } else {
        return CheckNote(check());
      }
    });
  }
  void set_info(std::function<std::string()> info) { info_ = std::move(info); }

  // Once, when all are there. `Owner` is what the plugin's self points to; its health_table() is used.
  template <class Owner>
  void build() {
    static constexpr auto kFunctions = functions<Owner>(std::make_index_sequence<kMost>());
    for (std::size_t i = entries_.size(); i < names_.size(); ++i) {
      entries_.push_back({sizeof(trellis_health_check), 0, {names_[i].data(), names_[i].size()}, kFunctions[i]});
      pointers_.push_back(&entries_.back());
    }
    table_ = {sizeof(trellis_health_v1), static_cast<std::uint32_t>(pointers_.size()), pointers_.data(),
              info_ ? &HealthTable::info<Owner> : nullptr};
  }
  // What get_extension gives out; nullptr when there is nothing to ask.
  const trellis_health_v1 *table() const { return names_.empty() && !info_ ? nullptr : &table_; }

private:
  template <class Owner, std::size_t... Index>
  static constexpr auto functions(std::index_sequence<Index...>) {
    using Function = trellis_status (*)(void *, trellis_sink, trellis_error_sink);
    return std::array<Function, kMost>{&HealthTable::run<Owner, Index>...};
  }

  template <class Owner, std::size_t Index>
  static trellis_status run(void *self, trellis_sink details, trellis_error_sink error) noexcept {
    try {
      write(details, static_cast<Owner *>(self)->health_table().checks_[Index]());
      return TRELLIS_OK;
    } catch (const std::exception &problem) {
      report(error, problem.what());
    } catch (...) {
      report(error, "the check threw something that is no std::exception");
    }
    return TRELLIS_E_FAILED;
  }

  template <class Owner>
  static trellis_status info(void *self, trellis_sink out) noexcept {
    try {
      put(out, static_cast<Owner *>(self)->health_table().info_());
      return TRELLIS_OK;
    } catch (...) {
      return TRELLIS_E_FAILED;
    }
  }

  static void write(trellis_sink details, const CheckNote &note) {
    std::string out = "{", summary;
    if (!note.summary.empty() && json::append_string(summary, note.summary)) out += "\"summary\":" + summary;
    if (!note.info.empty()) out += (out.size() > 1 ? ",\"info\":" : "\"info\":") + note.info;
    if (out.size() > 1) put(details, out + "}");
  }

  static void put(trellis_sink sink, std::string_view text) {
    if (sink.write) sink.write(sink.context, {text.data(), text.size()});
  }

  static void report(trellis_error_sink sink, std::string_view message) {
    constexpr std::string_view kType = "UnexpectedError";
    const trellis_error error{
        sizeof(trellis_error), 0, {kType.data(), kType.size()}, {message.data(), message.size()}, {}, {}};
    if (sink.report) sink.report(sink.context, &error);
  }

  std::deque<std::string> names_;
  std::deque<std::function<CheckNote()>> checks_;
  std::function<std::string()> info_;
  std::deque<trellis_health_check> entries_;
  std::vector<const trellis_health_check *> pointers_;
  trellis_health_v1 table_{};
};

} // namespace trellis
