// Resources of deployments on a real nats-server (02 §7.2 to §7.5): what is made, kept, changed, refused and removed.
#include "authority_testing.h"
#include "resources_fixture.h"
#include "store/reserved_resources.h"
#include "support/wait_until.h"
#include <algorithm>

using namespace trellis;
using namespace trellis::auth;
using namespace trellis::auth::testing;

namespace {

using NameSet = std::set<std::string>;

bool says(const std::string &text, const std::string &part) {
  INFO(text);
  const bool found = text.find(part) != std::string::npos;
  CHECK(found);
  return found;
}

bool is_look(const std::string &subject) {
  return subject.starts_with("$JS.API.STREAM.INFO.") || subject.starts_with("$JS.API.CONSUMER.INFO.");
}

constexpr char kOneWorkSource[] =
    R"({"name":"JOBS_WORK","subjects":["trellis.work.>"],"retention":"workqueue","sources":[{"name":"JOBS",
        "subject_transforms":[{"src":"trellis.jobs.*.*.*.created","dest":"trellis.work.$1.$2"},
                              {"src":"trellis.jobs.*.*.*.retried","dest":"trellis.work.$1.$2"}]}]})";

} // namespace

TEST_CASE("each kind of resource is created, and a second reconciliation only looks") {
  ResourcesFixture f;
  f.make_event_stream();
  f.provisioned(one_of_each());
  const auto first = f.stored;
  const std::string bucket = "KV_" + f.name("kv", "bucket"), files = "OBJ_" + f.name("store", "name");
  CHECK(f.streams() == NameSet{"JOBS", "JOBS_ADVISORIES", "JOBS_WORK", "trellis", bucket, files});
  CHECK(f.consumers("trellis") == NameSet{f.name("event-consumer", "consumerName")});
  CHECK(f.consumers("JOBS_WORK") == NameSet{f.name("jobs", "consumerName")});
  CHECK(bucket.size() == 3 + 32);
  CHECK(f.reserved.empty());

  f.watched.heal();
  f.provisioned(one_of_each());
  CHECK(f.stored == first);
  CHECK_FALSE(f.watched.subjects().empty());
  CHECK(std::ranges::all_of(f.watched.subjects(), is_look));
}

TEST_CASE("a changed definition changes each kind in place, under its old name") {
  ResourcesFixture f;
  f.make_event_stream();
  f.provisioned(one_of_each());
  const std::string bucket = "KV_" + f.name("kv", "bucket"), files = "OBJ_" + f.name("store", "name");
  const std::string events = f.name("event-consumer", "consumerName"), jobs = f.name("jobs", "consumerName");
  f.provisioned({group("g", R"(["events.v1.A","events.v1.B.*"])", R"("maxDeliver":2,"backoffMs":[])"),
                 queue("mail", R"("maxDeliver":2,"backoffMs":[7],"concurrency":4)"),
                 kv("cache", R"("history":9,"ttlMs":60000,"maxValueBytes":100)"),
                 store("files", R"("ttlMs":1000,"maxTotalBytes":5000)")});
  CHECK(f.streams() == NameSet{"JOBS", "JOBS_ADVISORIES", "JOBS_WORK", "trellis", bucket, files});
  CHECK(f.config(bucket, "max_msgs_per_subject") == "9");
  CHECK(f.config(bucket, "max_age") == "60000000000");
  CHECK(f.config(bucket, "duplicate_window") == "60000000000"); // a window beyond max_age would be refused
  CHECK(f.config(bucket, "max_msg_size") == "100");
  CHECK(f.config(files, "max_bytes") == "5000");
  CHECK(f.consumer_config("trellis", events, "filter_subjects") == R"(["events.v1.A","events.v1.B.*"])");
  CHECK(f.consumer_config("trellis", events, "backoff") == "");
  CHECK(f.consumer_config("trellis", events, "ack_wait") == "300000000000");
  CHECK(f.consumer_config("JOBS_WORK", jobs, "max_ack_pending") == "4");
  CHECK(f.consumer_config("JOBS_WORK", jobs, "backoff") == "[7000000]");
  f.provisioned(one_of_each());
  CHECK(f.config(bucket, "max_msg_size") == "-1"); // a limit that is gone is none
  CHECK(f.config(bucket, "duplicate_window") == "120000000000");
  CHECK(f.config(files, "max_bytes") == "-1");
  CHECK(f.consumer_config("trellis", events, "filter_subjects") == R"(["events.v1.A"])");
}

