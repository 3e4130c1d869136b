#include "isolation/isolated_plugin.h"

#include "contracts/json_write.h"
#include "isolation/isolated_state.h"
#include "wire/ulid.h"
#include <algorithm>
#include <csignal>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace trellis::isolation {
namespace {

using std::chrono::milliseconds;

// Ids of questions that the supervision itself asks, in each process once.
constexpr std::uint64_t kCreateId = 1, kStartId = 2;

constexpr std::size_t kLinesKept = 40;
constexpr std::chrono::seconds kLogWindow{10}; // of log_lines_max
constexpr std::size_t kStackMb = 8;            // of a thread, in RLIMIT_DATA
constexpr std::size_t kSpareMb = 64;           // for what is no plugin's

// What is lost without control groups of what somebody asked for; "" when nothing is.
struct WithoutGroups {
  std::string unlimited, weaker;
};
WithoutGroups without_groups(const IsolationSettings &settings) {
  WithoutGroups lost;
  if (settings.cpu_max_percent > 0) lost.unlimited = "no limit of the processor (cpu_max_percent)";
  if (::geteuid() != 0) // RLIMIT_NPROC would count those of the host too
    lost.unlimited += std::string(lost.unlimited.empty() ? "" : ", ") + "no limit of threads (threads_max)";
  if (settings.memory_max_mb > 0) lost.weaker = "memory is limited by RLIMIT_DATA alone (memory_max_mb)";
  return lost;
}

} // namespace

IsolatedPlugin::State::State(Options given, const trellis_host *given_host)
    : options(std::move(given)), host(given_host), waiting(std::make_unique<TaskThreads>(options.max_concurrency)) {
  const auto extension = [&](const char *id) { return host->get_extension(host->self, str(id)); };
  transport = static_cast<const trellis_transport_v1 *>(extension(TRELLIS_EXT_TRANSPORT));
  events = static_cast<const trellis_events_v1 *>(extension(TRELLIS_EXT_EVENTS));
  feeds = static_cast<const trellis_feeds_v1 *>(extension(TRELLIS_EXT_FEEDS));
  metrics = static_cast<const trellis_metrics_v1 *>(extension(TRELLIS_EXT_METRICS));
}

// Everything that the process is told before it loads the plugin.
Result<void> IsolatedPlugin::State::prepare() {
  const auto &wanted = options.settings;
  if (auto kept = check_not_exposed({options.state_dir, options.config_dir}, wanted); !kept) return kept;
  auto made = plugin_folder(options.state_dir, options.name, wanted.user, options.uid_base);
  if (!made) return tl::make_unexpected(made.error());
  folder = std::move(*made);
  if (!folder.reachable)
    log(TRELLIS_LOG_WARN, "the plugin's user can't reach its data folder",
        JsonObjectText().text("folder", folder.path.string()).str());

  SecretParts config;
  host->config(host->self, config.sink());
  settings.config_json = config.take();
  host->identity(host->self, string_sink(settings.identity_json = ""));
  if (settings.identity_json.ends_with('}')) {
    settings.identity_json.back() = ',';
    settings.identity_json += JsonObjectText().text("dataDir", folder.path.string()).str().substr(1);
  }
  settings.workers = options.max_concurrency;
  settings.sandbox = {folder.user, folder.user,    wanted.open_files_max, wanted.threads_max,
                      0,           wanted.network, folder.path.string(),  wanted.read_paths};
  auto group_found = divisible_group();
  if (group_found) {
    parent_group = std::move(*group_found);
    return {};
  }
  if (wanted.memory_max_mb > 0)
    settings.sandbox.data_bytes = (wanted.memory_max_mb + kSpareMb + kStackMb * (options.max_concurrency + 2)) << 20;
  if (const auto lost = without_groups(wanted).unlimited; !lost.empty())
    log(TRELLIS_LOG_WARN, "isolation is incomplete: " + lost,
        JsonObjectText().text("why", group_found.error().text()).str());
  return {};
}

