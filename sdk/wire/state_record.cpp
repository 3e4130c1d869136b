#include "wire/state_record.h"

#include "wire/instant.h"
#include "wire/record_reader.h"
#include "wire/record_writer.h"
#include "wire/ulid.h"

namespace trellis {
namespace {

void require_written(const RecordReader &reader, const char *name, const std::optional<std::string> &time) {
  if (time && !is_written_time(*time)) reader.report(name, "a time of the form YYYY-MM-DDTHH:mm:ss.sssZ");
}

StateEnvelope read_envelope(const RecordReader &reader) {
  StateEnvelope envelope;
  envelope.value = reader.json("value");
  envelope.updated_at = reader.text("updatedAt");
  require_written(reader, "updatedAt", envelope.updated_at);
  envelope.state_version = reader.non_empty("stateVersion");
  envelope.writer_contract_digest = reader.non_empty("writerContractDigest");
  envelope.expires_at = reader.optional_text("expiresAt");
  require_written(reader, "expiresAt", envelope.expires_at);
  return envelope;
}

StateEntry read_entry(const RecordReader &reader) {
  return {reader.optional_text("key"), reader.json("value"), reader.text("revision"), reader.time("updatedAt"),
          reader.optional_time("expiresAt")};
}

std::string entry_json(const StateEntry &entry) {
  JsonObjectText out;
  add_text(out, "key", entry.key);
  out.json("value", entry.value).text("revision", entry.revision).text("updatedAt", entry.updated_at);
  add_text(out, "expiresAt", entry.expires_at);
  return out.str();
}

// The migration-required form, which stands where an entry would.
StateReading read_migration(const RecordReader &reader) {
  if (!reader.flag("migrationRequired")) reader.report("migrationRequired", "true");
  return {read_entry(reader.object("entry")),
          StateMigration{reader.text("stateVersion"), reader.text("currentStateVersion"),
                         reader.text("writerContractDigest")}};
}

std::string migration_json(const StateReading &reading) {
  return JsonObjectText()
      .flag("migrationRequired", true)
      .json("entry", entry_json(reading.entry))
      .text("stateVersion", reading.migration->state_version)
      .text("currentStateVersion", reading.migration->current_state_version)
      .text("writerContractDigest", reading.migration->writer_contract_digest)
      .str();
}

StateReading read_entry_or_migration(const RecordReader &reader) {
  if (reader.has("migrationRequired")) return read_migration(reader);
  return {read_entry(reader), std::nullopt};
}

std::string reading_json(const StateReading &reading) {
  return reading.migration ? migration_json(reading) : entry_json(reading.entry);
}

StateGetAnswer read_get(const RecordReader &reader) {
  if (reader.has("migrationRequired")) return {read_migration(reader)};
  if (!reader.flag("found")) return {};
  return {StateReading{read_entry(reader.object("entry")), std::nullopt}};
}

StatePutAnswer read_put(const RecordReader &reader) {
  StatePutAnswer answer;
  answer.applied = reader.flag("applied");
  if (answer.applied || reader.flag("found")) answer.reading = read_entry_or_migration(reader.object("entry"));
  return answer;
}

StatePage read_page(const RecordReader &reader) {
  return {reader.list("entries", read_entry_or_migration), reader.integer("count"), reader.integer("offset"),
          reader.integer("limit"), reader.optional_integer("nextOffset")};
}

bool stays(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '/' || c == '-';
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

} // namespace

std::string to_json(const StateEnvelope &envelope) {
  JsonObjectText out;
  out.json("value", envelope.value).text("updatedAt", envelope.updated_at);
  out.text("stateVersion", envelope.state_version).text("writerContractDigest", envelope.writer_contract_digest);
  add_text(out, "expiresAt", envelope.expires_at);
  return out.str();
}

Result<StateEnvelope> parse_state_envelope(std::string_view text) {
  return read_record(text, read_envelope);
}

bool is_expired(const StateEnvelope &envelope, std::int64_t now_ms) {
  std::int64_t expires_ms = 0;
  return envelope.expires_at && parse_iso_time(*envelope.expires_at, expires_ms) && expires_ms <= now_ms;
}

// Bytes that are no UTF-8 (unpaired surrogates among them) encode as U+FFFD.
std::string state_token(std::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : utf8_text(text)) {
    const auto byte = static_cast<unsigned char>(c);
    if (stays(c))
      out += c;
    else
      out.append({'=', kHex[byte >> 4], kHex[byte & 15]});
  }
  return out;
}

std::optional<std::string> state_token_text(std::string_view token) {
  std::string out;
  for (std::size_t i = 0; i < token.size(); ++i) {
    if (token[i] != '=') {
      out += token[i];
      continue;
    }
    if (i + 2 >= token.size()) return std::nullopt;
    const int high = hex_value(token[i + 1]), low = hex_value(token[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  if (state_token(out) != token) return std::nullopt; // what we would not have written
  return out;
}

std::string state_namespace(const StateAddress &store) {
  return state_token(store.owner_type) + "." + state_token(store.owner_key) + "." + state_token(store.contract_id) +
         "." + state_token(store.store);
}

std::string state_value_key(const StateAddress &store) {
  return state_namespace(store) + ".=value";
}

std::string state_map_key(const StateAddress &store, std::string_view key) {
  return state_namespace(store) + "." + state_token(key);
}

std::optional<std::string> state_key_of(const StateAddress &store, std::string_view key) {
  const std::string prefix = state_namespace(store) + ".";
  if (!key.starts_with(prefix) || key.size() == prefix.size()) return std::nullopt;
  return state_token_text(key.substr(prefix.size()));
}

StateReading read_state(const StateEnvelope &envelope, std::string revision, std::optional<std::string> map_key,
                        std::string_view current_version) {
  StateReading reading{
      {std::move(map_key), envelope.value, std::move(revision), envelope.updated_at, envelope.expires_at}, {}};
  if (envelope.state_version != current_version)
    reading.migration =
        StateMigration{envelope.state_version, std::string(current_version), envelope.writer_contract_digest};
  return reading;
}

std::string to_json(const StateGetAnswer &answer) {
  if (!answer.reading) return JsonObjectText().flag("found", false).str();
  if (answer.reading->migration) return migration_json(*answer.reading);
  return JsonObjectText().flag("found", true).json("entry", entry_json(answer.reading->entry)).str();
}

std::string to_json(const StatePutAnswer &answer) {
  JsonObjectText out;
  out.flag("applied", answer.applied);
  if (!answer.applied) out.flag("found", answer.reading.has_value());
  if (answer.reading) out.json("entry", reading_json(*answer.reading));
  return out.str();
}

std::string to_json(const StatePage &page) {
  JsonObjectText out;
  out.json("entries", json_array(page.entries, reading_json)).number("count", page.count);
  out.number("offset", page.offset).number("limit", page.limit);
  add_number(out, "nextOffset", page.next_offset);
  return out.str();
}

Result<StateGetAnswer> parse_state_get(std::string_view text) {
  return read_record(text, read_get);
}
Result<StatePutAnswer> parse_state_put(std::string_view text) {
  return read_record(text, read_put);
}
Result<StatePage> parse_state_page(std::string_view text) {
  return read_record(text, read_page);
}

std::optional<std::int64_t> next_offset(std::int64_t offset, std::int64_t limit, std::int64_t count) {
  if (limit <= 0 || offset >= count || limit >= count - offset) return std::nullopt;
  return offset + limit;
}

} // namespace trellis