TEST_CASE("an update keeps what somebody else has set") {
  ResourcesFixture f;
  f.provisioned({kv("cache")});
  const std::string bucket = "KV_" + f.name("kv", "bucket");
  const auto info = f.jetstream.stream_info(bucket);
  REQUIRE(info);
  std::string config = to_json((*info)["config"]);
  config.insert(1, R"("description":"mine",)");
  REQUIRE(f.jetstream.update_stream(bucket, config));
  f.provisioned({kv("cache", R"("history":2)")});
  CHECK(f.config(bucket, "description") == R"("mine")");
  CHECK(f.config(bucket, "max_msgs_per_subject") == "2");
}

TEST_CASE("what nothing asks for any more is deleted, also when it is gone already; shared streams stay") {
  ResourcesFixture f;
  f.make_event_stream();
  std::vector<ResourceNeed> all = one_of_each();
  all.push_back(kv("gone"));
  f.provisioned(all);
  REQUIRE(f.jetstream.delete_stream("KV_" + f.name("kv", "bucket", "gone")));
  REQUIRE(f.jetstream.delete_consumer("trellis", f.name("event-consumer", "consumerName")));
  f.provisioned({});
  CHECK(f.streams() == NameSet{"JOBS", "JOBS_ADVISORIES", "JOBS_WORK", "trellis"});
  CHECK(f.consumers("JOBS_WORK").empty());
  CHECK(f.stored.empty());
}

TEST_CASE("a run that fails takes back what it made, and nothing that was there before") {
  ResourcesFixture f; // without stream trellis
  f.provisioned({kv("old"), queue("old")});
  const auto before = f.streams();
  const auto consumers = f.consumers("JOBS_WORK");
  says(f.refused({kv("new"), store("new"), queue("new"), queue("old"), kv("old"), group("g")}),
       R"(event-consumer "g", stream trellis)");
  CHECK(f.streams() == before);
  CHECK(f.consumers("JOBS_WORK") == consumers);
}

TEST_CASE("a definition that can't be provisioned touches nothing") {
  ResourcesFixture f;
  says(f.refused({kv("a"), kv("wrong", R"("history":-1)")}), R"(kv "wrong".history)");
  CHECK(f.watched.subjects().empty());
  CHECK(f.reserved.empty());
}

TEST_CASE("an event consumer without its stream says which stream is missing, and doesn't make it") {
  ResourcesFixture f;
  const std::string error = f.refused({group("g")});
  says(error, "stream trellis");
  says(error, "not found");
  CHECK(f.streams().empty());
}

TEST_CASE("a stream of the bound name with other subjects is refused with both, and stays") {
  ResourcesFixture f;
  f.provisioned({kv("cache")});
  const std::string bucket = f.name("kv", "bucket");
  REQUIRE(f.jetstream.delete_stream("KV_" + bucket));
  f.make_stream(R"({"name":"KV_)" + bucket + R"(","subjects":["mine.>"]})");
  const std::string error = f.refused({kv("cache", R"("history":2)")});
  says(error, "stream KV_" + bucket);
  says(error, R"(["mine.>"])");
  says(error, "$KV." + bucket + ".>");
  CHECK(f.config("KV_" + bucket, "subjects") == R"(["mine.>"])");
}

TEST_CASE("a change that JetStream refuses names the consumer and what differs") {
  ResourcesFixture f;
  f.make_event_stream();
  f.provisioned({group("g")});
  const std::string error = f.refused({group("g", R"(["events.v1.A"])", R"("replay":"all")")});
  says(error, "stream trellis, consumer " + f.name("event-consumer", "consumerName"));
  says(error, R"(deliver_policy is "new" (wanted "all"))");
  CHECK(f.consumers("trellis").size() == 1);
}

TEST_CASE("a group whose filters overlap is refused with the server's words") {
  ResourcesFixture f;
  f.make_event_stream();
  const std::string error = f.refused({group("g", R"(["events.v1.A","events.v1.*"])")});
  says(error, R"(event-consumer "g", stream trellis, consumer tr_cons_)");
  says(error, "overlap");
  CHECK(f.consumers("trellis").empty());
}

TEST_CASE("a queue with more backoff entries than deliveries is refused with the server's words") {
  ResourcesFixture f;
  const std::string error = f.refused({queue("bad", R"("maxDeliver":2,"backoffMs":[1,2,3])")});
  says(error, R"(jobs "bad", stream JOBS_WORK, consumer tr_jobs_)");
  says(error, "max deliver");
  CHECK(f.consumers("JOBS_WORK").empty());
}

TEST_CASE("an account's limit is an error that names the stream") {
  ResourcesFixture f({.text = R"(accounts { A { users: [{user: a, password: a}], jetstream: {max_mem: 1M, max_file: 10M,
                                  max_streams: 1} } })"},
                     "a");
  const std::string error = f.refused({kv("one"), kv("two")});
  says(error, R"(kv "two", stream KV_tr_kv_)");
  says(error, "maximum number of streams");
  CHECK(f.streams().empty()); // also the first
}

