#include "wire/transfer_frames.h"

#include "wire/proof.h"
#include "wire/session_key.h"
#include <catch2/catch_test_macros.hpp>

using namespace trellis;

namespace {

// A caller with a grant of eight bytes in chunks of four, until one second after the epoch.
struct Upload {
  SessionKey key = SessionKey::generate();
  TransferGrant grant;
  std::string proof;

  Upload() {
    grant.service = "files-1";
    grant.session_key = key.text();
    grant.transfer_id = "T1";
    grant.subject = transfer_subject(TransferDirection::send, key.text(), "T1");
    grant.expires_at = "1970-01-01T00:00:01.000Z";
    grant.chunk_bytes = 4;
    grant.max_bytes = 8;
  }

  TransferFrame frame(std::optional<std::string_view> sequence, std::string_view payload) {
    proof = make_request_proof(key, grant.subject, sha256(as_bytes(payload)), 12, "R");
    return {key.text(), proof, "12", "R", sequence, false, payload};
  }
};

std::string reason_of(const std::optional<TransferRefusal> &refusal) {
  return refusal ? refusal->operation + " " + refusal->reason : "";
}

} // namespace

TEST_CASE("an upload takes its frames in sequence and counts their bytes") {
  Upload upload;
  UploadRules rules(upload.grant);
  CHECK_FALSE(rules.accept(upload.frame("0", "abcd"), 0));
  CHECK_FALSE(rules.accept(upload.frame("1", ""), 0));
  CHECK_FALSE(rules.accept(upload.frame("002", "e"), 0));
  CHECK(rules.received() == 5);
  CHECK(rules.chunk_index() == 2);
}

TEST_CASE("a frame is refused for the first thing that is wrong with it") {
  Upload upload;
  UploadRules rules(upload.grant);
  CHECK(reason_of(rules.accept(upload.frame("0", "a"), 1000)) == "put expired");
  CHECK(reason_of(rules.accept(upload.frame(std::nullopt, "a"), 0)) == "transfer missing_sequence");
  CHECK(reason_of(rules.accept(upload.frame("-1", "a"), 0)) == "transfer invalid_sequence");
  CHECK(reason_of(rules.accept(upload.frame("", "a"), 0)) == "transfer invalid_sequence");
  CHECK(reason_of(rules.accept(upload.frame("99999999999999999999", "a"), 0)) == "transfer invalid_sequence");
  const auto gap = rules.accept(upload.frame("1", "a"), 0);
  CHECK(gap->context == R"({"expected":0,"actual":1,"reason":"out_of_order"})");
  CHECK(reason_of(rules.accept(upload.frame("0", "abcde"), 0)) == "put chunk_too_large");
  CHECK_FALSE(rules.accept(upload.frame("0", "abcd"), 0));
  CHECK_FALSE(rules.accept(upload.frame("1", "abc"), 0));
  CHECK(rules.accept(upload.frame("2", "ab"), 0)->context ==
        R"({"maxBytes":8,"attemptedBytes":9,"reason":"max_bytes_exceeded"})");
}

TEST_CASE("only the grantee's own proof over this payload counts") {
  Upload upload, other;
  TransferFrame frame = upload.frame("0", "a");
  CHECK(is_of_grantee(upload.grant, frame));
  CHECK_FALSE(is_of_grantee(other.grant, frame));
  frame.payload = "b";
  CHECK_FALSE(is_of_grantee(upload.grant, frame));
  frame = upload.frame("0", "a");
  frame.iat = "12.0";
  CHECK_FALSE(is_of_grantee(upload.grant, frame));
  frame.iat = "12";
  frame.request_id = "";
  CHECK_FALSE(is_of_grantee(upload.grant, frame));
}

TEST_CASE("grants read back, and one of another writer is read too") {
  Upload upload;
  upload.grant.metadata = TextMap{{"owner", "ann"}};
  CHECK(parse_transfer_grant(to_json(upload.grant)).value() == upload.grant);
  TransferGrant receive = upload.grant;
  receive.direction = TransferDirection::receive;
  receive.max_bytes.reset();
  receive.metadata.reset();
  receive.info = FileInfo{"k", 3, "2026-01-01T00:00:00.000Z", object_digest("abc"), "text/plain", {}};
  CHECK(parse_transfer_grant(to_json(receive)).value() == receive);
  std::string aliased = to_json(receive);
  aliased.replace(aliased.find("direction"), 9, "kind");
  CHECK(parse_transfer_grant(aliased).value() == receive);
  CHECK(parse_transfer_grant(R"({"type":"TransferGrant","direction":"up"})").error().where == "/direction");
}

TEST_CASE("acknowledgements are continue, or complete with what was stored") {
  CHECK(to_json(TransferAck{}) == R"({"status":"continue"})");
  const TransferAck complete{FileInfo{"k", 0, "2026-01-01T00:00:00.000Z", {}, {}, {}}};
  CHECK(parse_transfer_ack(to_json(complete)).value() == complete);
  CHECK(parse_transfer_ack(R"({"status":"complete"})").error().where == "/info");
  CHECK(parse_transfer_ack(R"({"status":"complete","info":{"key":"k","size":0,"updatedAt":"2026-01-01T00:00:00Z"}})")
            .error()
            .where == "/info/metadata");
}

TEST_CASE("transfer names are one token") {
  CHECK(transfer_subject(TransferDirection::receive, "AbCdEfGhIjKlMnOpQrSt", "T") ==
        "transfer.v1.download.AbCdEfGhIjKlMnOp.T");
  CHECK(is_transfer_id("01J0000000000000000000000A"));
  for (const char *id : {"", "a.b", "a*", ">", "a/b", "a b", "a\x7f"}) {
    CAPTURE(id);
    CHECK_FALSE(is_transfer_id(id));
  }
}
