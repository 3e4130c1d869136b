/* The little that a plugin in plain C wants beside trellis/plugin.h: reading a member out of JSON, writing JSON,
 * failing with an error. Header only, no library, no state.
 *
 * It reads texts that the host has checked already (it is JSON, it fits its schema), so it looks members up in the text
 * itself instead of building a tree: no allocation, nothing to free. On a text that is no JSON it finds nothing, and
 * never reads beyond it. A plugin that does more with JSON than this brings a library of its own.
 */
#ifndef TRELLIS_SMALL_H
#define TRELLIS_SMALL_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <trellis/plugin.h>

/* "literal" as a constant initialiser. */
#define TS_TEXT(literal)                                                                                               \
  { literal, sizeof(literal) - 1 }

static inline trellis_str ts_text(const char *chars) {
  const trellis_str out = {chars, strlen(chars)};
  return out;
}

/* A table of the host's, TRELLIS_EXT_EVENTS for example; NULL: this host doesn't have it. */
static inline const void *ts_extension(const trellis_host *host, const char *id) {
  return host->get_extension(host->self, ts_text(id));
}

/* ------------------------------------------------------------------------------------------------------- reading */

/* A text that is read from its front. */
typedef struct ts_reader {
  const char *at, *end;
} ts_reader;

static inline ts_reader ts_read(trellis_str text) {
  const ts_reader out = {text.data, text.size > 0 ? text.data + text.size : text.data};
  return out;
}

static inline void ts_blanks(ts_reader *in) {
  while (in->at < in->end && (*in->at == ' ' || *in->at == '\t' || *in->at == '\n' || *in->at == '\r'))
    ++in->at;
}

static inline bool ts_skip(ts_reader *in, char wanted) {
  ts_blanks(in);
  if (in->at == in->end || *in->at != wanted) return false;
  ++in->at;
  return true;
}

/* From the opening quote to behind the closing one. */
static inline bool ts_skip_string(ts_reader *in) {
  if (!ts_skip(in, '"')) return false;
  for (; in->at < in->end; ++in->at) {
    if (*in->at == '"') return ++in->at, true;
    if (*in->at == '\\' && ++in->at == in->end) return false;
  }
  return false;
}

/* The text of the next value, whatever it is. */
static inline bool ts_value(ts_reader *in, trellis_str *value) {
  ts_blanks(in);
  const char *start = in->at;
  size_t depth = 0;
  while (in->at < in->end) {
    const char c = *in->at;
    if (c == '"') {
      if (!ts_skip_string(in)) return false;
    } else if (depth == 0 && (c == ',' || c == ']' || c == '}' || c == ':')) {
      break;
    } else {
      if (c == '{' || c == '[') ++depth;
      if (c == '}' || c == ']') --depth;
      ++in->at;
    }
    if (depth == 0 && (c == '"' || c == '}' || c == ']')) break;
  }
  value->data = start;
  value->size = (size_t)(in->at - start);
  while (value->size > 0 && strchr(" \t\r\n", start[value->size - 1]))
    --value->size; /* behind a number or word */
  return depth == 0 && value->size > 0;
}

/* The members of an object, one after the other:
 *   ts_reader in = ts_read(object);
 *   for (trellis_str name, value; ts_next_member(&in, &name, &value);) ...
 * `name` and `value` are JSON texts: the name has its quotes. */
static inline bool ts_next_member(ts_reader *in, trellis_str *name, trellis_str *value) {
  if (!ts_skip(in, '{') && !ts_skip(in, ',')) return false;
  ts_blanks(in);
  name->data = in->at;
  if (!ts_skip_string(in)) return false;
  name->size = (size_t)(in->at - name->data);
  return ts_skip(in, ':') && ts_value(in, value);
}

