// The parts of operation records that frames carry too. Internal to sdk/wire.
#pragma once

#include "wire/operation_record.h"
#include "wire/record_reader.h"
#include "wire/record_writer.h"

namespace trellis {

OperationSnapshot read_operation_snapshot(const RecordReader &reader);
TransferProgress read_transfer_progress(const RecordReader &reader);
std::string to_json(const TransferProgress &progress);

} // namespace trellis