Result<void> IsolatedPlugin::State::begin() {
  PluginProcess::Options wanted;
  wanted.plugin = options.name;
  wanted.artifact = options.artifact->memfd();
  wanted.hang_timeout = options.settings.hang_timeout;
  wanted.busy_timeout = options.deadline + options.settings.hang_timeout;
  wanted.unread_max = options.settings.unread_max_mb << 20;
  process = std::make_unique<PluginProcess>(
      std::move(wanted),
      PluginProcess::Events{[this](pid_t pid) { return spawned(pid); },
                            [this](ReceivedFrame frame) { received(std::move(frame)); },
                            [this](std::string_view line) { log_of_plugin(TRELLIS_LOG_INFO, line, {}); },
                            [this](const PluginProcess::End &end) { return ended(end); }});
  return process->begin();
}

Result<void> IsolatedPlugin::State::wait_created() {
  std::unique_lock lock(mutex);
  changed.wait(lock, [this] { return phase != Phase::creating; });
  if (phase == Phase::created) return {};
  return tl::make_unexpected(problem);
}

// --------------------------------------------------------------------------------------------------------------- log

void IsolatedPlugin::State::log(std::int32_t level, std::string_view message, std::string_view fields) const {
  host->log(host->self, level, str(message), str(fields));
}

// [supervising thread] Lines of the process: kept for a report, and bounded, because nobody vouches for it.
void IsolatedPlugin::State::log_of_plugin(std::int32_t level, std::string_view message, std::string_view fields) {
  remember(message);
  const auto now = Clock::now();
  if (now - log_window >= kLogWindow) {
    if (unlogged > 0)
      log(TRELLIS_LOG_WARN, "lines of the plugin were left out of the log",
          JsonObjectText().number("lines", static_cast<std::int64_t>(unlogged)).str());
    log_window = now;
    logged = unlogged = 0;
  }
  if (++logged > options.settings.log_lines_max) {
    ++unlogged;
    return;
  }
  log(level, message, fields);
}

void IsolatedPlugin::State::remember(std::string_view line) {
  const std::lock_guard lock(mutex);
  last_lines.emplace_back(utf8_text(line.substr(0, 512)));
  if (last_lines.size() > kLinesKept) last_lines.pop_front();
}

// -------------------------------------------------------------------------------------------------- [supervising
// thread]

Result<void> IsolatedPlugin::State::spawned(pid_t pid) {
  if (!parent_group.empty()) {
    const auto &wanted = options.settings;
    auto entered = enter_group(parent_group, options.name, pid,
                               {wanted.memory_max_mb, wanted.cpu_max_percent, wanted.threads_max});
    if (!entered) return tl::make_unexpected(entered.error());
    group = std::move(*entered);
  }
  {
    const std::lock_guard lock(mutex);
    if (phase == Phase::ended) return trellis::fail("process_ended", options.name, "it isn't wanted any more");
    status.pid = pid;
  }
  process->send_secret(settings.frame(kCreateId), process->session());
  process->end_at(Clock::now() + options.settings.start_timeout, "it didn't come back from create in time");
  return {};
}

void IsolatedPlugin::State::received(ReceivedFrame frame) {
  if (frame.frame.kind == FrameKind::created) return created(std::move(frame));
  if (frame.frame.kind == FrameKind::answer) return answered(std::move(frame));
  serve(std::move(frame));
}

void IsolatedPlugin::State::answered(ReceivedFrame frame) {
  const auto id = frame.frame.id;
  if (id == kStartId) return started(frame.frame);
  if (id == kCreateId) { // only failures come this way
    if (!is_being_made()) return;
    process->no_end();
    const auto error = error_at(frame.frame, 1);
    const auto code = frame.frame.number(1) != 0 ? std::string(view(error.type)) : "create_failed";
    return create_failed({code, options.name, std::string(view(error.message)), {}, {}});
  }
  const std::lock_guard lock(mutex);
  const auto found = waiters.find(id);
  if (found == waiters.end()) return;
  found->second->answer = std::move(frame);
  found->second->done = true;
  waiters.erase(found);
  changed.notify_all();
}

