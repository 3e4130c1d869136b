// What the process of an isolated plugin may do to its host when it means harm: nothing but what its own requests see.
// Each child is a real process that speaks the frames itself (untrusted_child.h).
#include "isolation/abi_frames.h"
#include "isolation/child_process.h"
#include "isolation/create_settings.h"
#include "isolation/host_link.h"
#include "isolation/isolated_plugin.h"
#include "isolation/memory_scan_testing.h"
#include "isolation/plugin_process.h"
#include "isolation/untrusted_child.h"
#include "support/temp_dir.h"
#include "support/wait_until.h"
#include "support/without_threads.h"
#include <algorithm>
#include <catch2/catch_session.hpp>
#include <catch2/catch_test_macros.hpp>
#include <condition_variable>
#include <csignal>
#include <future>
#include <mutex>
#include <sys/socket.h>

using namespace trellis;
using namespace trellis::isolation;
using namespace std::chrono_literals;
using trellis::test::wait_until;

namespace {

// The host's side of the ABI, which notes what it is asked.
class FakeHost {
public:
  FakeHost() {
    table_.size = sizeof table_;
    table_.abi_minor = TRELLIS_ABI_MINOR;
    table_.self = this;
    table_.get_extension = [](void *, trellis_str id) -> const void * {
      static constexpr trellis_transport_v1 kTransport{sizeof(trellis_transport_v1), 0, nullptr, &FakeHost::request};
      return view(id) == TRELLIS_EXT_TRANSPORT ? &kTransport : nullptr;
    };
    table_.log = [](void *self, std::int32_t, trellis_str message, trellis_str fields) {
      of(self).note(of(self).lines_, std::string(view(message)));
      of(self).note(of(self).fields_, std::string(view(fields)));
    };
    const auto object = [](void *, trellis_sink out) -> trellis_status {
      write(out, "{}");
      return TRELLIS_OK;
    };
    table_.config = [](void *self, trellis_sink out) -> trellis_status {
      write(out, of(self).config_);
      return TRELLIS_OK;
    };
    table_.identity = object;
    table_.complete = [](void *self, trellis_call, trellis_str) -> trellis_status {
      const std::lock_guard lock(of(self).mutex_);
      of(self).completed_ = true;
      return TRELLIS_OK;
    };
    table_.fail = [](void *, trellis_call, const trellis_error *) -> trellis_status { return TRELLIS_OK; };
    table_.release = [](void *, trellis_call) -> trellis_status { return TRELLIS_OK; };
    table_.call_state = table_.release;
    table_.call_rpc_async = [](void *self, const trellis_rpc_call *, trellis_rpc_reply_fn reply, void *context) {
      const std::lock_guard lock(of(self).mutex_);
      of(self).replies_.push_back([=](std::string_view output) { reply(context, TRELLIS_OK, str(output), nullptr); });
      return trellis_status{TRELLIS_OK};
    };
  }
  ~FakeHost() { let_requests_go(); }
  FakeHost(const FakeHost &) = delete;
  FakeHost &operator=(const FakeHost &) = delete;

  const trellis_host *table() const { return &table_; }
  void set_config(std::string config) { config_ = std::move(config); }
  std::vector<std::string> lines() const { return copy(lines_); }
  std::vector<std::string> fields() const { return copy(fields_); }
  bool logged(const std::string &line) const { return std::ranges::count(lines(), line) > 0; }
  bool completed() const {
    const std::lock_guard lock(mutex_);
    return completed_;
  }
  std::size_t requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  void let_requests_go() {
    const std::lock_guard lock(mutex_);
    go_ = true;
    gone_.notify_all();
  }
  std::vector<std::function<void(std::string_view)>> replies() const { return copy(replies_); }

private:
  static FakeHost &of(void *self) { return *static_cast<FakeHost *>(self); }
  static trellis_status request(void *self, trellis_str, trellis_str, const trellis_header *, std::size_t,
                                std::uint32_t, trellis_sink, trellis_error_sink) {
    auto &host = of(self);
    std::unique_lock lock(host.mutex_);
    ++host.requests_;
    host.gone_.wait(lock, [&] { return host.go_; });
    return TRELLIS_E_TIMEOUT;
  }
  template <class T>
  void note(std::vector<T> &into, T what) {
    const std::lock_guard lock(mutex_);
    into.push_back(std::move(what));
  }
  template <class T>
  std::vector<T> copy(const std::vector<T> &from) const {
    const std::lock_guard lock(mutex_);
    return from;
  }

