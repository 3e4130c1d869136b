/* trellis/plugin.h: the C ABI between trellis-host and a service plugin. Version 1.1.
 *
 * This header is the specification; plugin-api/README.md gives the rules their reasons. It includes nothing of ours,
 * needs C11 (or any later C++), and works without its macros: a plugin in another language needs the struct layouts
 * below, one exported symbol and one ELF section.
 *
 * A plugin is one ELF shared object with
 *   - a section ".trellis.contract" that holds its contract, which the host reads without running any of its code;
 *   - one exported constant, trellis_plugin_entry_v1, of type trellis_plugin_entry. Nothing else is looked up;
 *   - if it wants its settings checked, a section ".trellis.config-schema" with a JSON Schema for them (since 1.1).
 *
 * Rules that hold everywhere
 *   Growth    Structs that can grow begin with `uint32_t size` = sizeof the struct as its maker knew it. Fields are
 *             only appended. A reader touches a field only if `size` covers it (TRELLIS_HAS). Frozen types have none.
 *   Text      trellis_str is UTF-8, not NUL-terminated; {NULL, 0} is the empty text. JSON is text.
 *   Memory    Nothing is freed across the boundary. What a function is given is copied before it returns. What a
 *             function yields goes to a sink that is called before it returns.
 *   Failure   Functions return a status. No exception, panic or longjmp may cross. Details go to an error sink.
 *   Threads   Each function says where it may be called and whether it may block:
 *             [lifecycle]    one call at a time for this plugin, on a thread of the host
 *             [worker]       on one of the plugin's own worker threads
 *             [thread-safe]  from any thread, at any time between create and the return of destroy
 *             [may block]    may wait for the network; not for use in code that must be quick
 */
#ifndef TRELLIS_PLUGIN_H
#define TRELLIS_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TRELLIS_ABI_MAJOR 1
#define TRELLIS_ABI_MINOR 1 /* what is newer than 1.0 says "since" */

/* ------------------------------------------------------------------------------------------------ values (frozen) */

typedef struct trellis_str {
  const char *data;
  size_t size; /* bytes */
} trellis_str;

typedef int32_t trellis_status;
#define TRELLIS_OK 0
#define TRELLIS_E_INVALID 1     /* an argument is malformed: not JSON, unknown name, size too small */
#define TRELLIS_E_GONE 2        /* the call was answered or released before, or its deadline passed */
#define TRELLIS_E_DENIED 3      /* the contract doesn't grant it, or the NATS server refused it */
#define TRELLIS_E_UNAVAILABLE 4 /* nobody listens, or there is no connection at the moment */
#define TRELLIS_E_TIMEOUT 5     /* no answer in time */
#define TRELLIS_E_TOO_LARGE 6   /* beyond a limit, for example the server's max_payload */
#define TRELLIS_E_REMOTE 7      /* the called service answered with an error */
#define TRELLIS_E_UNSUPPORTED 8 /* this host doesn't have it */
#define TRELLIS_E_FAILED 9      /* anything else; the error sink has the details */

/* A call in progress. Carries a generation: a handle that was answered or released never becomes valid again. */
typedef uint64_t trellis_call;

/* Receives data, in one or several pieces, before the function that it was given to returns. */
typedef struct trellis_sink {
  void *context;
  void (*write)(void *context, trellis_str data);
} trellis_sink;

/* An error, in either direction (protocol chapter 06 §5). */
typedef struct trellis_error {
  uint32_t size;
  uint32_t reserved;
  trellis_str type;    /* "UnexpectedError", "ValidationError", a type that the contract declares ... */
  trellis_str message; /* for people */
  trellis_str context; /* JSON object, or empty */
  trellis_str fields;  /* JSON object with the error's own members, or empty */
} trellis_error;

/* Receives the details of a failure before the function that it was given to returns. `report` may be NULL. */
typedef struct trellis_error_sink {
  void *context;
  void (*report)(void *context, const trellis_error *error);
} trellis_error_sink;

