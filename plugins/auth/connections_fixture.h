// What the live tests of connections and of the platform's streams share: a nats-server with the accounts of 03 §2.1
// (as plain users: who may connect is not what is tested), and a Core with a database.
#pragma once

#include "catalog.h"
#include "core.h"
#include "nats/nats_test_support.h"
#include "support/nats_server.h"
#include "support/temp_dir.h"
#include "transport/kv.h"
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <mutex>
#include <rapidjson/document.h>
#include <stdexcept>
#include <string>
#include <vector>

namespace trellis::auth::test {

using namespace trellis::test;

inline constexpr char kAccounts[] = R"(
accounts {
  SYS: { users: [{user: system, password: pw}] }
  AUTH: { jetstream: enabled, users: [{user: auth, password: pw}] }
  TRELLIS: { jetstream: enabled, users: [{user: trellis, password: pw}] }
}
system_account: SYS
)";

inline bool holds(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// The log lines of a Core. Thread-safe.
class Lines {
public:
  auth::Log writer() {
    return [this](Level level, std::string_view message, std::string_view fields) {
      const std::lock_guard lock(mutex_);
      if (level >= Level::warn) lines_.push_back(std::string(message) + " " + std::string(fields));
    };
  }
  std::size_t warnings() const {
    const std::lock_guard lock(mutex_);
    return lines_.size();
  }
  bool mentions(std::string_view text) const {
    const std::lock_guard lock(mutex_);
    return std::any_of(lines_.begin(), lines_.end(), [&](const std::string &line) { return holds(line, text); });
  }
  std::string all() const {
    const std::lock_guard lock(mutex_);
    std::string out;
    for (const auto &line : lines_)
      out += line + "\n";
    return out;
  }

private:
  mutable std::mutex mutex_; // guards lines_
  std::vector<std::string> lines_;
};

inline std::unique_ptr<Database> open_database(const TempDir &dir) {
  auto db = Database::open(dir / "trellis.sqlite");
  if (!db) throw std::runtime_error(db.error().text());
  return std::move(*db);
}

struct ControlPlane {
  ControlPlane() { config.target_nkey = "TRELLIS"; }

  NatsServer server{{.text = kAccounts}};
  std::unique_ptr<NatsLoop> loop = start_loop();
  std::unique_ptr<NatsTransport> auth = open_connected(*loop, server.url_as("auth", "pw"));
  std::unique_ptr<NatsTransport> system = open_connected(*loop, server.url_as("system", "pw"));
  std::unique_ptr<NatsTransport> trellis = open_connected(*loop, server.url_as("trellis", "pw"));
  TempDir dir;
  ControlPlaneConfig config;
  std::unique_ptr<Database> db = open_database(dir);
  Lines lines;
  std::atomic<std::int64_t> now = 1'700'000'000'000;
  alignas(Catalog) std::byte no_catalog[sizeof(Catalog)] = {}; // nothing here looks at contracts
  Core core{config, *db, reinterpret_cast<Catalog &>(no_catalog), [this] { return now.load(); }, lines.writer()};

  std::string stream_config(Transport &transport, const std::string &stream, const char *member) {
    const auto info = JetStream(transport).stream_info(stream);
    if (!info) return info.error().code;
    const JsonValue *value = find_member((*info)["config"], member);
    return value == nullptr ? "absent" : to_json(*value);
  }
};

} // namespace trellis::auth::test