// Whether the process was asked to make an instance. What it says unasked must not take back another deadline.
bool IsolatedPlugin::State::is_being_made() const {
  const std::lock_guard lock(mutex);
  return phase == Phase::creating || phase == Phase::restarting;
}

void IsolatedPlugin::State::created(ReceivedFrame frame) {
  if (!is_being_made()) return;
  process->no_end();
  std::unique_lock lock(mutex);
  if (phase == Phase::creating) {
    const auto filled = table.fill(std::move(frame), this);
    if (!filled) {
      lock.unlock();
      return create_failed(filled.error());
    }
    phase = Phase::created;
    changed.notify_all();
    return;
  }
  if (phase != Phase::restarting) return;
  if (frame.frame.numbers != table.told.frame.numbers || frame.frame.texts != table.told.frame.texts) {
    lock.unlock();
    return create_failed({"create_failed", options.name, "after a crash its table of handlers is another one", {}, {}});
  }
  lock.unlock();
  process->send({FrameKind::start, kStartId, {}, {}}, process->session());
  process->end_at(Clock::now() + options.settings.start_timeout, "it didn't come back from start in time");
}

// The first time there is nothing to go back to; after a crash it is one more.
void IsolatedPlugin::State::create_failed(const Error &why) {
  bool first = false;
  {
    const std::lock_guard lock(mutex);
    first = phase == Phase::creating;
  }
  if (first) return give_up(why);
  if (why.code == "threads") lacking = why;
  process->end_at(Clock::now(), why.code + ": " + why.message);
}

// Of a process that replaces one that crashed.
void IsolatedPlugin::State::started(const Frame &answer) {
  {
    const std::lock_guard lock(mutex);
    if (phase != Phase::restarting) return;
  }
  process->no_end();
  KeptError words;
  if (deliver_answer(answer, {}, words.sink()) != TRELLIS_OK)
    return process->end_at(Clock::now(), "its start failed: " + words.text("without a reason"));
  lacked = 0;
  std::deque<Held> arrived;
  {
    const std::lock_guard lock(mutex);
    if (phase != Phase::restarting) return;
    phase = Phase::running;
    arrived.swap(held);
    changed.notify_all();
  }
  log(TRELLIS_LOG_INFO, "the plugin's process runs again");
  for (auto &request : arrived) {
    if (host->call_state(host->self, request.call) != TRELLIS_OK) {
      host->release(host->self, request.call); // its caller was told that it took too long
      continue;
    }
    {
      const std::lock_guard lock(mutex);
      calls.insert(request.call);
    }
    process->send_encoded(request.frame, process->session());
  }
}

std::optional<milliseconds> IsolatedPlugin::State::ended(const PluginProcess::End &end) {
  std::unique_lock lock(mutex);
  status.pid = -1;
  const bool wanted = phase == Phase::stopping || phase == Phase::ended;
  if (wanted || phase == Phase::creating || phase == Phase::created) {
    const bool by_itself = end.status.code == CLD_EXITED && end.status.status == 0;
    const bool surprising = phase != Phase::ended && !by_itself && end.reason.empty();
    const bool first = phase == Phase::creating || phase == Phase::created;
    lock.unlock();
    if (!end.unspawned && (surprising || (first && phase != Phase::ended))) report(end, end.text);
    give_up(end.unspawned.value_or(Error{"process_ended", options.name, end.text, {}, {}}));
    leave_group();
    return std::nullopt;
  }
  if (const auto why = end.unspawned ? end.unspawned : std::exchange(lacking, std::nullopt)) return lacks(*why, lock);
  return crashed(end, lock);
}

