// The frames of a transfer: their headers, what an upload accepts next, and its acknowledgements (07 B4).
//
// The upload's rules are a value that is fed frame by frame, so that the order of the checks is one function; who owns
// the subscription, the store and the timer only asks it.
#pragma once

#include "contracts/encoding.h"
#include "wire/transfer_grant.h"

namespace trellis {

inline constexpr char kTransferSequence[] = "trellis-transfer-seq"; // headers
inline constexpr char kTransferEnd[] = "trellis-transfer-eof";
inline constexpr char kTransferEndValue[] = "true"; // any other value is no end

// What a frame's headers say; absent ones are "".
struct TransferFrame {
  std::string_view session_key, proof, iat, request_id;
  std::optional<std::string_view> sequence;
  bool end = false;
  std::string_view payload;
};

// Of a TransferError.
struct TransferRefusal {
  std::string operation, reason;
  std::string context; // JSON object with the reason
};

class UploadRules {
public:
  explicit UploadRules(const TransferGrant &grant) : grant_(grant) {}

  // nullopt: the frame counts and its bytes are to be stored. A refusal ends the upload. Steps 1 to 7 of 07 B4.
  std::optional<TransferRefusal> accept(const TransferFrame &frame, std::int64_t now_ms);
  std::int64_t received() const { return received_; }
  // Of the frame accepted last.
  std::int64_t chunk_index() const { return next_ - 1; }

private:
  std::optional<TransferRefusal> check_sequence(const TransferFrame &frame) const;
  std::optional<TransferRefusal> check_size(const TransferFrame &frame) const;

  TransferGrant grant_;
  std::int64_t next_ = 0, received_ = 0;
};

// Whether the frame is its grantee's (07 B4 step 2); `iat` has to be an integer, its age doesn't matter.
bool is_of_grantee(const TransferGrant &grant, const TransferFrame &frame);

// The answer to a frame: "continue", or "complete" with what was stored.
struct TransferAck {
  std::optional<FileInfo> info; // of a complete upload
  bool operator==(const TransferAck &) const = default;
};
std::string to_json(const TransferAck &ack);
Result<TransferAck> parse_transfer_ack(std::string_view text);

} // namespace trellis
