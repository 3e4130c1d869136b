/* What 1.1 brought: events, feeds, metrics and health; every size and argument as for calls. */
#include "probe.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const trellis_error_sink kNoWords = {NULL, NULL};
static const trellis_sink kNowhere = {NULL, NULL};

static const void *look_up(const probe *self, const char *id) {
  return self->host->get_extension(self->host->self, probe_text(id));
}

/* ------------------------------------------------------------------------------------------------------------ events
 */

static trellis_event happened(void) {
  trellis_event event = {.size = sizeof event, .timeout_ms = 500};
  event.contract_id = probe_text("test.probe@v1");
  event.name = probe_text("Probe.Happened");
  event.payload = probe_text("{\"what\":\"a probe\"}");
  return event;
}

static void probe_event_sizes(probe *self, probe_report *report, const trellis_events_v1 *events) {
  struct {
    trellis_event event;
    char from_the_future[64];
  } large = {.event = happened()};
  memset(large.from_the_future, 0xA5, sizeof large.from_the_future);
  for (uint32_t size = 0; size <= sizeof large; ++size) {
    large.event.size = size;
    const trellis_event *event = probe_guarded(&large, size < sizeof size ? sizeof size : size);
    probe_buffer out, words;
    const trellis_status status = events->prepare(self->host->self, event, probe_sink(&out), probe_error_sink(&words));
    const bool enough = size >= offsetof(trellis_event, payload) + sizeof large.event.payload;
    probe_expect(report, status == (enough ? TRELLIS_OK : TRELLIS_E_INVALID), "event by size", (int)size, status);
    probe_expect(report, probe_holds(&out, "encodedPayload") == enough, "prepared by size", (int)size, 0);
    probe_expect(report, (words.times == 0) == enough, "error by size", (int)size, (long long)words.times);
  }
}

static void never_published(void *context, trellis_status status, const trellis_error *error) {
  (void)status, (void)error;
  ++*(int *)context;
}

static void refused(probe *self, probe_report *report, const trellis_event *event, trellis_status status, int line) {
  static int calls; /* must stay 0 */
  const trellis_events_v1 *events = look_up(self, TRELLIS_EXT_EVENTS);
  void *host = self->host->self;
  probe_buffer out, words;
  const trellis_status got = events->prepare(host, event, probe_sink(&out), probe_error_sink(&words));
  probe_expect(report, got == status && out.times == 0 && words.times == 1, "refused by prepare", line, got);
  probe_expect(report, events->prepare(host, event, kNowhere, kNoWords) == status, "without sinks", line, 0);
  probe_expect(report, events->publish(host, event, kNowhere, kNoWords) == status, "refused by publish", line, 0);
  const trellis_status async = events->publish_async(host, event, never_published, &calls, kNoWords);
  probe_expect(report, async == status && calls == 0, "refused by publish_async", line, async);
}

#define REFUSED(status, ...)                                                                                           \
  do {                                                                                                                 \
    trellis_event event = happened();                                                                                  \
    __VA_ARGS__;                                                                                                       \
    refused(self, report, &event, status, __LINE__);                                                                   \
  } while (0)

void probe_events(probe *self, probe_report *report, const trellis_request *request) {
  (void)request;
  const trellis_events_v1 *events = look_up(self, TRELLIS_EXT_EVENTS);
  void *host = self->host->self;
  EXPECT(events && events->size >= sizeof *events && events == look_up(self, TRELLIS_EXT_EVENTS));
  if (!events) return;
  probe_event_sizes(self, report, events);
  const trellis_str nothing = {NULL, 0}, lying = {NULL, 7}, huge = {NULL, SIZE_MAX};
  refused(self, report, NULL, TRELLIS_E_INVALID, __LINE__);
  REFUSED(TRELLIS_E_INVALID, event.contract_id = lying);
  REFUSED(TRELLIS_E_INVALID, event.name = huge);
  REFUSED(TRELLIS_E_INVALID, event.payload = lying);
  REFUSED(TRELLIS_E_INVALID, event.payload = nothing);
  REFUSED(TRELLIS_E_INVALID, event.payload = probe_text("{"));
  REFUSED(TRELLIS_E_INVALID, event.payload = probe_text("[]"));
  REFUSED(TRELLIS_E_INVALID, event.payload = probe_text("{\"what\":5}"));
  REFUSED(TRELLIS_E_INVALID, event.payload = probe_text("{\"what\":\"\xFF\"}"));
  REFUSED(TRELLIS_E_DENIED, event.name = probe_text("Probe.Other"));
  REFUSED(TRELLIS_E_DENIED, event.contract_id = probe_text("acme.echo@v1"));
  REFUSED(TRELLIS_E_DENIED, event.contract_id = nothing);
  const trellis_event event = happened();
  EXPECT_STATUS(events->publish_async(host, &event, NULL, NULL, kNoWords), TRELLIS_E_INVALID);
  const char *bad[] = {"", "{", "[]", "{}", "5", "{\"event\":1,\"subject\":2}", "\xFF"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i)
    EXPECT_STATUS(events->publish_prepared(host, probe_text(bad[i]), 100, kNowhere, kNoWords), TRELLIS_E_INVALID);
  EXPECT_STATUS(events->publish_prepared(host, lying, 100, kNowhere, kNoWords), TRELLIS_E_INVALID);
  EXPECT_STATUS(events->publish_prepared(host, huge, 100, kNowhere, kNoWords), TRELLIS_E_INVALID);
}