// The pause before the first, second, ... attempt to have a process again.
milliseconds IsolatedPlugin::State::pause_before(std::size_t attempt) const {
  auto pause = options.settings.restart_backoff;
  for (std::size_t i = 1; i < attempt && pause < options.settings.restart_backoff_max; ++i)
    pause *= 2;
  return std::min(pause, options.settings.restart_backoff_max);
}

// After a crash the system had no process or thread to give, which is no fault of the plugin: no reason for quarantine.
milliseconds IsolatedPlugin::State::lacks(const Error &why, std::unique_lock<std::mutex> &lock) {
  const auto pause = pause_before(++lacked);
  restart_at = Clock::now() + pause;
  lock.unlock();
  leave_group();
  log(TRELLIS_LOG_WARN, "the plugin's process can't be started; it is tried again",
      JsonObjectText().text("why", why.text()).number("after_ms", pause.count()).str());
  return pause;
}

std::optional<milliseconds> IsolatedPlugin::State::crashed(const PluginProcess::End &end,
                                                           std::unique_lock<std::mutex> &lock) {
  const auto &wanted = options.settings;
  const auto now = Clock::now();
  phase = Phase::restarting;
  ++status.restarts;
  crashes.push_back(now);
  while (!crashes.empty() && now - crashes.front() > wanted.crash_loop_window)
    crashes.pop_front();
  const auto recent = crashes.size();
  const auto pause = pause_before(recent);
  restart_at = now + pause;
  lock.unlock();

  auto cause = end.text;
  if (!group.empty() && times_out_of_memory(group) > 0)
    cause += "; out of memory (memory_max_mb = " + std::to_string(wanted.memory_max_mb) + ")";
  leave_group();
  const auto file = report(end, cause);
  fail_in_flight(cause);
  if (recent >= wanted.crash_loop_limit) {
    const auto why = std::to_string(recent) + " crashes within " + std::to_string(wanted.crash_loop_window.count()) +
                     " s, the last one: " + cause;
    give_up({"quarantined", options.name, why, {}, {}});
    if (options.on_quarantined) options.on_quarantined(why + (file.empty() ? "" : " (" + file + ")"));
    return std::nullopt;
  }
  return pause;
}

// Of a process that has ended; the next one has a group of its own.
void IsolatedPlugin::State::leave_group() {
  if (!group.empty()) remove_group(group);
  group.clear();
}

// The report's path, "" when it can't be written. Says in the log what happened.
std::string IsolatedPlugin::State::report(const PluginProcess::End &end, const std::string &cause) {
  CrashReport facts{options.name,
                    table.program,
                    table.version,
                    options.artifact->sha256_hex(),
                    options.artifact->manifest().id() + " " + options.artifact->manifest().digest(),
                    unix_ms_now(),
                    cause,
                    end.facts,
                    {}};
  {
    const std::lock_guard lock(mutex);
    facts.last_lines = last_lines;
    last_lines.clear();
  }
  const auto file = write_report(options.state_dir / "crashes", facts);
  auto path = file ? file->string() : std::string();
  {
    const std::lock_guard lock(mutex);
    status.last_crash = iso_time(facts.unix_ms) + " " + cause + (path.empty() ? "" : ", " + path);
  }
  log(TRELLIS_LOG_ERROR, "the plugin's process ended",
      JsonObjectText().text("cause", cause).text("report", file ? path : "none: " + file.error().text()).str());
  return path;
}

// Nothing runs and nothing will.
void IsolatedPlugin::State::give_up(const Error &why) {
  {
    const std::lock_guard lock(mutex);
    if (phase != Phase::ended) problem = why;
    phase = Phase::ended;
    changed.notify_all();
  }
  fail_in_flight(why.message);
  fail_held(why.message);
  process->end_at(Clock::now(), why.message);
}