  trellis_host table_{};
  std::string config_ = "{}";
  mutable std::mutex mutex_; // guards what follows
  std::condition_variable gone_;
  bool go_ = false, completed_ = false;
  std::size_t requests_ = 0;
  std::vector<std::string> lines_, fields_;
  std::vector<std::function<void(std::string_view)>> replies_;
};

std::string secret_of(const testing::Marker &begin, std::size_t between, const testing::Marker &end) {
  std::string secret;
  secret.reserve(between + 2 * testing::Marker::kSize);
  begin.append_to(secret);
  secret.append(between, 'x');
  end.append_to(secret);
  return secret;
}

// A child that misbehaves so, and what a host has of it.
struct Isolated {
  explicit Isolated(const std::string &how) {
    options.name = how;
    auto file = Artifact::open(TRELLIS_BUILD_ROOT "/examples/echo-c.so");
    REQUIRE(file);
    options.artifact = std::make_shared<const Artifact>(std::move(*file));
    options.settings.restart_backoff = 10ms;
    options.settings.start_timeout = 1500ms;
    options.max_concurrency = 2;
    options.state_dir = dir / "state";
    options.config_dir = dir.path();
    options.uid_base = 90'000;
  }
  ~Isolated() {
    host.let_requests_go();
    kill_child();
  }
  Isolated(const Isolated &) = delete;
  Isolated &operator=(const Isolated &) = delete;

  void start() {
    auto made = IsolatedPlugin::create(options, host.table());
    REQUIRE(made);
    plugin = std::move(*made);
    REQUIRE(table().start(table().self, {}) == TRELLIS_OK);
  }
  const trellis_plugin &table() const { return *plugin->table(); }
  void request(trellis_call call, std::string_view input = "{}") const {
    const auto deadline = std::chrono::system_clock::now() + 60s;
    trellis_request request{sizeof(trellis_request),
                            0,
                            call,
                            str("Untrusted.Do"),
                            str(input),
                            {},
                            {},
                            {},
                            {},
                            {},
                            std::chrono::duration_cast<std::chrono::milliseconds>(deadline.time_since_epoch()).count()};
    table().handlers[0]->rpc(table().self, &request);
  }
  // So that a test that fails ends.
  void kill_child() const {
    if (!plugin) return;
    if (const auto pid = plugin->status().pid; pid > 0) ::kill(pid, SIGKILL);
  }

  const test::TempDir dir;
  FakeHost host;
  IsolatedPlugin::Options options;
  std::unique_ptr<IsolatedPlugin> plugin;
};

} // namespace

TEST_CASE("a process that answers what it wasn't asked doesn't take back the deadline of stop") {
  Isolated it("stays");
  it.start();
  auto stopped = std::async(std::launch::async, [&] { return it.table().stop(it.table().self, 0, {}); });
  const bool in_time = stopped.wait_for(15s) == std::future_status::ready;
  CHECK(in_time);
  if (!in_time) it.kill_child();
}

TEST_CASE("a process that answers what it wasn't asked doesn't take back the deadline of create") {
  Isolated it("never-begins");
  auto made = std::async(std::launch::async, [&] { return IsolatedPlugin::create(it.options, it.host.table()); });
  REQUIRE(made.wait_for(15s) == std::future_status::ready);
  CHECK(!made.get());
}

TEST_CASE("a process that asks without end is ended when its plugin is destroyed") {
  Isolated it("floods");
  it.start();
  it.request(1);
  auto destroyed = std::async(std::launch::async, [&] { it.table().destroy(it.table().self); });
  const bool in_time = destroyed.wait_for(60s) == std::future_status::ready;
  CHECK(in_time);
  if (!in_time) it.kill_child();
}

