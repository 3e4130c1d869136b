// JetStream against a real nats-server.
#include "contracts/json_write.h"
#include "nats/nats_test_support.h"
#include "support/nats_server.h"
#include "transport/jetstream.h"
#include "transport/jetstream_messages.h"
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <rapidjson/document.h>
#include <thread>

using namespace trellis;
using namespace trellis::test;
using namespace std::chrono_literals;

namespace {

// A server, a connection and a stream `S` on `s.>`.
struct Fixture {
  NatsServer server;
  std::unique_ptr<NatsLoop> loop = start_loop();
  std::unique_ptr<NatsTransport> transport = open_connected(*loop, server.url());
  JetStream jetstream{*transport};

  void make_stream(const std::string &extra = "") {
    const auto made = jetstream.create_stream(
        "S", R"({"name":"S","subjects":["s.>"],"storage":"memory","allow_direct":true)" + extra + "}");
    REQUIRE(made);
  }
};

std::string stored_config(JetStream &jetstream, const char *member) {
  const auto info = jetstream.stream_info("S");
  REQUIRE(info);
  const JsonValue *value = find_member((*info)["config"], member);
  return value == nullptr ? "absent" : to_json(*value);
}

} // namespace

TEST_CASE("a stream is created, described, changed and deleted") {
  Fixture f;
  f.make_stream();
  CHECK(stored_config(f.jetstream, "subjects") == R"(["s.>"])");
  const auto updated = f.jetstream.update_stream(
      "S", R"({"name":"S","subjects":["s.>","t.>"],"storage":"memory","allow_direct":true,"max_age":60000000000})");
  REQUIRE(updated);
  CHECK(stored_config(f.jetstream, "subjects") == R"(["s.>","t.>"])");
  CHECK(stored_config(f.jetstream, "max_age") == "60000000000");
  CHECK(f.jetstream.delete_stream("S"));
  CHECK(f.jetstream.stream_info("S").error().code == jetstream_error::kStreamNotFound);
}

// The server removes an account's folder when its last stream goes, at its leisure: a stream made in that moment finds
// no folder to be in.
TEST_CASE("a stream can be made right after the last one of its account was deleted") {
  Fixture f;
  for (int i = 0; i < 300; ++i) {
    const auto made = f.jetstream.create_stream("S", R"({"name":"S","subjects":["s.>"],"storage":"file"})");
    INFO((made ? "" : made.error().code + ": " + made.error().text()));
    REQUIRE(made);
    REQUIRE(f.jetstream.delete_stream("S"));
  }
}

TEST_CASE("what the server refuses is an error with its code, its words and the stream") {
  Fixture f;
  const auto missing = f.jetstream.stream_info("NONE");
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == "jetstream_10059");
  CHECK(missing.error().where == "NONE");
  CHECK(missing.error().message == "stream not found");
  CHECK(f.jetstream.delete_stream("NONE").error().code == jetstream_error::kStreamNotFound);

  f.make_stream();
  f.make_stream(); // the same configuration again is no error
  const auto other = f.jetstream.create_stream("S", R"({"name":"S","subjects":["s.>"],"storage":"file"})");
  CHECK(other.error().code == jetstream_error::kStreamExists);
}

TEST_CASE("a name that would make another subject of the request is refused before it is sent") {
  Fixture f;
  for (const std::string name : {"", "a.b", "*", ">", "a b", "a/b"}) {
    CAPTURE(name);
    CHECK(f.jetstream.stream_info(name).error().code == jetstream_error::kInvalid);
    CHECK(f.jetstream.delete_stream(name).error().code == jetstream_error::kInvalid);
    CHECK(f.jetstream.delete_consumer("S", name).error().code == jetstream_error::kInvalid);
  }
}

TEST_CASE("without JetStream every question fails at once") {
  const NatsServer server({.text = "", .jetstream = false});
  const auto loop = start_loop();
  const auto transport = open_connected(*loop, server.url());
  CHECK(JetStream(*transport, 20s).stream_info("S").error().code == transport_error::kNoResponders);
}

