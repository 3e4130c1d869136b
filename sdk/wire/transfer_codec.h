// The parts of transfer records that others carry. Internal to sdk/wire.
#pragma once

#include "wire/record_reader.h"
#include "wire/record_writer.h"
#include "wire/transfer_grant.h"

namespace trellis {

FileInfo read_file_info(const RecordReader &reader);
TransferGrant read_transfer_grant(const RecordReader &reader);

} // namespace trellis