/* What a listener found out about the last event, for the group that published it. */
static struct {
  pthread_mutex_t mutex; /* guards the others */
  pthread_cond_t changed;
  probe_report report;
  bool arrived;
} heard = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

trellis_status probe_listen(void *context, const trellis_event_delivery *given, trellis_error_sink error) {
  (void)context, (void)error;
  static probe_report made; /* one event at a time */
  probe_report *report = &made;
  trellis_event_delivery event = {0};
  memcpy(&event, given, given->size < sizeof event ? given->size : sizeof event);
  EXPECT(given->size >= sizeof event);
  EXPECT(event.delivery == 0 && event.sequence == 0 && event.group.size == 0); /* a live listener */
  EXPECT(event.contract_id.size == 13 && memcmp(event.contract_id.data, "test.probe@v1", 13) == 0);
  EXPECT(event.name.size == 14 && memcmp(event.name.data, "Probe.Happened", 14) == 0);
  EXPECT(event.payload.size > 2 && event.payload.data[0] == '{' &&
         memmem(event.payload.data, event.payload.size, "\"header\"", 8));
  EXPECT(event.subject.size == 24 && memcmp(event.subject.data, "events.v1.Probe.Happened", 24) == 0);
  EXPECT(event.id.size > 10);
  EXPECT(event.time_unix_ms > 1600000000000);
  pthread_mutex_lock(&heard.mutex);
  heard.report = *report;
  heard.arrived = true;
  pthread_cond_broadcast(&heard.changed);
  pthread_mutex_unlock(&heard.mutex);
  return TRELLIS_OK;
}

/* What another thread has found out. */
static void add_report(probe_report *report, const probe_report *found) {
  report->checks += found->checks;
  report->failures += found->failures;
  const int written = snprintf(report->failed + report->size, sizeof report->failed - report->size, "%s%.*s",
                               report->size && found->size ? "," : "", (int)found->size, found->failed);
  if (written > 0 && report->size + (size_t)written < sizeof report->failed) report->size += (size_t)written;
}

/* Without a stream here a publish has no acknowledgement, but live listeners hear it: the time passes, and where nobody
 * listens at all the server says so at once. */
void probe_delivery(probe *self, probe_report *report, const trellis_request *request) {
  (void)request;
  const trellis_events_v1 *events = look_up(self, TRELLIS_EXT_EVENTS);
  const trellis_event event = happened();
  probe_buffer out, words;
  EXPECT_STATUS(events->publish(self->host->self, &event, probe_sink(&out), probe_error_sink(&words)),
                TRELLIS_E_TIMEOUT);
  EXPECT(out.times == 0 && words.times == 1 && probe_holds(&words, "UnexpectedError"));
  trellis_event unheard = happened();
  unheard.name = probe_text("Probe.Unheard");
  unheard.timeout_ms = 60000; /* longer than this group may take */
  EXPECT_STATUS(events->publish(self->host->self, &unheard, probe_sink(&out), probe_error_sink(&words)),
                TRELLIS_E_UNAVAILABLE);
  EXPECT(out.times == 0 && words.times == 1 && probe_holds(&words, "UnexpectedError"));
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += 8;
  pthread_mutex_lock(&heard.mutex);
  while (!heard.arrived && pthread_cond_timedwait(&heard.changed, &heard.mutex, &until) == 0)
    ;
  const bool arrived = heard.arrived;
  if (arrived) add_report(report, &heard.report);
  pthread_mutex_unlock(&heard.mutex);
  EXPECT(arrived);
}

/* ------------------------------------------------------------------------------------------------------------- feeds
 */

