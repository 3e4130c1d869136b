// The parts that jobs and their events share as JSON. Internal to sdk/wire.
#pragma once

#include "wire/job_record.h"
#include "wire/record_reader.h"
#include "wire/record_writer.h"

namespace trellis {

// strict: what TypeScript's local snapshots check beyond the types (08 §5.2): patterns, minimums, times, no nulls.
enum class JobChecks { types_only, strict };

inline constexpr char kJobStates[] = "pending, active, retry, completed, failed, cancelled, expired, dead or dismissed";

JobContext read_job_context(const RecordReader &reader, JobChecks checks);
JobProgress read_job_progress(const RecordReader &reader);
JobLog read_job_log(const RecordReader &reader, JobChecks checks);
// A time: any text unless strict.
std::string read_job_time(const RecordReader &reader, std::string_view name, JobChecks checks);
std::optional<std::string> read_optional_job_time(const RecordReader &reader, std::string_view name, JobChecks checks);

std::string to_json(const JobContext &context);
std::string to_json(const JobProgress &progress);
std::string to_json(const std::vector<JobLog> &logs);

} // namespace trellis
