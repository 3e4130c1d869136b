/* trellis/control_plane.h: the three host-only extensions between trellis-host and the one plugin that the operator
 * names `role = "control-plane"`. Version 1.
 *
 * Asked of, and given to, that plugin alone: it is the trust root, pinned or signed, loaded first and stopped last. All
 * rules of plugin.h hold. Three small tables instead of one, because a control plane that runs elsewhere (policy over
 * HTTP) replaces two of them and needs nothing of the third.
 */
#ifndef TRELLIS_CONTROL_PLANE_H
#define TRELLIS_CONTROL_PLANE_H

#include "plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------------------ host: "trellis.connections/1" */

/* The privileged NATS connections of protocol chapter 03 §2.4: "auth" (AUTH account: callout and KV), "system" (SYS
 * account) and "trellis" (TRELLIS account; the plugin's own surfaces are wired on it). They are connected before the
 * plugin's start is called, and connect again for ever when they are lost. */
#define TRELLIS_EXT_CONNECTIONS "trellis.connections/1"

typedef struct trellis_connection trellis_connection; /* lives until destroy has returned */
typedef uint64_t trellis_subscription;

/* A received message. Lives during the callback. */
typedef struct trellis_message {
  uint32_t size;
  uint32_t reserved;
  trellis_str subject;
  trellis_str reply; /* empty: no answer is wanted */
  trellis_str payload;
  const trellis_header *headers;
  size_t header_count;
} trellis_message;

/* [network thread; only enqueue] */
typedef void (*trellis_message_fn)(void *context, const trellis_message *message);
/* [network or timer thread; only enqueue] Runs exactly once. `message` is NULL unless the status is TRELLIS_OK. */
typedef void (*trellis_message_reply_fn)(void *context, trellis_status status, const trellis_message *message);

typedef struct trellis_connections_v1 {
  uint32_t size;
  uint32_t reserved;
  /* [thread-safe] "auth", "system" or "trellis"; NULL for any other name. `self` is that of trellis_host. */
  trellis_connection *(*find)(void *self, trellis_str name);
  /* [thread-safe] Queues one message. TRELLIS_E_UNAVAILABLE while disconnected: nothing is kept for later.
   * TRELLIS_E_TOO_LARGE, TRELLIS_E_INVALID. `reply` may be empty. */
  trellis_status (*publish)(trellis_connection *connection, trellis_str subject, trellis_str reply, trellis_str payload,
                            const trellis_header *headers, size_t header_count);
  /* [thread-safe] Sends with a fresh reply subject. `reply` runs exactly once, also for what fails at once.
   * Its statuses: TRELLIS_OK, TRELLIS_E_UNAVAILABLE (nobody listens, or no connection), TRELLIS_E_TIMEOUT, and those
   * of publish. */
  void (*request)(trellis_connection *connection, trellis_str subject, trellis_str payload,
                  const trellis_header *headers, size_t header_count, uint32_t timeout_ms,
                  trellis_message_reply_fn reply, void *context);
  /* [thread-safe] Messages keep coming over reconnects. An empty `queue_group` means none. */
  trellis_status (*subscribe)(trellis_connection *connection, trellis_str subject, trellis_str queue_group,
                              trellis_message_fn on_message, void *context, trellis_subscription *out);
  /* [thread-safe] [may block] When it returns, the callback isn't running and won't be called again. Never call it
   * inside that callback. */
  void (*unsubscribe)(trellis_connection *connection, trellis_subscription subscription);
  /* [thread-safe] [may block] Waits until the server has seen what was published. */
  trellis_status (*flush)(trellis_connection *connection, uint32_t timeout_ms);
  /* [thread-safe] Largest payload in bytes; 0 while unknown. */
  size_t (*max_payload)(trellis_connection *connection);
} trellis_connections_v1;

/* ---------------------------------------------------------------------------------- plugin: "trellis.policy/1" */

/* Who decides what the host's other plugins may be (ARCHITECTURE: from file to service). `self` is that of
 * trellis_plugin. */