/* With streams that nobody gave out. What happens to real ones is in tests/live/feeds_test.cpp. */
void probe_feeds(probe *self, probe_report *report, const trellis_request *request) {
  (void)request;
  const trellis_feeds_v1 *feeds = look_up(self, TRELLIS_EXT_FEEDS);
  EXPECT(feeds && feeds->size >= sizeof *feeds && feeds == look_up(self, TRELLIS_EXT_FEEDS));
  if (!feeds) return;
  void *host = self->host->self;
  const trellis_stream made_up[] = {0, 1, UINT64_MAX, 1ULL << 20, 1ULL << 40};
  for (size_t i = 0; i < sizeof made_up / sizeof *made_up; ++i) {
    EXPECT_STATUS(feeds->state(host, made_up[i]), TRELLIS_E_GONE);
    EXPECT_STATUS(feeds->emit(host, made_up[i], probe_text("{}"), kNoWords), TRELLIS_E_GONE);
    EXPECT_STATUS(feeds->fail(host, made_up[i], NULL), TRELLIS_E_GONE);
    EXPECT_STATUS(feeds->close(host, made_up[i]), TRELLIS_E_GONE);
  }
}

/* ----------------------------------------------------------------------------------------------------------- metrics
 */

static trellis_metric counter(const char *name) {
  trellis_metric metric = {.size = sizeof metric, .kind = TRELLIS_METRIC_COUNTER};
  metric.name = probe_text(name);
  return metric;
}

void probe_metrics(probe *self, probe_report *report, const trellis_request *request) {
  (void)request;
  const trellis_metrics_v1 *metrics = look_up(self, TRELLIS_EXT_METRICS);
  EXPECT(metrics && metrics->size >= sizeof *metrics && metrics == look_up(self, TRELLIS_EXT_METRICS));
  if (!metrics) return;
  void *host = self->host->self;
  struct {
    trellis_metric metric;
    char from_the_future[64];
  } large = {.metric = counter("probe.sized")};
  memset(large.from_the_future, 0xA5, sizeof large.from_the_future);
  for (uint32_t size = 0; size <= sizeof large; ++size) {
    large.metric.size = size;
    const trellis_metric *metric = probe_guarded(&large, size < sizeof size ? sizeof size : size);
    const trellis_status status = metrics->record(host, metric, 1, NULL, 0);
    const bool enough = size >= offsetof(trellis_metric, name) + sizeof large.metric.name;
    probe_expect(report, status == (enough ? TRELLIS_OK : TRELLIS_E_INVALID), "metric by size", (int)size, status);
  }
  const trellis_metric good = counter("probe.counted");
  EXPECT_STATUS(metrics->record(host, NULL, 1, NULL, 0), TRELLIS_E_INVALID);
  EXPECT_STATUS(metrics->record(host, &good, 1, NULL, 1), TRELLIS_E_INVALID);
  EXPECT_STATUS(metrics->record(host, &good, 1, NULL, SIZE_MAX), TRELLIS_E_INVALID);
  EXPECT_STATUS(metrics->record(host, &good, -1, NULL, 0), TRELLIS_E_INVALID);
  EXPECT_STATUS(metrics->record(host, &good, NAN, NULL, 0), TRELLIS_E_INVALID);
  EXPECT_STATUS(metrics->record(host, &good, INFINITY, NULL, 0), TRELLIS_E_INVALID);
  const trellis_header attribute = {TEXT("outcome"), TEXT("ok")};
  const trellis_header *guarded = probe_guarded(&attribute, sizeof attribute);
  EXPECT_STATUS(metrics->record(host, &good, 1, guarded, 1), TRELLIS_OK);
  EXPECT_STATUS(metrics->record(host, &good, 1, guarded, SIZE_MAX), TRELLIS_E_INVALID);
  const char *bad[] = {
      "", "with blanks", "n\xC3\xA4me", "a\nb",
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
    const trellis_metric metric = counter(bad[i]);
    EXPECT_STATUS(metrics->record(host, &metric, 1, NULL, 0), TRELLIS_E_INVALID);
  }
  trellis_metric other_kind = good;
  other_kind.kind = TRELLIS_METRIC_GAUGE;
  EXPECT_STATUS(metrics->record(host, &other_kind, 1, NULL, 0), TRELLIS_E_INVALID);
  other_kind.kind = 77;
  EXPECT_STATUS(metrics->record(host, &other_kind, 1, NULL, 0), TRELLIS_E_INVALID);
}

/* ------------------------------------------------------------------------------------------------------------ health
 */

static trellis_status check_health(void *self, trellis_sink details, trellis_error_sink error) {
  (void)self, (void)error;
  details.write(details.context, probe_text("{\"summary\":\"nothing"));
  details.write(details.context, probe_text(" behind me\"}"));
  return TRELLIS_OK;
}

/* As a plugin that knows no more than this of trellis.health/1: structs that end where a page does. */
const void *probe_health(void) {
  const trellis_health_check check = {.size = sizeof check, .name = {"guarded", 7}, .check = check_health};
  const trellis_health_check *checks[1] = {probe_guarded(&check, sizeof check)};
  trellis_health_v1 health = {.size = offsetof(trellis_health_v1, info), .check_count = 1};
  health.checks = probe_guarded(checks, sizeof checks);
  return probe_guarded(&health, health.size);
}
