/* What plugins that attempt something on request have in common: {"mode", "path"} in their input. */
#ifndef TRELLIS_TEST_ATTEMPT_H
#define TRELLIS_TEST_ATTEMPT_H

#include <trellis/small.h>

/* The characters of a string member, "" when absent; cut off at `size`. */
static inline void member(const trellis_request *request, const char *name, char *out, size_t size) {
  trellis_str value;
  char *found = ts_member(request->input, name, &value) ? ts_string(value) : NULL;
  snprintf(out, size, "%s", found ? found : "");
  free(found);
}

#endif
