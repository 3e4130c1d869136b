#include "isolation/child.h"

#include "abi/health_table.h"
#include "abi/host_only.h"
#include "isolation/abi_frames.h"
#include "isolation/asked.h"
#include "isolation/child_host.h"
#include "isolation/child_process.h"
#include "isolation/crash_area.h"
#include "isolation/create_settings.h"
#include "isolation/sandbox.h"
#include "isolation/task_threads.h"
#include <atomic>
#include <chrono>
#include <dlfcn.h>
#include <fstream>
#include <map>
#include <memory>
#include <sys/prctl.h>
#include <unistd.h>

namespace trellis::isolation {
namespace {

constexpr std::uint32_t kMaxHandlers = (kMaxFrameNumbers - 4) / 2; // two numbers each in a description
constexpr char kCodePath[] = "/proc/self/fd/4"; // kChildArtifact; stays open as long as its code is mapped

std::int64_t unix_ms_now() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

// A frame and the ABI struct that points into it.
template <class Struct>
struct Held {
  ReceivedFrame received;
  Struct value{};
};

// The process. Made by the main thread; the plugin's struct is set by the lifecycle thread before the host hears of it,
// and only then do frames arrive that need it.
class Child {
public:
  Child(std::string plugin, HostLink &link, CreateSettings &settings, const EntryCheck &check)
      : plugin_name_(std::move(plugin)), check_(check), link_(link), callbacks_(1, use_signal_stack),
        lifecycle_(1, use_signal_stack), workers_(settings.workers, use_signal_stack),
        host_(link, callbacks_, std::move(settings.config_json), settings.identity_json) {}

  // False when the system has no thread for each of what follows; asked for before the plugin can take them all.
  bool begin(std::uint64_t id) {
    if (!callbacks_.begin() || !lifecycle_.begin() || !workers_.begin()) return false;
    lifecycle_.post([this, id] { create(id); });
    return true;
  }

  // [main thread]
  void handle(ReceivedFrame received) {
    const auto id = received.frame.id;
    if (received.frame.kind != FrameKind::ping && !described_.load(std::memory_order_acquire)) return;
    switch (received.frame.kind) {
    case FrameKind::ping: return pong(id);
    case FrameKind::start: return lifecycle_.post([this, id] { start(id); });
    case FrameKind::stop:
      return lifecycle_.post(
          [this, id, until = received.frame.number(0)] { stop(id, static_cast<std::int64_t>(until)); });
    case FrameKind::destroy: return lifecycle_.post([this, id] { destroy(id); });
    case FrameKind::rpc: return take_rpc(std::move(received));
    case FrameKind::feed: return take_feed(std::move(received));
    case FrameKind::event: return on_worker(std::move(received), [this](const Frame &frame) { deliver_event(frame); });
    case FrameKind::feed_cancel:
      return on_worker(std::move(received), [this](const Frame &frame) { cancel_feed(frame); });
    case FrameKind::health_check:
      return on_worker(std::move(received), [this](const Frame &frame) { check_health(frame); });
    case FrameKind::health_info:
      return on_worker(std::move(received), [this](const Frame &frame) { health_info(frame); });
    default: return;
    }
  }

private:
  template <class Run>
  void on_worker(ReceivedFrame received, Run run) {
    workers_.post([run, kept = std::make_shared<ReceivedFrame>(std::move(received))] { run(kept->frame); });
  }

  void pong(std::uint64_t id) {
    const auto counts = workers_.counts();
    link_.send({FrameKind::pong,
                id,
                {counts.idle, counts.waiting, static_cast<std::uint64_t>(counts.since_progress.count())},
                {}});
  }

  // ------------------------------------------------------------------------------------------------- lifecycle

  Result<const trellis_plugin_entry *> load() {
    void *library = ::dlopen(kCodePath, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!library) {
      const char *why = ::dlerror();
      return trellis::fail("load_failed", plugin_name_, why ? why : "the loader gives no reason");
    }
    note_modules(kCodePath, plugin_name_ + ".so");
    const auto *entry = static_cast<const trellis_plugin_entry *>(::dlsym(library, "trellis_plugin_entry_v1"));
    if (!entry) return trellis::fail("load_failed", plugin_name_, "no symbol trellis_plugin_entry_v1");
    if (auto good = check_(*entry, plugin_name_); !good) return tl::make_unexpected(good.error());
    return entry;
  }

