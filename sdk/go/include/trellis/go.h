/* The two things of a Go plugin that Go can't write: its contract's section and its exported constant. In a C file of
 * the plugin's main package, which the go tool compiles because the package says import "C":
 *
 *   #include <trellis/go.h>
 *   TRELLIS_GO_PLUGIN("greeter", "1.0.0");
 *   TRELLIS_CONTRACT_FILE("contract.json");
 *
 * The contract is looked for where -I points. Name it in a //go:embed as well: that's how the go tool learns that the
 * plugin has to be built again when the contract changes. */
#ifndef TRELLIS_GO_H
#define TRELLIS_GO_H

#include <trellis/plugin.h>

/* Weak, because the go tool links each package alone once, to see what it imports. */
extern __attribute__((weak, visibility("hidden"))) trellis_status
trellis_go_create(const trellis_host *host, const trellis_plugin **out, trellis_error_sink error);

#define TRELLIS_GO_PLUGIN(program, program_version)                                                                    \
  TRELLIS_EXPORT extern const trellis_plugin_entry trellis_plugin_entry_v1;                                            \
  const trellis_plugin_entry trellis_plugin_entry_v1 = {sizeof(trellis_plugin_entry),                                  \
                                                        TRELLIS_ABI_MAJOR,                                             \
                                                        TRELLIS_ABI_MINOR,                                             \
                                                        0,                                                             \
                                                        {program, sizeof(program) - 1},                                \
                                                        {program_version, sizeof(program_version) - 1},                \
                                                        trellis_go_create}

#define TRELLIS_SECTION_FILE(section, file)                                                                            \
  __asm__(".pushsection " section ",\"aR\",@progbits\n"                                                                \
          ".incbin \"" file "\"\n"                                                                                     \
          ".popsection\n")
#define TRELLIS_CONTRACT_FILE(file) TRELLIS_SECTION_FILE(".trellis.contract", file)
#define TRELLIS_CONFIG_SCHEMA_FILE(file) TRELLIS_SECTION_FILE(".trellis.config-schema", file)

#endif