static inline int ts_hex_unit(const char *digits, const char *end) {
  int unit = 0;
  if (end - digits < 4) return -1;
  for (int i = 0; i < 4; ++i) {
    const char c = digits[i];
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

/* A code point in UTF-8, an unpaired surrogate as the three bytes that it would have; how many bytes. */
static inline size_t ts_utf8(int code, char out[4]) {
  if (code < 0x80) return out[0] = (char)code, 1;
  if (code < 0x800) return out[0] = (char)(0xC0 | (code >> 6)), out[1] = (char)(0x80 | (code & 0x3F)), 2;
  const size_t size = code < 0x10000 ? 3 : 4;
  out[0] = (char)(size == 3 ? 0xE0 | (code >> 12) : 0xF0 | (code >> 18));
  if (size == 4) out[1] = (char)(0x80 | ((code >> 12) & 0x3F));
  out[size - 2] = (char)(0x80 | ((code >> 6) & 0x3F));
  out[size - 1] = (char)(0x80 | (code & 0x3F));
  return size;
}

/* The next character of a string's inside, unescaped into `out`; how many bytes, 0 at the end or for a bad escape. */
static inline size_t ts_character(ts_reader *in, char out[4]) {
  static const char names[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
  if (in->at == in->end) return 0;
  if (*in->at != '\\') return out[0] = *in->at++, 1;
  if (++in->at == in->end) return 0;
  const char *name = *in->at ? strchr(names, *in->at) : NULL;
  if (name) return ++in->at, out[0] = meanings[name - names], 1;
  int code = *in->at == 'u' ? ts_hex_unit(in->at + 1, in->end) : -1;
  if (code < 0) return 0;
  in->at += 5;
  if (code >= 0xD800 && code < 0xDC00 && in->end - in->at >= 6 && in->at[0] == '\\' && in->at[1] == 'u') {
    const int low = ts_hex_unit(in->at + 2, in->end);
    if (low >= 0xDC00 && low < 0xE000) {
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
      in->at += 6;
    }
  }
  return ts_utf8(code, out);
}

static inline ts_reader ts_inside(trellis_str string) {
  const bool quoted = string.size >= 2 && string.data[0] == '"';
  const trellis_str inside = {quoted ? string.data + 1 : string.data, quoted ? string.size - 2 : 0};
  return ts_read(inside);
}

/* Whether a JSON string is `text`, however it is escaped. */
static inline bool ts_is(trellis_str string, const char *text) {
  ts_reader in = ts_inside(string);
  char character[4];
  for (size_t size; (size = ts_character(&in, character)) > 0; text += size)
    if (character[0] == '\0' || strncmp(text, character, size) != 0) return false; /* `text` has no \u0000 */
  return *text == '\0' && in.at == in.end && string.size > 0 && string.data[0] == '"';
}

/* The member `name` of a JSON object; of a repeated one the last. */
static inline bool ts_member(trellis_str object, const char *name, trellis_str *value) {
  ts_reader in = ts_read(object);
  bool found = false;
  for (trellis_str at, next; ts_next_member(&in, &at, &next);)
    if (ts_is(at, name)) {
      *value = next;
      found = true;
    }
  return found;
}

/* A JSON string's characters, with a NUL behind them, for free(), and how many they are: \u0000 may be among them.
 * NULL: it is no string, or there is no memory. */
static inline char *ts_sized_string(trellis_str value, size_t *size) {
  char *out = value.size >= 2 && value.data[0] == '"' ? malloc(value.size) : NULL; /* escapes only get shorter */
  *size = 0;
  if (!out) return NULL;
  ts_reader in = ts_inside(value);
  for (size_t more; (more = ts_character(&in, out + *size)) > 0;)
    *size += more;
  out[*size] = '\0';
  return out;
}

/* The same as C has texts. NULL also for one with a \u0000 in it: cut off there it would be another text, "bolt\u0000x"
 * the article "bolt". */
static inline char *ts_string(trellis_str value) {
  size_t size = 0;
  char *out = ts_sized_string(value, &size);
  if (!out || memchr(out, '\0', size) == NULL) return out;
  free(out);
  return NULL;
}

static inline bool ts_is_digit(const ts_reader *in) {
  return in->at < in->end && *in->at >= '0' && *in->at <= '9';
}

/* A JSON number without a fraction that fits, however it is spelled: 3, 3.0, 0.3e1. By its digits, because strtod looks
 * at the locale and rounds. */
static inline bool ts_integer(trellis_str value, int64_t *out) {
  ts_reader in = ts_read(value);
  const bool negative = in.at < in.end && *in.at == '-';
  if (negative) ++in.at;
  const char *whole = in.at;
  while (ts_is_digit(&in))
    ++in.at;
  const int64_t whole_digits = in.at - whole;
  const char *fraction = in.at;
  int64_t fraction_digits = 0, exponent = 0;
  if (in.at < in.end && *in.at == '.') {
    fraction = ++in.at;
    while (ts_is_digit(&in))
      ++in.at;
    fraction_digits = in.at - fraction;
    if (fraction_digits == 0) return false;
  }
  if (in.at < in.end && (*in.at == 'e' || *in.at == 'E')) {
    ++in.at;
    const bool smaller = in.at < in.end && *in.at == '-';
    if (smaller || (in.at < in.end && *in.at == '+')) ++in.at;
    if (!ts_is_digit(&in)) return false;
    for (; ts_is_digit(&in); ++in.at)
      if (exponent < INT64_MAX / 100) exponent = exponent * 10 + (*in.at - '0');
    if (smaller) exponent = -exponent;
  }
  if (whole_digits == 0 || in.at != in.end) return false;
  const int64_t point = whole_digits + exponent, digits = whole_digits + fraction_digits; /* 0.digits * 10^point */
  const uint64_t most = (uint64_t)INT64_MAX + negative;
  uint64_t number = 0;
  for (int64_t i = 0; i < digits || (i < point && number > 0); ++i) {
    const unsigned digit =
        i >= digits ? 0 : (unsigned)((i < whole_digits ? whole[i] : fraction[i - whole_digits]) - '0');
    if (i >= point && digit > 0) return false; /* a fraction */
    if (i >= point) continue;
    if (number > (most - digit) / 10) return false;
    number = number * 10 + digit;
  }
  *out = negative ? (int64_t)(0 - number) : (int64_t)number;
  return true;
}

/* ------------------------------------------------------------------------------------------------------- writing */

/* A text that grows. Starts as {0}; when memory ends it is `failed` and stays so. */
typedef struct ts_buffer {
  char *data;
  size_t size, room;
  bool failed;
} ts_buffer;

static inline void ts_put_bytes(ts_buffer *out, const char *data, size_t size) {
  if (out->size + size > out->room && !out->failed) {
    const size_t room = (out->size + size) * 2;
    char *larger = realloc(out->data, room);
    out->failed = !larger;
    if (larger) out->data = larger, out->room = room;
  }
  if (out->failed || size == 0) return;
  memcpy(out->data + out->size, data, size);
  out->size += size;
}

static inline void ts_put(ts_buffer *out, const char *text) {
  ts_put_bytes(out, text, strlen(text));
}

static inline void ts_put_integer(ts_buffer *out, int64_t number) {
  char digits[24];
  snprintf(digits, sizeof digits, "%" PRId64, number);
  ts_put(out, digits);
}

/* `text` as a JSON string, quoted. */
static inline void ts_put_sized_string(ts_buffer *out, const char *text, size_t size) {
  ts_put(out, "\"");
  for (const char *end = text + size; text != end; ++text) {
    const unsigned char c = (unsigned char)*text;
    /* three bytes, as ts_utf8 makes them */
    const bool is_surrogate = c == 0xED && end - text >= 3 && (unsigned char)text[1] >= 0xA0;
    char escape[8];
    if (c == '"' || c == '\\') {
      snprintf(escape, sizeof escape, "\\%c", c);
      ts_put(out, escape);
    } else if (c < 0x20 || is_surrogate) {
      const unsigned unit =
          c < 0x20 ? c : 0xD000U | (((unsigned char)text[1] & 0x3FU) << 6) | ((unsigned char)text[2] & 0x3FU);
      snprintf(escape, sizeof escape, "\\u%04x", unit);
      ts_put(out, escape);
      if (c >= 0x20) text += 2;
    } else {
      ts_put_bytes(out, text, 1);
    }
  }
  ts_put(out, "\"");
}

static inline void ts_put_string(ts_buffer *out, const char *text) {
  ts_put_sized_string(out, text, strlen(text));
}

static inline trellis_str ts_written(const ts_buffer *buffer) {
  const trellis_str out = {buffer->data, buffer->size};
  return out;
}

/* For functions that yield data: collects it in a ts_buffer. */
static inline void ts_append(void *buffer, trellis_str piece) {
  ts_put_bytes(buffer, piece.data, piece.size);
}

static inline trellis_sink ts_sink(ts_buffer *into) {
  const trellis_sink out = {into, ts_append};
  return out;
}

/* ------------------------------------------------------------------------------------------------------ answering */

/* `fields`: JSON object with the declared error's own members, or empty. Type "UnexpectedError": not for the caller to
 * act on. */
static inline trellis_error ts_error(const char *type, const char *message, trellis_str fields) {
  const trellis_error out = {sizeof(trellis_error), 0, ts_text(type), ts_text(message), {NULL, 0}, fields};
  return out;
}

static inline trellis_status ts_fail(const trellis_host *host, trellis_call call, const char *type, const char *message,
                                     trellis_str fields) {
  const trellis_error error = ts_error(type, message, fields);
  return host->fail(host->self, call, &error);
}

/* Answers with what was written, and frees it. */
static inline trellis_status ts_complete(const trellis_host *host, trellis_call call, ts_buffer *output) {
  const trellis_str none = {NULL, 0};
  const trellis_status status = output->failed ? ts_fail(host, call, "UnexpectedError", "no memory", none)
                                               : host->complete(host->self, call, ts_written(output));
  free(output->data);
  return status;
}

static inline void ts_report(trellis_error_sink sink, const char *message) {
  const trellis_str none = {NULL, 0};
  const trellis_error error = ts_error("UnexpectedError", message, none);
  if (sink.report) sink.report(sink.context, &error);
}

#endif
