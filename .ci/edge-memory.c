/* Copying for x86-64: musl's is `rep movsq`, whose start takes longer than most copies are, a tenth of
   all that the gateway's processor did. Its copies for ARM are fast; there this stands for nothing. */
#if defined __x86_64__
#include <stddef.h>
#include <stdint.h>

typedef uint64_t word __attribute__((may_alias, aligned(1)));
typedef uint32_t half __attribute__((may_alias, aligned(1)));
typedef uint16_t quarter __attribute__((may_alias, aligned(1)));
typedef long long line __attribute__((vector_size(16), may_alias, aligned(1)));

/* From here on the string instruction is faster. */
enum { LONG = 2048 };

/* All of a short piece is read before any of it is written: it may overlap. */
static void copy_short(unsigned char *to, const unsigned char *from, size_t n) {
  if (n > 32) {
    line a = *(line *)from, b = *(line *)(from + 16);
    line y = *(line *)(from + n - 32), z = *(line *)(from + n - 16);
    *(line *)to = a, *(line *)(to + 16) = b;
    *(line *)(to + n - 32) = y, *(line *)(to + n - 16) = z;
  } else if (n >= 16) {
    line a = *(line *)from, z = *(line *)(from + n - 16);
    *(line *)to = a, *(line *)(to + n - 16) = z;
  } else if (n >= 8) {
    word a = *(word *)from, z = *(word *)(from + n - 8);
    *(word *)to = a, *(word *)(to + n - 8) = z;
  } else if (n >= 4) {
    half a = *(half *)from, z = *(half *)(from + n - 4);
    *(half *)to = a, *(half *)(to + n - 4) = z;
  } else if (n >= 2) {
    quarter a = *(quarter *)from, z = *(quarter *)(from + n - 2);
    *(quarter *)to = a, *(quarter *)(to + n - 2) = z;
  } else if (n == 1) {
    *to = *from;
  }
}

/* What is to be read stands behind what is written, or apart from it. */
static void copy_forwards(unsigned char *to, const unsigned char *from, size_t n) {
  for (; n > 64; n -= 32, to += 32, from += 32) {
    line a = *(line *)from, b = *(line *)(from + 16);
    *(line *)to = a, *(line *)(to + 16) = b;
  }
  copy_short(to, from, n);
}

static void copy_backwards(unsigned char *to, const unsigned char *from, size_t n) {
  for (; n > 64; n -= 32) {
    line a = *(line *)(from + n - 32), b = *(line *)(from + n - 16);
    *(line *)(to + n - 32) = a, *(line *)(to + n - 16) = b;
  }
  copy_short(to, from, n);
}

void *memcpy(void *restrict into, const void *restrict out, size_t n) {
  void *to = into;
  if (n < LONG) copy_forwards(into, out, n);
  else __asm__ volatile("rep movsb" : "+D"(to), "+S"(out), "+c"(n) : : "memory");
  return into;
}

void *memmove(void *into, const void *out, size_t n) {
  if ((uintptr_t)into - (uintptr_t)out >= n) copy_forwards(into, out, n);
  else copy_backwards(into, out, n);
  return into;
}
#endif