#define TRELLIS_LOG_TRACE 0
#define TRELLIS_LOG_DEBUG 1
#define TRELLIS_LOG_INFO 2
#define TRELLIS_LOG_WARN 3
#define TRELLIS_LOG_ERROR 4

/* --------------------------------------------------------------------------------------------------- requests */

/* One inbound request: proven, authorised and checked against the contract's input schema. The struct and its texts
 * live until complete, fail or release is called for `call`, on whatever thread that happens. */
typedef struct trellis_request {
  uint32_t size;
  uint32_t reserved;
  trellis_call call;
  trellis_str surface;     /* logical name, "Echo.Say" */
  trellis_str input;       /* JSON */
  trellis_str caller;      /* JSON object: who calls (06 §4.5) */
  trellis_str session_key; /* the caller's session key */
  trellis_str request_id;  /* the caller's request id */
  trellis_str traceparent; /* W3C trace context of the caller, or empty */
  trellis_str tracestate;
  int64_t deadline_unix_ms; /* after it the host answers for the plugin */
} trellis_request;

#define TRELLIS_SURFACE_RPC 1
#define TRELLIS_SURFACE_EVENT 2 /* since 1.1: listens to an event, see "events" below */
#define TRELLIS_SURFACE_FEED 3  /* since 1.1: serves a feed, see "feeds" below */

/* [worker] Answers now, or keeps `request->call` and answers later from any thread. At most `max_concurrency` handlers
 * of a plugin run at the same time. */
typedef void (*trellis_rpc_fn)(void *self, const trellis_request *request);

/* ------------------------------------------------------------------------------------------- events (since 1.1) */

/* One event that arrived, checked against its schema (06 §6). The struct and its texts live during the call. */
typedef struct trellis_event_delivery {
  uint32_t size;
  uint32_t delivery;       /* durable: 1 = the first time that this message is delivered, 2 = the second ... live: 0 */
  trellis_str contract_id; /* whose event it is */
  trellis_str name;        /* "Orders.Placed" */
  trellis_str payload;     /* JSON object, `header` included */
  trellis_str subject;     /* the concrete one */
  trellis_str id;          /* header.id, or empty */
  int64_t time_unix_ms;    /* header.time, 0 when absent */
  trellis_str group;       /* the consumer group, empty for a live listener */
  uint64_t sequence;       /* of the stream; live: 0 */
  trellis_str traceparent; /* W3C trace context of the publisher, or empty */
  trellis_str tracestate;
} trellis_event_delivery;

/* [worker] TRELLIS_OK: done, and a durable message is acknowledged. Otherwise a live message is lost with a log line,
 * and a durable one comes again after the group's backoff, to every listener of the event, up to its max_deliver. */
typedef trellis_status (*trellis_event_fn)(void *self, const trellis_event_delivery *event, trellis_error_sink error);

/* -------------------------------------------------------------------------------------------- feeds (since 1.1) */

/* An open feed of one subscriber. Carries a generation like trellis_call. */
typedef uint64_t trellis_stream;

/* A subscriber that was proven, authorised and told that the feed is open (06 §7). The struct and its texts live until
 * `fail` or `close` of trellis_feeds_v1 is called for `stream`, on whatever thread that happens. */
typedef struct trellis_feed_request {
  uint32_t size;
  uint32_t reserved;
  trellis_stream stream;
  trellis_str surface;     /* logical name, "Orders.Watch" */
  trellis_str input;       /* JSON */
  trellis_str caller;      /* JSON object: who subscribes (06 §4.5) */
  trellis_str session_key; /* the subscriber's session key */
  trellis_str request_id;
  trellis_str traceparent;
  trellis_str tracestate;
} trellis_feed_request;

/* [worker] Begins: events are emitted now or later, from any thread, through the extension "trellis.feeds/1". */
typedef void (*trellis_feed_fn)(void *self, const trellis_feed_request *request);

