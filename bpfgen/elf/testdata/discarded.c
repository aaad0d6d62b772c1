// discarded and skeleton are made of this: gcc -g -gdwarf-5 -O1 -shared -nostdlib -fPIC -ffunction-sections
// -Wl,--gc-sections,-z,noseparate-code,-z,max-page-size=4096,-z,norelro, with discarded-live.c, by gcc 12 on amd64;
// skeleton, of discarded-live.c alone, with -gsplit-dwarf, too, and types with -fdebug-types-section.
volatile long sink;
__attribute__((visibility("hidden"))) void left_out(int q) { __asm__ volatile(".skip 200000, 0x90"); sink = q; }
long other(int a, long b) { return sink += a + b; }
