/* trellis/plugin.h: the C ABI between trellis-host and a service plugin. Version 1.0.
 *
 * This header is the specification; plugin-api/README.md gives the rules their reasons. It includes nothing of ours,
 * needs C11 (or any later C++), and works without its macros: a plugin in another language needs the struct layouts
 * below, one exported symbol and one ELF section.
 *
 * A plugin is one ELF shared object with
 *   - a section ".trellis.contract" that holds its contract, which the host reads without running any of its code;
 *   - one exported constant, trellis_plugin_entry_v1, of type trellis_plugin_entry. Nothing else is looked up.
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
#define TRELLIS_ABI_MINOR 0

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

#define TRELLIS_SURFACE_RPC 1 /* other kinds come with their extensions */

/* [worker] Answers now, or keeps `request->call` and answers later from any thread. At most `max_concurrency` handlers
 * of a plugin run at the same time. */
typedef void (*trellis_rpc_fn)(void *self, const trellis_request *request);

typedef struct trellis_handler {
  uint32_t size;
  uint32_t kind;           /* TRELLIS_SURFACE_* */
  trellis_str contract_id; /* "acme.echo@v1" */
  trellis_str name;        /* "Echo.Say" */
  trellis_rpc_fn rpc;      /* for TRELLIS_SURFACE_RPC */
} trellis_handler;

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
   * becomes an error for the caller, a log line, and TRELLIS_E_INVALID here. Ends the request's life in every case.
   * TRELLIS_E_GONE: it was over already. */
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
  /* One entry for each surface that the contract owns and this ABI can serve. The host refuses a table that disagrees
   * with the contract, naming each surface that is missing or undeclared. */
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

#ifdef __cplusplus
}
#endif

#endif /* TRELLIS_PLUGIN_H */
