#include "wire/object_info.h"

#include <catch2/catch_test_macros.hpp>

using namespace trellis;

namespace {

ObjectMeta report() {
  ObjectMeta meta;
  meta.name = "reports/2026 Q1.pdf";
  meta.bucket = "store";
  meta.nuid = "n1";
  meta.size = 262145;
  meta.chunks = 3;
  meta.mtime = "2026-03-01T10:00:00.000Z";
  meta.digest = object_digest("abc");
  meta.max_chunk_size = kObjectChunkBytes;
  meta.metadata = object_metadata(TextMap{{"owner", "ann"}}, "application/pdf");
  return meta;
}

} // namespace

TEST_CASE("digests and encoded names carry padding") {
  CHECK(object_digest("") == "SHA-256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU=");
  CHECK(meta_subject("store", "reports/2026 Q1.pdf") == "$O.store.M.cmVwb3J0cy8yMDI2IFExLnBkZg==");
  CHECK(meta_subject("store", "exact") == "$O.store.M.ZXhhY3Q=");
  CHECK(chunk_subject("store", "n1") == "$O.store.C.n1");
  CHECK(object_stream_name("store") == "OBJ_store");
}

TEST_CASE("a name is found again in its meta subject") {
  CHECK(object_name_of("store", meta_subject("store", "a b")) == "a b");
  CHECK_FALSE(object_name_of("store", "$O.other.M.YQ=="));
  CHECK_FALSE(object_name_of("store", "$O.store.M.!"));
  CHECK_FALSE(object_name_of("store", "$O.store.M."));
  CHECK_FALSE(object_name_of("store", "$O.store.M._w=="));
}

TEST_CASE("a meta reads back, and so does what other writers leave or add") {
  CHECK(parse_object_meta(to_json(report())).value() == report());
  const auto other = parse_object_meta(
      R"({"name":"k","bucket":"b","nuid":"n","size":1,"chunks":1,"mtime":"2026-03-01T10:00:00Z","digest":"d",
          "description":null,"headers":null,"options":{"link":null},"revision":7})");
  CHECK(other->description.empty());
  CHECK_FALSE(other->deleted);
  CHECK(parse_object_meta(
            R"({"name":"k","bucket":"b","nuid":"n","size":1,"chunks":1,"mtime":"2026-03-01T10:00:00Z","digest":"d",
                "options":{"link":{"bucket":"c"}}})")
            .error()
            .where == "/options/link");
}

TEST_CASE("the content type is an entry of the metadata in the store and a member outside") {
  const auto info = file_info_of(report()).value();
  CHECK(info.content_type == "application/pdf");
  CHECK(info.metadata == TextMap{{"owner", "ann"}});
  CHECK_FALSE(object_metadata({}, {}));
  ObjectMeta bare = report();
  bare.metadata.reset();
  CHECK(to_json(file_info_of(bare).value()).ends_with(R"("metadata":{}})"));
}

TEST_CASE("a deleted object has no info and an empty meta of the same chunks") {
  const ObjectMeta marker = deleted_meta(report(), "2026-03-02T10:00:00.000Z");
  CHECK(marker.nuid == "n1");
  CHECK(marker.size == 0);
  CHECK(marker.digest.empty());
  CHECK_FALSE(file_info_of(marker));
  CHECK(parse_object_meta(to_json(marker)).value() == marker);
}