void IsolatedPlugin::State::fail_in_flight(const std::string &why) {
  std::set<std::uint64_t> lost;
  std::map<std::uint64_t, std::string> cut;
  std::map<std::uint64_t, Waiter *> asked;
  const KeptError error{true, "UnexpectedError", "the plugin's process ended: " + why, {}, {}};
  {
    const std::lock_guard lock(mutex);
    lost.swap(calls);
    cut.swap(streams);
    asked.swap(waiters);
    for (const auto &[id, waiter] : asked) {
      const auto bytes = encode_frame(answer_frame(id, TRELLIS_E_FAILED, {}, &error));
      waiter->answer.bytes.assign(bytes.begin() + kFrameHead, bytes.end());
      waiter->answer.frame = decode_frame(waiter->answer.bytes).value_or(Frame{});
      waiter->done = true;
    }
    changed.notify_all();
  }
  for (const auto call : lost)
    fail_call(call, why);
  const trellis_error ended{sizeof(trellis_error), 0, str("UnexpectedError"), str(error.message), {}, {}};
  for (const auto &[stream, surface] : cut)
    if (feeds) feeds->fail(host->self, stream, &ended);
}

void IsolatedPlugin::State::fail_held(const std::string &why) {
  std::deque<Held> lost;
  {
    const std::lock_guard lock(mutex);
    lost.swap(held);
  }
  for (const auto &request : lost)
    fail_call(request.call, why);
}

// ------------------------------------------------------------------------------------------------------------ outside

Result<std::unique_ptr<IsolatedPlugin>> IsolatedPlugin::create(Options options, const trellis_host *host) {
  auto state = std::make_shared<State>(std::move(options), host);
  std::unique_ptr<IsolatedPlugin> plugin(new IsolatedPlugin(state));
  if (auto ready = state->prepare(); !ready) return tl::make_unexpected(ready.error());
  if (auto begun = state->begin(); !begun) return tl::make_unexpected(begun.error());
  if (auto made = state->wait_created(); !made) return tl::make_unexpected(made.error());
  return plugin;
}

IsolatedPlugin::~IsolatedPlugin() {
  if (!state_->process) return;
  end();
  state_->waiting.reset();
}

void IsolatedPlugin::end() {
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->phase != State::Phase::ended) state_->phase = State::Phase::stopping;
  }
  state_->process->finish();
}

const trellis_plugin *IsolatedPlugin::table() const {
  return &state_->table.plugin;
}
const std::string &IsolatedPlugin::program() const {
  return state_->table.program;
}
const std::string &IsolatedPlugin::version() const {
  return state_->table.version;
}

IsolatedPlugin::Status IsolatedPlugin::status() const {
  const std::lock_guard lock(state_->mutex);
  auto status = state_->status;
  status.ended = state_->phase == State::Phase::ended;
  return status;
}

bool isolation_guards_files() {
  return landlock_version() > 0 || ::geteuid() == 0;
}

Result<void> check_not_exposed(const std::vector<std::filesystem::path> &folders, const IsolationSettings &settings) {
  if (::geteuid() == 0) return {}; // the plugin's user is another one
  for (const auto &folder : folders)
    if (const auto above = readable_path_above(folder, settings.read_paths); !above.empty())
      return trellis::fail("isolation_exposed", folder.string(),
                           "isolated plugins may read what lies below " + above + ", and have this host's user",
                           "the host's folders elsewhere, or a host that runs as root");
  return {};
}

std::vector<std::string> isolation_gaps(const IsolationSettings &settings) {
  std::vector<std::string> gaps;
  if (landlock_version() == 0) gaps.emplace_back("no Landlock: files are kept from it by owner and mode only");
  const auto why = why_not_divisible();
  if (why.empty()) return gaps;
  const auto lost = without_groups(settings);
  for (const auto &part : {lost.unlimited, lost.weaker})
    if (!part.empty()) gaps.push_back(part);
  if (!lost.unlimited.empty() || !lost.weaker.empty()) gaps.back() += ": " + why;
  return gaps;
}

} // namespace trellis::isolation
