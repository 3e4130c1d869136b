/* A contract that is a file of its own, instead of TRELLIS_CONTRACT({...}), in C, C++ and the C file of a Go plugin:
 *
 *   TRELLIS_CONTRACT_FILE("contract.json");
 *
 * once, at file scope. The assembler reads the file, from where -I points; so whoever builds has to say that the object
 * depends on it. Nothing of the ABI depends on this header: TRELLIS_CONTRACT and `trellis plugin embed` make the same
 * section. */
#ifndef TRELLIS_CONTRACT_FILE_H
#define TRELLIS_CONTRACT_FILE_H

/* "R": kept when the linker drops what nothing refers to. */
#define TRELLIS_SECTION_FILE(section, file)                                                                            \
  __asm__(".pushsection " section ",\"aR\",@progbits\n"                                                                \
          ".incbin \"" file "\"\n"                                                                                     \
          ".popsection\n")
#define TRELLIS_CONTRACT_FILE(file) TRELLIS_SECTION_FILE(".trellis.contract", file)
#define TRELLIS_CONFIG_SCHEMA_FILE(file) TRELLIS_SECTION_FILE(".trellis.config-schema", file)

#endif /* TRELLIS_CONTRACT_FILE_H */
