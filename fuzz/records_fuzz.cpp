// Records from outside: each parser on the same bytes, and what it takes is written and read back as the same value.

#include "require.h"
#include "wire/bound_jobs.h"
#include "wire/connect_info.h"
#include "wire/device_activation.h"
#include "wire/health_report.h"
#include "wire/job_admin.h"
#include "wire/job_queries.h"
#include "wire/object_info.h"
#include "wire/operation_frames.h"
#include "wire/state_record.h"
#include "wire/transfer_frames.h"
#include "wire/worker_heartbeat.h"

#include <cstdint>
#include <rapidjson/document.h>

using trellis::fuzz::require;
using namespace trellis;

namespace {

// The limits of reading don't apply to writing: escapes make a large text larger.
constexpr std::size_t kLargest = std::size_t{1} << 20;

template <class Parse>
void reads_back(std::string_view text, const Parse &parse) {
  const auto value = parse(text);
  if (!value) return;
  const auto again = parse(to_json(*value));
  require(again.has_value() && *again == *value);
}

// Of values that hold a secret and can't be compared: the texts are.
template <class Parse>
void writes_back(std::string_view text, const Parse &parse) {
  const auto value = parse(text);
  if (!value) return;
  const std::string written = to_json(*value);
  const auto again = parse(written);
  require(again.has_value() && to_json(*again) == written);
}

void jobs(std::string_view text) {
  reads_back(text, parse_job);
  for (const auto reader : {JobEventReader::projection, JobEventReader::worker, JobEventReader::local_snapshot})
    reads_back(text, [reader](std::string_view bytes) { return parse_job_event(bytes, reader); });
  reads_back(text, parse_bound_jobs);
  reads_back(text, parse_job_query);
  reads_back(text, parse_delivery_advisory);
  reads_back(text, [](std::string_view bytes) { return parse_heartbeat(bytes); });
}

void operations(std::string_view text) {
  reads_back(text, parse_operation_snapshot);
  reads_back(text, parse_operation_record);
  reads_back(text, parse_operation_control);
  reads_back(text, parse_operation_frame);
  reads_back(text, parse_accepted_operation);
  reads_back(text, parse_transfer_grant);
  reads_back(text, parse_transfer_ack);
  reads_back(text, parse_file_info);
}

void resources(std::string_view text) {
  reads_back(text, parse_object_meta);
  reads_back(text, parse_state_envelope);
  reads_back(text, parse_state_get);
  reads_back(text, parse_state_put);
  reads_back(text, parse_state_page);
}

void participants(std::string_view text) {
  reads_back(text, parse_health_heartbeat);
  reads_back(text, parse_health_report);
  reads_back(text, parse_transports);
  for (const auto kind : {ConnectKind::user, ConnectKind::service, ConnectKind::device})
    writes_back(text, [kind](std::string_view bytes) { return parse_connect_info(bytes, kind); });
  writes_back(text, parse_wait_answer);
  reads_back(text, parse_activation_started);
  if (const auto request = parse_wait_request(text))
    require(parse_wait_request(wait_request_json(*request)).value() == *request);
  if (const auto request = parse_connect_info_request(text))
    require(parse_connect_info_request(connect_info_request_json(*request)).value() == *request);
}

// Names made of anything decode to what they were made of.
void names(std::string_view text) {
  const std::string token = state_token(text);
  const auto decoded = state_token_text(token);
  require(decoded && state_token(*decoded) == token);
  const auto name = object_name_of("s", meta_subject("s", text));
  require(!name || *name == text);
  (void)state_token_text(text);
  (void)object_name_of("s", text);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char *>(data), size);
  if (size > kLargest) return 0;
  names(text);
  const auto document = parse_json(text);
  if (!document || !document->IsObject()) return 0; // no record at all
  jobs(text);
  operations(text);
  resources(text);
  participants(text);
  return 0;
}
