/* Where the gateway's program begins: its own addresses first, then musl's start.

   The program stands at an address that nobody knows before, so each pointer in its data has the real
   one added. Written one by one (RELA) these places are 280 kB of the file; as bits (RELR) they are 4.
   musl reads bits from 1.2.4 on, Debian 12 has 1.2.3: `edge-build` puts this before it where it must.

   The list is `DT_RELR` of the generic ELF specification: a word with the lowest bit clear is the address
   of a place, one with it set says of the following places which. */
#include <stdint.h>

enum { DT_END = 0, DT_RELRSZ = 35, DT_RELR = 36 };

struct dynamic {
  uintptr_t tag, value;
};

__attribute__((visibility("hidden"))) extern char __ehdr_start[];
__attribute__((visibility("hidden"))) extern const struct dynamic _DYNAMIC[];

__attribute__((visibility("hidden"), used)) void edge_relocate(void) {
  const uintptr_t base = (uintptr_t)__ehdr_start, bits = 8 * sizeof(uintptr_t) - 1;
  const uintptr_t *list = 0;
  uintptr_t size = 0, *place = 0;
  for (const struct dynamic *one = _DYNAMIC; one->tag != DT_END; one++) {
    if (one->tag == DT_RELR) list = (const uintptr_t *)(base + one->value);
    if (one->tag == DT_RELRSZ) size = one->value;
  }
  for (const uintptr_t *end = list + size / sizeof *list; list < end; list++) {
    if ((*list & 1) == 0) {
      place = (uintptr_t *)(base + *list);
      *place++ += base;
      continue;
    }
    for (uintptr_t at = 0, word = *list >> 1; word != 0; at++, word >>= 1)
      if (word & 1) place[at] += base;
    place += bits;
  }
}

__asm__(".text\n.globl edge_start\n.hidden edge_start\n.type edge_start, %function\nedge_start:\n"
#if defined __x86_64__
        "xor %ebp, %ebp\n mov %rsp, %rbx\n mov %rdx, %r12\n and $-16, %rsp\n"
        "call edge_relocate\n"
        "mov %rbx, %rsp\n mov %r12, %rdx\n jmp _start\n"
#elif defined __aarch64__
        "mov x19, sp\n mov x20, x0\n"
        "bl edge_relocate\n"
        "mov sp, x19\n mov x0, x20\n b _start\n"
#elif defined __arm__
        "mov r4, sp\n mov r5, r0\n bic sp, sp, #7\n"
        "bl edge_relocate\n"
        "mov sp, r4\n mov r0, r5\n b _start\n"
#else
#error "no start for this processor"
#endif
);