TEST_CASE("a publish returns the stream's sequence, and says so when the message was there already") {
  Fixture f;
  f.make_stream();
  const Headers headers{{"Nats-Msg-Id", "one"}};
  const auto first = f.jetstream.publish("s.a", "hello", &headers);
  REQUIRE(first);
  CHECK(first->stream == "S");
  CHECK(first->sequence == 1);
  CHECK_FALSE(first->duplicate);
  const auto second = f.jetstream.publish("s.a", "hello", &headers);
  REQUIRE(second);
  CHECK(second->duplicate);
  CHECK(second->sequence == 1);

  const Headers wrong{{"Nats-Expected-Last-Subject-Sequence", "7"}};
  const auto refused = f.jetstream.publish("s.a", "x", &wrong);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == jetstream_error::kWrongLastSequence);
  CHECK(refused.error().where == "s.a");
  CHECK(f.jetstream.publish("elsewhere", "x").error().code == transport_error::kNoResponders);
}

TEST_CASE("an answer from somebody who is no stream is no acknowledgement") {
  Fixture f;
  const auto answering =
      f.transport->subscribe("echo", "", [](MessagePtr message) { static_cast<void>(message->respond("{}")); });
  REQUIRE(answering);
  CHECK(f.jetstream.publish("echo", "x").error().code == jetstream_error::kInvalid);
}

TEST_CASE("the last message on a subject comes with its headers, sequence and time, from any replica or the leader") {
  Fixture f;
  f.make_stream();
  const Headers headers{{"Kind", "first"}, {"kind", " padded "}, {"Status", "404"}};
  const std::string payload("bytes \0 \xff", 9);
  REQUIRE(f.jetstream.publish("s.a", "older"));
  REQUIRE(f.jetstream.publish("s.a", payload, &headers));
  const auto direct = f.jetstream.last_on("S", "s.a");
  const auto leader = f.jetstream.last_on_leader("S", "s.a");
  for (const auto *found : {&direct, &leader}) {
    REQUIRE(*found);
    REQUIRE(**found);
    const StoredMessage &message = ***found;
    CHECK(message.subject == "s.a");
    CHECK(message.payload == payload);
    CHECK(message.sequence == 2);
    CHECK(message.time.starts_with("20"));
    CHECK(message.headers.size() == 3);
    CHECK(header_of(message, "Kind") == "first");
    CHECK(header_of(message, "kind") == "padded");
    CHECK(header_of(message, "Status") == "404");
  }
}

TEST_CASE("there is no last message on a subject without any, and an error without a stream") {
  Fixture f;
  f.make_stream();
  const auto direct = f.jetstream.last_on("S", "s.none");
  REQUIRE(direct);
  CHECK_FALSE(*direct);
  const auto leader = f.jetstream.last_on_leader("S", "s.none");
  REQUIRE(leader);
  CHECK_FALSE(*leader);
  CHECK(f.jetstream.last_on("NONE", "s.a").error().code == transport_error::kNoResponders);
  CHECK(f.jetstream.last_on_leader("NONE", "s.a").error().code == jetstream_error::kStreamNotFound);
}

TEST_CASE("a message as large as the server takes is read in one answer") {
  Fixture f;
  f.make_stream();
  const std::string large(f.transport->max_payload(), 'x');
  REQUIRE(f.jetstream.publish("s.large", large));
  const auto found = f.jetstream.last_on_leader("S", "s.large");
  REQUIRE(found);
  REQUIRE(*found);
  CHECK((**found).payload == large);
}

TEST_CASE("the last messages of many subjects come in the order asked for, without those that have none") {
  Fixture f;
  f.make_stream();
  std::vector<std::string> subjects;
  for (int i = 0; i < 200; ++i) {
    subjects.push_back("s." + std::to_string(i));
    if (i % 2 == 0) REQUIRE(f.jetstream.publish(subjects.back(), std::to_string(i)));
  }
  const auto found = f.jetstream.last_on_each("S", subjects);
  REQUIRE(found);
  REQUIRE(found->size() == 100);
  for (std::size_t i = 0; i < found->size(); ++i)
    CHECK((*found)[i].payload == std::to_string(2 * i));
}