  void create(std::uint64_t id) {
    Asked asked(link_, id);
    if (const auto made = make_instance(); !made) return asked.refuse(made.error());
    described_.store(true, std::memory_order_release);
    if (!asked.answer(description(id)))
      asked.refuse({"create_failed", plugin_name_, "its table of handlers is too large", {}, {}});
  }

  Result<void> make_instance() {
    const auto entry = load();
    if (!entry) return tl::make_unexpected(entry.error());
    entry_ = *entry;
    KeptError words;
    const auto status = entry_->create(host_.table(), &plugin_, words.sink());
    if (status != TRELLIS_OK || !plugin_)
      return trellis::fail("create_failed", plugin_name_,
                           words.text("create failed with status " + std::to_string(status)));
    if (!TRELLIS_HAS(trellis_plugin, plugin_, handlers))
      return trellis::fail("create_failed", plugin_name_, "the plugin struct is smaller than its first version");
    if (handler_count() > kMaxHandlers)
      return trellis::fail("create_failed", plugin_name_, std::to_string(handler_count()) + " handlers",
                           std::to_string(kMaxHandlers) + " at most, or isolation = \"none\"");
    auto health = read_health_table(*plugin_, plugin_name_);
    if (!health) return tl::make_unexpected(health.error());
    health_ = std::move(*health);
    for (std::uint32_t i = 0; i < handler_count(); ++i)
      if (const auto *handler = plugin_->handlers[i]; handler && TRELLIS_HAS(trellis_handler, handler, name))
        by_name_.emplace(std::pair(handler->kind, view(handler->name)), handler);
    return {};
  }

  std::uint32_t handler_count() const { return plugin_->handlers ? plugin_->handler_count : 0; }

  // Bits of what a handler has.
  static std::uint64_t functions_of(const trellis_handler *handler) {
    if (!handler) return kNullHandler;
    std::uint64_t bits = 0;
    if (TRELLIS_HAS(trellis_handler, handler, rpc) && handler->rpc) bits |= kHasRpc;
    if (TRELLIS_HAS(trellis_handler, handler, event) && handler->event) bits |= kHasEvent;
    if (TRELLIS_HAS(trellis_handler, handler, feed) && handler->feed) bits |= kHasFeed;
    if (TRELLIS_HAS(trellis_handler, handler, feed_cancel) && handler->feed_cancel) bits |= kHasFeedCancel;
    return bits;
  }

  Frame description(std::uint64_t id) const {
    const std::uint64_t has_info = health_.info ? 1 : 0;
    Frame frame{FrameKind::created, id, {handler_count(), health_.checks.size(), has_info, offers()}, {}};
    frame.texts = {view(entry_->name), view(entry_->version)};
    for (std::uint32_t i = 0; i < handler_count(); ++i) {
      const auto *handler = plugin_->handlers[i];
      const bool known = handler && TRELLIS_HAS(trellis_handler, handler, name);
      frame.numbers.push_back(known ? handler->kind : 0);
      frame.numbers.push_back(functions_of(handler));
      const auto text = [&](bool has, auto member) { return has ? view(handler->*member) : std::string_view{}; };
      frame.texts.push_back(text(known, &trellis_handler::contract_id));
      frame.texts.push_back(text(known, &trellis_handler::name));
      frame.texts.push_back(text(known && TRELLIS_HAS(trellis_handler, handler, group), &trellis_handler::group));
      frame.texts.push_back(
          text(known && TRELLIS_HAS(trellis_handler, handler, subject_data), &trellis_handler::subject_data));
    }
    for (const auto &check : health_.checks)
      frame.texts.push_back(check.name);
    return frame;
  }

  // Whether it offers what only a control plane may, which never runs here; the host refuses it by this.
  std::uint64_t offers() const { return host_only_offered(*plugin_).empty() ? 0 : 1; }