TEST_CASE("an answer that a crashed process waited for doesn't go to the next one") {
  Isolated it("asks-and-ends");
  it.start();
  it.request(1, "end");
  REQUIRE(wait_until([&] { return it.host.logged("the plugin's process runs again"); }));
  it.request(2, "ask");
  REQUIRE(wait_until([&] { return it.host.replies().size() == 2; }));
  const auto replies = it.host.replies();
  replies[0]("old");
  replies[1]("new");
  REQUIRE(wait_until([&] { return it.host.logged("answer: new") || it.host.logged("answer: old"); }));
  CHECK(it.host.logged("answer: new"));
}

TEST_CASE("a process has a bounded number of bytes in questions that wait") {
  Isolated it("hoards");
  it.start();
  it.request(1);
  const auto refused = std::to_string(static_cast<std::uint32_t>(TRELLIS_E_UNAVAILABLE));
  CHECK(wait_until([&] { return it.host.logged("request 3: " + refused) && it.host.logged("request 4: " + refused); }));
  CHECK(it.host.requests() == 2);
}

TEST_CASE("how many bytes of questions may wait is the table's to say") {
  Isolated it("hoards"); // 48 MiB each
  it.options.settings.questions_max_mb = 50;
  it.start();
  it.request(1);
  const auto refused = std::to_string(static_cast<std::uint32_t>(TRELLIS_E_UNAVAILABLE));
  CHECK(wait_until([&] { return it.host.logged("request 4: " + refused); }));
  CHECK(wait_until([&] { return it.host.requests() > 0; }));
  CHECK(it.host.requests() == 1);
}

TEST_CASE("how much a process may leave unread is the table's to say") {
  Isolated it("stops-reading");
  it.options.settings.unread_max_mb = 73;
  it.start();
  const std::string input(std::size_t{30} << 20, 'x');
  for (trellis_call call = 1; call <= 4; ++call)
    it.request(call, input);
  CHECK(wait_until([&] {
    return std::ranges::any_of(it.host.fields(), [](const auto &fields) {
      return fields.find("doesn't read what it is sent") != std::string::npos;
    });
  }));
}

TEST_CASE("how many questions may wait is the table's to say") {
  Isolated it("calls-often");
  it.options.settings.questions_max = 3;
  it.start();
  it.request(1);
  REQUIRE(wait_until([&] { return it.host.logged("complete: 0"); }));
  CHECK(it.host.replies().size() == 3);
  for (const auto &reply : it.host.replies())
    reply("{}");
}

TEST_CASE("a process with too many open calls can still answer its requests") {
  Isolated it("calls-often");
  it.start();
  it.request(1);
  REQUIRE(wait_until([&] {
    return std::ranges::any_of(it.host.lines(), [](const auto &line) { return line.starts_with("complete: "); });
  }));
  CHECK(it.host.logged("complete: 0"));
  CHECK(it.host.replies().size() == 4096);
  for (const auto &reply : it.host.replies())
    reply("{}");
}

TEST_CASE("destroy returns when no function of the host runs for the process any more") {
  Isolated it("asks-and-waits");
  it.start();
  it.request(1);
  REQUIRE(wait_until([&] { return it.host.requests() == 1; }));
  auto destroyed = std::async(std::launch::async, [&] { it.table().destroy(it.table().self); });
  REQUIRE(wait_until([&] { return it.plugin->status().ended; }));
  CHECK(destroyed.wait_for(300ms) == std::future_status::timeout);
  it.host.let_requests_go();
  CHECK(destroyed.wait_for(20s) == std::future_status::ready);
}

TEST_CASE("the last words of a process are logged without the end of their line") {
  Isolated it("ends-within-a-line");
  it.start();
  it.request(1);
  CHECK(wait_until([&] { return it.host.logged("last words"); }, 5s));
}

TEST_CASE("a process that takes nothing more is ended") {
  Isolated it("takes-no-more");
  it.options.settings.hang_timeout = 60s;
  it.start();
  it.request(1);
  CHECK(wait_until([&] { return it.plugin->status().restarts > 0; }, 10s));
}

TEST_CASE("what a process logs at once is bounded") {
  Isolated it("logs-much");
  it.start();
  it.request(1);
  REQUIRE(wait_until([&] { return it.host.logged("logged"); }));
  const auto longest = [](const std::vector<std::string> &texts) {
    return std::ranges::max(texts, {}, &std::string::size).size();
  };
  CHECK(longest(it.host.lines()) <= 8192);
  CHECK(longest(it.host.fields()) <= 32768);
}