#define TRELLIS_EXT_POLICY "trellis.policy/1"

/* [any thread; be quick] The answer of POST /bootstrap/service (04 §7): HTTP status and JSON body. Runs exactly once.
 * Both live during the call. */
typedef void (*trellis_bootstrap_fn)(void *context, int32_t http_status, trellis_str body);

typedef struct trellis_policy_v1 {
  uint32_t size;
  uint32_t reserved;
  /* [thread-safe] `request` is the route's body. Never waits; `done` may run inside the call. */
  void (*bootstrap)(void *self, trellis_str request, trellis_bootstrap_fn done, void *context);
  /* [thread-safe] The operator's trellis.toml says that `session_key` is an instance of deployment `deployment_id`:
   * makes both when they are missing, and changes nothing of what exists (a disabled one stays disabled). This grants
   * no authority: a plan has to be accepted as for anybody. Asynchronous like bootstrap; 200 or 4xx with `reason`. */
  void (*enroll)(void *self, trellis_str deployment_id, trellis_str session_key, trellis_bootstrap_fn done,
                 void *context);
  /* [thread-safe] `changed` runs whenever a bootstrap answer may differ from before; NULL ends it, and when that call
   * returns, no earlier callback is running. [any thread; be quick] for the callback. */
  void (*on_change)(void *self, void (*changed)(void *context), void *context);
  /* [lifecycle] The plugin's surfaces are served: it may open what leads to them (its HTTP listener). */
  trellis_status (*surfaces_ready)(void *self, trellis_error_sink error);
  /* [thread-safe] Life of the NATS user JWTs that it issues, in milliseconds (03 §6.5). */
  int64_t (*jwt_life_ms)(void *self);
  /* Since 1.1; may be missing or NULL: then plugins whose approval is bound to their file are refused.
   * [thread-safe] As bootstrap, for a contract that is to be approved from one file only: the answer is 200 once a plan
   * with this `sha256` (64 lower-case hex digits) and this `signer` (minisign public key, or empty) is accepted. Not
   * members of `request`: that is the route's body, byte for byte, and everybody may send one; the host vouches for
   * these two. */
  void (*bootstrap_artifact)(void *self, trellis_str request, trellis_str sha256, trellis_str signer,
                             trellis_bootstrap_fn done, void *context);
} trellis_policy_v1;

/* ------------------------------------------------------------------------------- plugin: "trellis.validator/1" */

/* Auth.Requests.Validate (03 §10) without a round trip. */
#define TRELLIS_EXT_VALIDATOR "trellis.validator/1"

typedef struct trellis_validation_request {
  uint32_t size;
  uint32_t proof_checked; /* not 0: the host has verified the signature already */
  trellis_str session_key;
  trellis_str proof;
  trellis_str subject;
  const uint8_t *payload_hash; /* SHA-256, 32 bytes */
  int64_t iat;                 /* seconds */
  trellis_str request_id;
  const trellis_str *capabilities; /* that the surface requires */
  size_t capability_count;
} trellis_validation_request;

typedef struct trellis_validation {
  uint32_t size;
  uint32_t allowed;
  trellis_str inbox_prefix;
  trellis_str caller; /* JSON object (06 §4.5) */
  /* Changes whenever `caller`, its capabilities or its subjects do; equal values mean equal texts. */
  uint64_t caller_version;
  const trellis_str *capabilities; /* that the caller holds */
  size_t capability_count;
} trellis_validation;

typedef struct trellis_validator_v1 {
  uint32_t size;
  uint32_t reserved;
  /* [thread-safe] May read the database, never the network. `result` runs before TRELLIS_OK is returned; otherwise
   * `error` gets the AuthError that the caller has to get. */
  trellis_status (*validate)(void *self, const trellis_validation_request *request,
                             void (*result)(void *context, const trellis_validation *validation), void *context,
                             trellis_error_sink error);
} trellis_validator_v1;

#ifdef __cplusplus
}
#endif

#endif /* TRELLIS_CONTROL_PLANE_H */