  void start(std::uint64_t id) {
    Asked asked(link_, id);
    KeptError words;
    const bool has = TRELLIS_HAS(trellis_plugin, plugin_, start) && plugin_->start;
    const auto status = has ? plugin_->start(plugin_->self, words.sink()) : TRELLIS_OK;
    note_modules(kCodePath, plugin_name_ + ".so"); // it may have loaded some
    asked.answer(status, {}, &words);
  }

  void stop(std::uint64_t id, std::int64_t until) {
    Asked asked(link_, id);
    KeptError words;
    const bool has = TRELLIS_HAS(trellis_plugin, plugin_, stop) && plugin_->stop;
    asked.answer(has ? plugin_->stop(plugin_->self, until, words.sink()) : TRELLIS_OK, {}, &words);
  }

  void destroy(std::uint64_t id) {
    struct End { // also when the plugin's function ends its thread
      HostLink &link;
      const std::uint64_t id;
      ~End() {
        Asked(link, id).answer(TRELLIS_OK);
        ::_exit(0); // the answer is in the socket; destructors would wait for handlers that hang
      }
    } const end{link_, id};
    host_.finish_callbacks();
    if (plugin_ && TRELLIS_HAS(trellis_plugin, plugin_, destroy) && plugin_->destroy) plugin_->destroy(plugin_->self);
  }

  // -------------------------------------------------------------------------------------------------- surfaces

  const trellis_handler *find(std::uint32_t kind, std::string_view name) const {
    const auto found = by_name_.find(std::pair(kind, name));
    return found == by_name_.end() ? nullptr : found->second;
  }

  void take_rpc(ReceivedFrame received) {
    auto held = std::make_shared<Held<trellis_request>>();
    held->received = std::move(received);
    const auto &frame = held->received.frame;
    const auto *handler = find(TRELLIS_SURFACE_RPC, frame.text(0));
    const trellis_call call = frame.id;
    if (!handler || !handler->rpc) return workers_.post([this, call] { host_.release(call); });
    held->value = {sizeof(trellis_request),
                   0,
                   call,
                   str(frame.text(0)),
                   str(frame.text(1)),
                   str(frame.text(2)),
                   str(frame.text(3)),
                   str(frame.text(4)),
                   str(frame.text(5)),
                   str(frame.text(6)),
                   static_cast<std::int64_t>(frame.number(0))};
    host_.hold_call(call, held);
    workers_.post([this, handler, request = &held->value] {
      // Its deadline passed in the queue: the caller was answered.
      if (request->deadline_unix_ms <= unix_ms_now()) {
        host_.release(request->call);
        return;
      }
      handler->rpc(plugin_->self, request);
    });
  }

  void take_feed(ReceivedFrame received) {
    auto held = std::make_shared<Held<trellis_feed_request>>();
    held->received = std::move(received);
    const auto &frame = held->received.frame;
    const auto *handler = find(TRELLIS_SURFACE_FEED, frame.text(0));
    if (!handler || !TRELLIS_HAS(trellis_handler, handler, feed) || !handler->feed) return;
    held->value = {sizeof(trellis_feed_request),
                   0,
                   frame.id,
                   str(frame.text(0)),
                   str(frame.text(1)),
                   str(frame.text(2)),
                   str(frame.text(3)),
                   str(frame.text(4)),
                   str(frame.text(5)),
                   str(frame.text(6))};
    host_.hold_stream(frame.id, held);
    workers_.post([this, handler, request = &held->value] { handler->feed(plugin_->self, request); });
  }

  void cancel_feed(const Frame &frame) {
    const auto *handler = find(TRELLIS_SURFACE_FEED, frame.text(0));
    if (handler && TRELLIS_HAS(trellis_handler, handler, feed_cancel) && handler->feed_cancel)
      handler->feed_cancel(plugin_->self, frame.id);
  }