/* [worker] Nobody receives this stream any more: the subscriber is gone, its connection ended, or the plugin is being
 * stopped. Comes at most once, and never before the feed's function was called. After `fail` or `close` it comes only
 * when another thread called that at the same time: the host had found the stream open, and `cancel` may begin, or
 * still run, when `close` has returned. So what it needs is looked up by `stream`, whose number doesn't come again, and
 * isn't freed by whoever closes. The plugin stops emitting and calls `close`, which does no harm twice. */
typedef void (*trellis_feed_cancel_fn)(void *self, trellis_stream stream);

/* --------------------------------------------------------------------------------------------------- the table */

typedef struct trellis_handler {
  uint32_t size;
  uint32_t kind;           /* TRELLIS_SURFACE_* */
  trellis_str contract_id; /* "acme.echo@v1"; of an event: this contract, or one that it uses */
  trellis_str name;        /* "Echo.Say" */
  trellis_rpc_fn rpc;      /* for TRELLIS_SURFACE_RPC */

  /* since 1.1 */
  trellis_event_fn event;             /* for TRELLIS_SURFACE_EVENT */
  trellis_str group;                  /* event: a group of the contract's eventConsumers; empty: a live listener */
  trellis_str subject_data;           /* event, live: JSON object that fixes tokens of its subject, or empty: all */
  trellis_feed_fn feed;               /* for TRELLIS_SURFACE_FEED */
  trellis_feed_cancel_fn feed_cancel; /* for TRELLIS_SURFACE_FEED; may be NULL */
} trellis_handler;

/* ------------------------------------------------------------------------------------------------ outgoing calls */

/* An rpc of another contract, for call_rpc and call_rpc_async. */
typedef struct trellis_rpc_call {
  uint32_t size;
  uint32_t timeout_ms;     /* 0: 3000 */
  trellis_str contract_id; /* a contract that this plugin's contract `uses` */
  trellis_str name;        /* an rpc listed there */
  trellis_str input;       /* JSON */
  trellis_str traceparent; /* usually that of the request being answered, or empty */
  trellis_str tracestate;
} trellis_rpc_call;

/* [any thread of the host; be quick] Runs exactly once. TRELLIS_OK: `output` is JSON, `error` NULL. Otherwise `error`
 * says why. Both live only during the call. */
typedef void (*trellis_rpc_reply_fn)(void *context, trellis_status status, trellis_str output,
                                     const trellis_error *error);

/* ------------------------------------------------------------------------------------------------------- the host */

/* What the host offers one plugin. Lives from create until destroy has returned. Pass `self` as first argument. */
typedef struct trellis_host {
  uint32_t size;
  uint32_t abi_minor;
  void *self;

  /* [thread-safe] A const vtable, or NULL when this host doesn't have the extension. Ids look like "trellis.jobs/1". */
  const void *(*get_extension)(void *self, trellis_str id);

  /* [thread-safe] One structured log line that carries the plugin's name. `fields`: JSON object, or empty. */
  void (*log)(void *self, int32_t level, trellis_str message, trellis_str fields);

  /* [thread-safe] The plugin's own configuration table from the operator's TOML, as a JSON object. */
  trellis_status (*config)(void *self, trellis_sink out);

  /* [thread-safe] Who this plugin is: JSON object {plugin, contractId, contractDigest, sessionKey, configDir}, the last
   * the absolute folder of the operator's TOML, which paths in a plugin's own settings are relative to. */
  trellis_status (*identity)(void *self, trellis_sink out);

  /* [thread-safe] Answers with `output`, a JSON text that the output schema is checked against: a text that breaks it
   * becomes an error for the caller, a log line, and TRELLIS_E_INVALID here; one that the server can't carry becomes an
   * error, a log line, and TRELLIS_E_TOO_LARGE. Ends the request's life in every case. TRELLIS_E_GONE: it was over
   * already. */
  trellis_status (*complete)(void *self, trellis_call call, trellis_str output);

  /* [thread-safe] Answers with an error. Type "UnexpectedError" or "" is for what a caller can't act on: its message
   * becomes context.causeMessage. Ends the request's life. TRELLIS_E_GONE, TRELLIS_E_INVALID (context or fields are no
   * JSON objects; the caller got an UnexpectedError). */
  trellis_status (*fail)(void *self, trellis_call call, const trellis_error *error);

  /* [thread-safe] Gives the call up. If nobody has answered yet, the caller gets an UnexpectedError at once. */
  trellis_status (*release)(void *self, trellis_call call);

  /* [thread-safe] TRELLIS_OK while an answer is still wanted, else TRELLIS_E_GONE. For handlers that work long. */
  trellis_status (*call_state)(void *self, trellis_call call);

  /* [thread-safe] [may block] Calls an rpc of a contract that this contract uses. TRELLIS_E_REMOTE: `error` gets the
   * other service's error. Not for use inside a trellis_rpc_reply_fn. */
  trellis_status (*call_rpc)(void *self, const trellis_rpc_call *call, trellis_sink output, trellis_error_sink error);

  /* [thread-safe] The same without waiting. Anything but TRELLIS_OK means that `reply` won't be called. */
  trellis_status (*call_rpc_async)(void *self, const trellis_rpc_call *call, trellis_rpc_reply_fn reply, void *context);
} trellis_host;