TEST_CASE("how much a process may log is the table's to say") {
  Isolated it("logs-much"); // a message and fields of 1 MiB, then a short line
  auto &limits = it.options.settings;
  limits.log_message_max_kb = 2;
  const auto logged = [&](const auto &is_it) { return std::ranges::count_if(it.host.lines(), is_it) == 1; };
  const auto is_long = [](const auto &line) { return line == std::string(2048, 'x'); };
  const auto has_large_fields = [&] {
    return std::ranges::any_of(it.host.fields(), [](const auto &fields) { return fields.size() > 1024 * 1000; });
  };
  SECTION("and what is beyond that is left out") {
    limits.log_lines_max = 1;
    it.start();
    it.request(1);
    REQUIRE(wait_until([&] { return it.host.completed(); }));
    CHECK(logged(is_long));
    CHECK_FALSE(it.host.logged("logged"));
    CHECK_FALSE(has_large_fields());
  }
  SECTION("and what isn't is logged") {
    limits.log_lines_max = 2;
    limits.log_fields_max_kb = 1025;
    it.start();
    it.request(1);
    REQUIRE(wait_until([&] { return it.host.completed(); }));
    CHECK(logged(is_long));
    CHECK(it.host.logged("logged"));
    CHECK(has_large_fields());
  }
}

TEST_CASE("a plugin's secrets are in one place of the host's memory while its process runs, and then in none") {
  // The first passes the socket at once, the second in pieces.
  for (const std::size_t between : {std::size_t{4} << 10, std::size_t{600} << 10}) {
    INFO(between);
    const auto kind = static_cast<char>(between > (std::size_t{64} << 10) ? 'a' : 'b'); // what a test frees stays there
    const testing::Marker begin(kind), end(static_cast<char>(kind + 16));
    Isolated it("stays");
    it.host.set_config(secret_of(begin, between, end));
    it.start();
    CHECK(begin.copies_in_memory() == 2); // one is the fake host's
    CHECK(end.copies_in_memory() == 2);
    it.kill_child();
    it.plugin.reset();
    CHECK(begin.copies_in_memory() == 1);
    CHECK(end.copies_in_memory() == 1);
  }
}

TEST_CASE("a plugin's secrets are in one place of its process's memory before it runs") {
  const testing::Marker marker('k');
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  {
    CreateSettings settings;
    settings.config_json = SecretText(secret_of(marker, 4096, marker));
    auto bytes = encode_frame(settings.frame(1));
    REQUIRE(::send(ends[0], bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
    wipe(bytes);
    const auto next = encode_frame({FrameKind::ping, 2, {}, {}});
    REQUIRE(::send(ends[0], next.data(), next.size(), 0) == static_cast<ssize_t>(next.size()));
  }
  REQUIRE(marker.copies_in_memory() == 0);
  HostLink link(ends[1]);
  const auto [id, settings] = receive_settings(link);
  CHECK(id == 1);
  CHECK(settings.config_json.reveal().size() == 2 * testing::Marker::kSize + 4096);
  CHECK(marker.copies_in_memory() == 2); // as it holds the text twice
  CHECK(link.receive().frame.kind == FrameKind::ping);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_CASE("a process that the system has no thread to look after isn't started, and says so") {
  CHECK(test::outcome_without_threads([](const auto &no_threads, const auto &) {
          no_threads();
          PluginProcess process({}, {});
          const auto begun = process.begin();
          return !begun && begun.error().text().find("thread") != std::string::npos ? 0 : 3;
        }) == 0);
}

TEST_CASE("a process can't put line ends into its program's name or version") {
  Isolated it("forges");
  it.start();
  CHECK(it.plugin->program() == "untrusted\\nend:       in peace");
  CHECK(it.plugin->version() == "1.0.0\\x1b");
}

int main(int argc, char **argv) {
  if (argc == 3 && std::string_view(argv[1]) == kChildArgument) isolation::testing::misbehave(argv[2]);
  return Catch::Session().run(argc, argv);
}