  void deliver_event(const Frame &frame) {
    Asked asked(link_, frame.id);
    const auto index = frame.number(0);
    const auto *handler = index < handler_count() ? plugin_->handlers[index] : nullptr;
    if (!handler || !TRELLIS_HAS(trellis_handler, handler, event) || !handler->event)
      return asked.answer(TRELLIS_E_UNSUPPORTED);
    const trellis_event_delivery delivery{sizeof(trellis_event_delivery),
                                          static_cast<std::uint32_t>(frame.number(1)),
                                          str(frame.text(0)),
                                          str(frame.text(1)),
                                          str(frame.text(2)),
                                          str(frame.text(3)),
                                          str(frame.text(4)),
                                          static_cast<std::int64_t>(frame.number(2)),
                                          str(frame.text(5)),
                                          frame.number(3),
                                          str(frame.text(6)),
                                          str(frame.text(7))};
    KeptError words;
    const auto status = handler->event(plugin_->self, &delivery, words.sink());
    asked.answer(status, {}, &words);
  }

  void check_health(const Frame &frame) {
    Asked asked(link_, frame.id);
    const auto index = frame.number(0);
    if (index >= health_.checks.size()) return asked.answer(TRELLIS_E_UNSUPPORTED);
    KeptError words;
    std::string details;
    const auto status = health_.checks[index].run(plugin_->self, string_sink(details), words.sink());
    asked.answer(status, details, &words);
  }

  void health_info(const Frame &frame) {
    Asked asked(link_, frame.id);
    if (!health_.info) return asked.answer(TRELLIS_E_UNSUPPORTED);
    std::string info;
    const auto status = health_.info(plugin_->self, string_sink(info));
    asked.answer(status, info);
  }

  const std::string plugin_name_;
  const EntryCheck &check_;
  HostLink &link_;
  TaskThreads callbacks_, lifecycle_, workers_;
  ChildHost host_;
  std::atomic<bool> described_ = false; // publishes what follows, which create() sets
  const trellis_plugin_entry *entry_ = nullptr;
  const trellis_plugin *plugin_ = nullptr;
  HealthTable health_;
  std::map<std::pair<std::uint32_t, std::string_view>, const trellis_handler *> by_name_;
};

// When memory runs out, this goes before the host. What is not dumpable has a /proc that belongs to root, so this comes
// first; at that time the process knows nothing yet that could be read in it.
void offer_memory_first() {
  ::prctl(PR_SET_DUMPABLE, 1);
  std::ofstream("/proc/self/oom_score_adj") << 500;
  ::prctl(PR_SET_DUMPABLE, 0);
}

// Before there is an instance: `id` asked for one.
[[noreturn]] void give_up(HostLink &link, std::uint64_t id, const Error &problem) {
  Asked(link, id).refuse(problem);
  ::_exit(1);
}

} // namespace

std::pair<std::uint64_t, CreateSettings> receive_settings(HostLink &link) {
  auto first = link.receive_first();
  auto settings = CreateSettings::read(first.frame);
  wipe(first.bytes.data(), first.bytes.size());
  return {first.frame.id, std::move(settings)};
}

void run_child(const std::string &plugin, const EntryCheck &check_entry) {
  offer_memory_first();
  ::prctl(PR_SET_NAME, ("iso:" + plugin).c_str()); // the kernel cuts it at 15 bytes
  HostLink link(kChildSocket);
  auto [id, settings] = receive_settings(link);
  const bool reports = watch_for_crashes(kChildCrashArea);
  ::close(kChildCrashArea);
  const auto missing = enter_sandbox(settings.sandbox);
  if (!missing) give_up(link, id, missing.error());
  for (const auto &part : *missing)
    link.send({FrameKind::log, 0, {TRELLIS_LOG_WARN}, {"isolation is incomplete: " + part, {}}});
  if (!reports) link.send({FrameKind::log, 0, {TRELLIS_LOG_WARN}, {"crashes of this plugin leave no backtrace", {}}});
  note_modules(kCodePath, plugin + ".so");

  Child child(plugin, link, settings, check_entry);
  if (!child.begin(id))
    give_up(
        link, id,
        {"threads",
         plugin,
         "it can't start the three threads that it needs",
         "a higher threads_max (it is " + std::to_string(settings.sandbox.threads) + ") or fewer threads of its user",
         {}});
  for (;;)
    child.handle(link.receive());
}

} // namespace trellis::isolation
