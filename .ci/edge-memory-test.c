/* `edge-memory.c` against the machine's own copies of memory that does not overlap: every length and distance below 300, longer ones by steps,
   apart and overlapping to either side. Built with both renamed, so that nothing else answers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *edge_memcpy(void *, const void *, size_t);
void *edge_memmove(void *, const void *, size_t);

enum { ROOM = 9000, LONGEST = 4200, AROUND = 140 };
static unsigned char before[ROOM], found[ROOM], wanted[ROOM];

/* Moves from `from` to `to`; nothing else may change. */
static void look(int apart, size_t to, size_t from, size_t n) {
  memcpy(found, before, ROOM);
  memcpy(wanted, before, ROOM);
  memcpy(wanted + to, before + from, n);
  void *said = (apart ? edge_memcpy : edge_memmove)(found + to, found + from, n);
  if (said == found + to && memcmp(found, wanted, ROOM) == 0) return;
  printf("%s of %zu bytes from %zu to %zu is wrong\n", apart ? "memcpy" : "memmove", n, from, to);
  exit(1);
}

int main(void) {
  for (size_t i = 0; i < ROOM; i++) before[i] = (unsigned char)rand();
  for (size_t n = 0; n < LONGEST; n += n < 300 ? 1 : 37) {
    look(1, ROOM / 2 + n % 5, n % 7, n);
    for (size_t to = 0; to <= 2 * AROUND; to += n < 300 ? 1 : 7) look(0, to, AROUND, n);
  }
  return 0;
}
