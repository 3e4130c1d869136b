/* Between Go and trellis/plugin.h. Go can't call a function pointer, nor keep its own pointers in memory of C: so each
 * function of the host has a wrapper here, and the tables that the host reads are built here. */
#ifndef TRELLIS_GO_BRIDGE_H
#define TRELLIS_GO_BRIDGE_H

#include <stdlib.h>
#include <trellis/plugin.h>

typedef struct trellis_go_text {
  char *data;
  size_t size;
} trellis_go_text;

/* What a function of the host brought. Freed with trellis_go_free_result. */
typedef struct trellis_go_result {
  trellis_status status;
  int32_t has_error;
  trellis_go_text output, type, message, context, fields;
} trellis_go_result;

void trellis_go_free_result(trellis_go_result *result);

/* Texts as pointer and length, so that Go may pass its own memory. */
#define TRELLIS_GO_IN(name) const char *name, size_t name##_size

void trellis_go_log(const trellis_host *host, int32_t level, TRELLIS_GO_IN(message), TRELLIS_GO_IN(fields));
void trellis_go_config(const trellis_host *host, trellis_go_result *result);
void trellis_go_identity(const trellis_host *host, trellis_go_result *result);
trellis_status trellis_go_complete(const trellis_host *host, trellis_call call, TRELLIS_GO_IN(output));
trellis_status trellis_go_fail(const trellis_host *host, trellis_call call, TRELLIS_GO_IN(type), TRELLIS_GO_IN(message),
                               TRELLIS_GO_IN(context), TRELLIS_GO_IN(fields));
trellis_status trellis_go_release(const trellis_host *host, trellis_call call);
trellis_status trellis_go_call_state(const trellis_host *host, trellis_call call);
/* `reply` 0: waits and fills `result`. Otherwise it is the handle that trellisGoReplied gets, unless the status is
 * another one than TRELLIS_OK. */
void trellis_go_call_rpc(const trellis_host *host, uint32_t timeout_ms, TRELLIS_GO_IN(contract), TRELLIS_GO_IN(name),
                         TRELLIS_GO_IN(input), TRELLIS_GO_IN(traceparent), TRELLIS_GO_IN(tracestate), uintptr_t reply,
                         trellis_go_result *result);

#define TRELLIS_GO_PREPARE 0
#define TRELLIS_GO_PUBLISH 1
#define TRELLIS_GO_PUBLISH_ASYNC 2
void trellis_go_event(const trellis_host *host, int32_t how, TRELLIS_GO_IN(contract), TRELLIS_GO_IN(name),
                      TRELLIS_GO_IN(payload), TRELLIS_GO_IN(traceparent), TRELLIS_GO_IN(tracestate), uintptr_t done,
                      trellis_go_result *result);
void trellis_go_publish_prepared(const trellis_host *host, TRELLIS_GO_IN(prepared), uint32_t timeout_ms,
                                 trellis_go_result *result);

void trellis_go_emit(const trellis_host *host, trellis_stream stream, TRELLIS_GO_IN(event), trellis_go_result *result);
trellis_status trellis_go_fail_stream(const trellis_host *host, trellis_stream stream, TRELLIS_GO_IN(type),
                                      TRELLIS_GO_IN(message), TRELLIS_GO_IN(context), TRELLIS_GO_IN(fields));
trellis_status trellis_go_close_stream(const trellis_host *host, trellis_stream stream);
trellis_status trellis_go_stream_state(const trellis_host *host, trellis_stream stream);

/* `attributes`: name and value one after the other, each with its length in `sizes`. */
trellis_status trellis_go_record(const trellis_host *host, uint32_t kind, TRELLIS_GO_IN(name), TRELLIS_GO_IN(unit),
                                 TRELLIS_GO_IN(description), double value, const char *attributes, const size_t *sizes,
                                 size_t count);

void trellis_go_write(trellis_sink sink, TRELLIS_GO_IN(text));
void trellis_go_report(trellis_error_sink sink, TRELLIS_GO_IN(type), TRELLIS_GO_IN(message), TRELLIS_GO_IN(context),
                       TRELLIS_GO_IN(fields));

/* The tables of one running plugin. `handle` is what Go's functions get. */
typedef struct trellis_go_tables trellis_go_tables;
#define TRELLIS_GO_MAX_CHECKS 16
trellis_go_tables *trellis_go_new_tables(uintptr_t handle, uint32_t handlers);
/* False when there is no memory, or no room for it. */
bool trellis_go_add_handler(trellis_go_tables *tables, uint32_t kind, TRELLIS_GO_IN(contract), TRELLIS_GO_IN(name),
                            TRELLIS_GO_IN(group), TRELLIS_GO_IN(subject_data));
bool trellis_go_add_check(trellis_go_tables *tables, TRELLIS_GO_IN(name));
void trellis_go_set_info(trellis_go_tables *tables);
const trellis_plugin *trellis_go_plugin(trellis_go_tables *tables);
void trellis_go_free_tables(trellis_go_tables *tables);

#endif