/* ----------------------------------------------------------------------------------------------------- the plugin */

/* One running instance, made by create. Must stay where it is until destroy returns. */
typedef struct trellis_plugin {
  uint32_t size;
  uint32_t handler_count;
  void *self;
  /* One entry for each rpc and feed that the contract owns, and any number of listeners for its own and used events.
   * The host refuses a table that disagrees with the contract, naming each surface that is missing or undeclared. An
   * rpc named <Plugin>.Health may be left out: the host answers it (06 §8.2). */
  const trellis_handler *const *handlers;

  /* [lifecycle] [may block] Connected: all host functions work. Requests arrive once it has returned. May be NULL. */
  trellis_status (*start)(void *self, trellis_error_sink error);
  /* [lifecycle] [may block] No request arrives any more and every request was answered, or `deadline_unix_ms` is near.
   * End threads, save state. May be NULL. */
  trellis_status (*stop)(void *self, int64_t deadline_unix_ms, trellis_error_sink error);
  /* [lifecycle] Frees everything. Host functions are gone when it returns. The code stays mapped. May be NULL. */
  void (*destroy)(void *self);
  /* [thread-safe] A const vtable, or NULL. May be NULL itself. */
  const void *(*get_extension)(void *self, trellis_str id);
} trellis_plugin;

/* The exported constant `trellis_plugin_entry_v1`. */
typedef struct trellis_plugin_entry {
  uint32_t size;
  uint32_t abi_major; /* TRELLIS_ABI_MAJOR; another value is refused */
  uint32_t abi_minor; /* the minor that the plugin was built against */
  uint32_t reserved;
  trellis_str name;    /* of the program, "echo-c" */
  trellis_str version; /* of the program, "1.4.2" */
  /* [lifecycle] Makes an instance and stores it in *out, untouched on failure. `host` outlives the instance. */
  trellis_status (*create)(const trellis_host *host, const trellis_plugin **out, trellis_error_sink error);
} trellis_plugin_entry;

/* -------------------------------------------------------------------------------- extension "trellis.transport/1" */

/* Messages on this plugin's own NATS connection. The contract still decides: the server refuses what it doesn't grant,
 * and the host logs the refusal with the plugin's name. */
#define TRELLIS_EXT_TRANSPORT "trellis.transport/1"

typedef struct trellis_header {
  trellis_str name;
  trellis_str value;
} trellis_header;

typedef struct trellis_transport_v1 {
  uint32_t size;
  uint32_t reserved;
  /* [thread-safe] Queues one message. `self` is that of trellis_host. */
  trellis_status (*publish)(void *self, trellis_str subject, trellis_str payload, const trellis_header *headers,
                            size_t header_count);
  /* [thread-safe] [may block] Sends and waits for one reply, whose payload goes to `reply`. */
  trellis_status (*request)(void *self, trellis_str subject, trellis_str payload, const trellis_header *headers,
                            size_t header_count, uint32_t timeout_ms, trellis_sink reply, trellis_error_sink error);
} trellis_transport_v1;