TEST_CASE("subjects are listed through a filter, sorted") {
  Fixture f;
  f.make_stream();
  for (const char *subject : {"s.b.1", "s.a.1", "s.a.2", "s.a.1"})
    REQUIRE(f.jetstream.publish(subject, ""));
  const auto some = f.jetstream.subjects("S", "s.a.*");
  REQUIRE(some);
  CHECK(*some == std::vector<std::string>{"s.a.1", "s.a.2"});
  CHECK(f.jetstream.subjects("S", "s.>")->size() == 3);
  CHECK(f.jetstream.subjects("S", "s.none")->empty());
  CHECK(f.jetstream.subjects("NONE", "s.>").error().code == jetstream_error::kStreamNotFound);
}

TEST_CASE("more subjects than the server puts into one answer are listed page by page") {
  Fixture f;
  f.make_stream();
  constexpr std::size_t kCount = 100'500; // the server's page holds 100000
  for (std::size_t i = 0; i < kCount; ++i)
    REQUIRE(f.transport->publish({.subject = "s." + std::to_string(i)}));
  REQUIRE(f.jetstream.publish("s.end", "")); // acknowledged after all before it
  JetStream patient(*f.transport, 60s);
  const auto all = patient.subjects("S", "s.>");
  REQUIRE(all);
  CHECK(all->size() == kCount + 1);
}

TEST_CASE("a durable consumer is created, described and deleted") {
  Fixture f;
  f.make_stream();
  const auto made =
      f.jetstream.create_consumer("S", R"({"durable_name":"c","ack_policy":"explicit","filter_subject":"s.a"})");
  REQUIRE(made);
  CHECK(string_member(*made, "name") == "c");
  const auto info = f.jetstream.consumer_info("S", "c");
  REQUIRE(info);
  CHECK(string_member((*info)["config"], "filter_subject") == "s.a");
  CHECK(f.jetstream.delete_consumer("S", "c"));
  CHECK(f.jetstream.consumer_info("S", "c").error().code == jetstream_error::kConsumerNotFound);
  CHECK(f.jetstream.consumer_info("S", "c").error().where == "c");
  CHECK(f.jetstream.create_consumer("S", R"({"ack_policy":"explicit"})").error().code == jetstream_error::kInvalid);
}

TEST_CASE("a question that nobody answers in time fails") {
  const NatsServer server({.text = "", .jetstream = false});
  const auto loop = start_loop();
  const auto transport = open_connected(*loop, server.url());
  const auto silent = transport->subscribe("$JS.API.>", "", [](MessagePtr) {});
  REQUIRE(silent);
  JetStream jetstream(*transport, 100ms);
  CHECK(jetstream.stream_info("S").error().code == transport_error::kTimeout);
  CHECK(jetstream.last_on_each("S", {"a", "b"}).error().code == transport_error::kTimeout);
}

TEST_CASE("several threads use one JetStream") {
  Fixture f;
  f.make_stream();
  std::vector<std::thread> threads;
  std::atomic<int> published = 0, found = 0;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      const std::string subject = "s." + std::to_string(t);
      for (int i = 0; i < 50; ++i)
        published += f.jetstream.publish(subject, std::to_string(i)) ? 1 : 0;
      const auto last = f.jetstream.last_on("S", subject);
      found += last && *last && (**last).payload == "49" ? 1 : 0;
    });
  for (auto &thread : threads)
    thread.join();
  CHECK(published == 200);
  CHECK(found == 4);
}

TEST_CASE("a header block is read whatever stands in it") {
  CHECK(read_header_block("").empty());
  CHECK(read_header_block("NATS/1.0 404 None\r\n\r\n").empty());
  CHECK(read_header_block("NATS/1.0\r\nno colon\r\n\r\n").empty());
  const auto headers = read_header_block("NATS/1.0\r\nA: b: c\r\nA:d\r\nlast:");
  REQUIRE(headers.size() == 3);
  CHECK(headers[0].value == "b: c");
  CHECK(headers[1].value == "d");
  CHECK(headers[2].value.empty());
}