TEST_CASE("a store larger than the account is an error that names it") {
  ResourcesFixture f(
      {.text = "accounts { A { users: [{user: a, password: a}], jetstream: {max_mem: 1M, max_file: 1M} } }"}, "a");
  says(f.refused({store("big", R"("maxTotalBytes":100000000)")}), R"(store "big", stream OBJ_tr_obj_)");
}

TEST_CASE("the shared job streams are brought to their table, and a legal older form of one is taken up") {
  ResourcesFixture f;
  f.make_stream(R"({"name":"JOBS","subjects":["trellis.jobs.>"],"max_age":1000000000000,"description":"mine"})");
  f.make_stream(kOneWorkSource);
  f.provisioned({queue("mail")});
  CHECK(f.config("JOBS", "max_age") == "0");
  CHECK(f.config("JOBS", "allow_direct") == "true");
  CHECK(f.config("JOBS", "description") == R"("mine")");
  const auto work = f.jetstream.stream_info("JOBS_WORK");
  REQUIRE(work);
  CHECK((*work)["config"]["sources"].Size() == 2);
}

TEST_CASE("a job stream that can't become what it should be is an error that says how it differs, and stays") {
  ResourcesFixture f;
  f.make_stream(R"({"name":"JOBS","subjects":["trellis.jobs.>"],"storage":"memory"})");
  const std::string error = f.refused({queue("mail")});
  says(error, R"(jobs "mail", stream JOBS)");
  says(error, R"(storage is "memory" (wanted "file"))");
  CHECK(f.streams() == NameSet{"JOBS"});
}

TEST_CASE("jobs reach the work stream once, whether created or retried") {
  ResourcesFixture f;
  f.provisioned({queue("mail")});
  const std::string prefix = f.name("jobs", "publishPrefix"), work = f.name("jobs", "workSubject");
  for (const char *event : {".J1.created", ".J1.retried", ".J1.started"})
    REQUIRE(f.jetstream.publish(prefix + event, "{}"));
  const auto waiting = [&]() -> std::uint64_t {
    const auto info = f.jetstream.consumer_info("JOBS_WORK", f.name("jobs", "consumerName"));
    return info ? (*info)["num_pending"].GetUint64() : 0;
  };
  CHECK(test::wait_until([&] { return waiting() == 2; }));
  CHECK(f.jetstream.last_on_leader("JOBS_WORK", work));
}

TEST_CASE("whoever runs trellis.jobs@v1 gets the job streams before there is a queue") {
  ResourcesFixture f;
  f.owned_ids = {"trellis.jobs@v1"};
  f.provisioned({});
  CHECK(f.streams() == NameSet{"JOBS", "JOBS_ADVISORIES", "JOBS_WORK"});
}

TEST_CASE("two queues that are new together report the first one's namespace from the next run on") {
  ResourcesFixture f;
  f.provisioned({queue("a"), queue("b")});
  const std::string first = f.name("jobs", "namespace", "a"), prefix = f.name("jobs", "publishPrefix", "b");
  CHECK(f.name("jobs", "namespace", "b") != first);
  f.provisioned({queue("a"), queue("b"), queue("c")});
  CHECK(f.name("jobs", "namespace", "b") == first);
  CHECK(f.name("jobs", "publishPrefix", "b") == prefix);
  CHECK(f.name("jobs", "publishPrefix", "c").starts_with("trellis.jobs." + first + ".tr_jq_"));
}

TEST_CASE("queues that are made at once share neither consumer nor namespace, though ends of names are cut") {
  ResourcesFixture f;
  f.provisioned({queue("a")});
  std::vector<ResourceNeed> many;
  for (const char *alias : {"a", "b", "c", "d", "e", "f"})
    many.push_back(queue(alias));
  f.provisioned(many);
  CHECK(f.consumers("JOBS_WORK").size() == many.size());
}

TEST_CASE("a service with a bucket gets it in its binding, and loses neither when it comes again") {
  ResourcesFixture f;
  testing::ControlPlane plane(f.transport.get());
  plane.deploy("acme.prod");
  plane.provision("acme.prod", "one");
  plane.make_ready("acme.prod", "one", plane.with_cache);
  const auto binding = [&] {
    const auto body = parse_json(plane.bootstrap("one", plane.with_cache).body);
    REQUIRE(body);
    return to_json((*body)["binding"]["resources"]);
  };
  const std::string first = binding();
  CHECK(first.starts_with(R"({"kv":{"cache":{"bucket":"tr_kv_)"));
  CHECK(binding() == first);
  CHECK(f.streams().size() == 1);
  CHECK(plane.read([](Reader &db) { return reserved_resources(db, "acme.prod"); }).empty());
}