/* ------------------------------------------------------------------- extension "trellis.events/1" (host, since 1.1) */

/* Publishing events that the contract owns or uses with `publish`. */
#define TRELLIS_EXT_EVENTS "trellis.events/1"

typedef struct trellis_event {
  uint32_t size;
  uint32_t timeout_ms;     /* how long to wait for the stream's acknowledgement; 0: 5000 */
  trellis_str contract_id; /* whose event it is */
  trellis_str name;        /* "Orders.Placed" */
  trellis_str payload;     /* JSON object; its `header` is replaced by {id, time} of this moment */
  trellis_str traceparent; /* usually that of the request being answered, or empty */
  trellis_str tracestate;
} trellis_event;

/* [any thread of the host; be quick] Runs exactly once. TRELLIS_OK: the stream has it. */
typedef void (*trellis_published_fn)(void *context, trellis_status status, const trellis_error *error);

typedef struct trellis_events_v1 {
  uint32_t size;
  uint32_t reserved;
  /* `self` is that of trellis_host in all of them. TRELLIS_E_INVALID: the payload breaks the event's schema or lacks
   * what its subject needs; TRELLIS_E_DENIED: not in the contract, or refused by NATS. */

  /* [thread-safe] Makes the event without sending it: JSON {event, subject, payload, encodedPayload, headers} (06 §6.2)
   * that can be stored and published later, with the same id, any number of times. */
  trellis_status (*prepare)(void *self, const trellis_event *event, trellis_sink prepared, trellis_error_sink error);
  /* [thread-safe] [may block] Publishes what `prepare` made and waits for the acknowledgement. `published`: JSON object
   * {id, subject, stream, sequence, duplicate}; a duplicate is a success. */
  trellis_status (*publish_prepared)(void *self, trellis_str prepared, uint32_t timeout_ms, trellis_sink published,
                                     trellis_error_sink error);
  /* [thread-safe] [may block] Both in one. */
  trellis_status (*publish)(void *self, const trellis_event *event, trellis_sink published, trellis_error_sink error);
  /* [thread-safe] The same without waiting. Anything but TRELLIS_OK means that `done` won't be called. */
  trellis_status (*publish_async)(void *self, const trellis_event *event, trellis_published_fn done, void *context,
                                  trellis_error_sink error);
} trellis_events_v1;

/* -------------------------------------------------------------------- extension "trellis.feeds/1" (host, since 1.1) */

/* What a feed's function does with its stream. TRELLIS_E_GONE everywhere: nobody receives it any more. */
#define TRELLIS_EXT_FEEDS "trellis.feeds/1"

typedef struct trellis_feeds_v1 {
  uint32_t size;
  uint32_t reserved;
  /* [thread-safe] Sends one event, a JSON text of the feed's event schema. TRELLIS_E_INVALID: it breaks the schema;
   * TRELLIS_E_TOO_LARGE; TRELLIS_E_UNAVAILABLE: too much waits to be sent. After these the stream is still open and
   * nothing was sent. */
  trellis_status (*emit)(void *self, trellis_stream stream, trellis_str event, trellis_error_sink error);
  /* [thread-safe] Ends the stream with an error for the subscriber, and its request's life. */
  trellis_status (*fail)(void *self, trellis_stream stream, const trellis_error *error);
  /* [thread-safe] Ends the request's life. The subscriber sees nothing: this protocol has no frame for a good end. */
  trellis_status (*close)(void *self, trellis_stream stream);
  /* [thread-safe] TRELLIS_OK while somebody receives it, else TRELLIS_E_GONE. */
  trellis_status (*state)(void *self, trellis_stream stream);
} trellis_feeds_v1;

/* ------------------------------------------------------------------ extension "trellis.metrics/1" (host, since 1.1) */

/* Numbers beside the host's own (06 §9); `trellis host metrics` shows both, the plugin's name on each. */
#define TRELLIS_EXT_METRICS "trellis.metrics/1"

#define TRELLIS_METRIC_COUNTER 1   /* record adds, 0 or more */
#define TRELLIS_METRIC_GAUGE 2     /* record sets */
#define TRELLIS_METRIC_HISTOGRAM 3 /* record counts a value */

typedef struct trellis_metric {
  uint32_t size;
  uint32_t kind;           /* TRELLIS_METRIC_* */
  trellis_str name;        /* "inventory.reservations": letters, digits, "_" and ".", at most 96 bytes */
  trellis_str unit;        /* "{item}", "ms", or empty */
  trellis_str description; /* or empty */
} trellis_metric;

typedef struct trellis_metrics_v1 {
  uint32_t size;
  uint32_t reserved;
  /* [thread-safe] Attributes keep apart what is counted apart; a value that looks like an id is dropped (06 §9.1).
   * TRELLIS_E_INVALID: malformed, or of another kind than before; TRELLIS_E_TOO_LARGE: too many different ones. */
  trellis_status (*record)(void *self, const trellis_metric *metric, double value, const trellis_header *attributes,
                           size_t attribute_count);
} trellis_metrics_v1;

/* ----------------------------------------------------------------- extension "trellis.health/1" (plugin, since 1.1) */

/* What the host asks a plugin about its health, for heartbeats and the rpc <Plugin>.Health (06 §8). */
#define TRELLIS_EXT_HEALTH "trellis.health/1"

typedef struct trellis_health_check {
  uint32_t size;
  uint32_t reserved;
  trellis_str name; /* 1 to 96 bytes that no other check of the plugin has; not "nats", the host's own */
  /* [worker] [may block] TRELLIS_OK: fine; otherwise `error` says why. `details`, if anything is written: JSON object
   * {summary?, info?}. Checks run in parallel. */
  trellis_status (*check)(void *self, trellis_sink details, trellis_error_sink error);
} trellis_health_check;

typedef struct trellis_health_v1 {
  uint32_t size;
  uint32_t check_count;
  const trellis_health_check *const *checks;
  /* [worker] JSON object for the heartbeat's service.info. May be NULL. `self` is that of trellis_plugin. */
  trellis_status (*info)(void *self, trellis_sink out);
} trellis_health_v1;

/* ---------------------------------------------------------------------------------------- conveniences, not needed */

/* Whether the struct behind `pointer` was made by someone who knew `field`. `type` is its struct type. */
#define TRELLIS_HAS(type, pointer, field) ((pointer)->size >= offsetof(type, field) + sizeof((pointer)->field))

#if defined(__has_attribute)
#if __has_attribute(retain)
#define TRELLIS_RETAIN , retain
#endif
#endif
#ifndef TRELLIS_RETAIN
#define TRELLIS_RETAIN
#endif

#define TRELLIS_EXPORT __attribute__((visibility("default")))

/* Puts a contract into the object: TRELLIS_CONTRACT({"format": "trellis.contract.v1", "id": "acme.echo@v1", ...});
 * The JSON is written as it is, without quotes around it. Long contracts: `trellis plugin embed`. */
#define TRELLIS_CONTRACT(...)                                                                                          \
  __attribute__((section(".trellis.contract"), used TRELLIS_RETAIN)) static const char trellis_contract_text[] =       \
      #__VA_ARGS__

/* Puts a JSON Schema for the plugin's own settings, [plugins.NAME.config], into the object. */
#define TRELLIS_CONFIG_SCHEMA(...)                                                                                     \
  __attribute__((section(".trellis.config-schema"),                                                                    \
                 used TRELLIS_RETAIN)) static const char trellis_config_schema_text[] = #__VA_ARGS__

#ifdef __cplusplus
}
#endif

#endif /* TRELLIS_PLUGIN_H */
