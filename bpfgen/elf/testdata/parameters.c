// parameters.so are made of this: gcc -g -gdwarf-VERSION -OLEVEL -shared -nostdlib -fPIC
// -Wl,-z,noseparate-code,-z,max-page-size=4096,-z,norelro, by gcc 12 on amd64.
// parameters-O2-dwz is parameters-O2-dwarf4.so after dwz -m shared.debug, with another.
// With -ffile-prefix-map=$PWD=. for the folder: dwz/four and dwz/five are made in the same way by
// dwz -m four.debug and dwz -5 -m five.debug, parameters-O2-types5.so with -fdebug-types-section,
// parameters-O2-types4.so too, after objcopy --compress-debug-sections=zlib-gnu. split/four.so and
// split/five.so are made with -gsplit-dwarf, split/types.so also with -fdebug-types-section, and
// its .dwp by dwp; lines with -g1 in place of -g -gdwarf-VERSION.
struct pair { long a, b; };
struct big { long v[8]; };
typedef unsigned int u32;
enum color { RED, GREEN };
volatile long sink;

long simple(int a, const char *s, u32 n, enum color c, _Bool b, long l, short seventh, char eighth) { return a + s[0] + n + c + b + l + seventh + eighth; }
double floats(double d, int i, float f) { return d * i + f; }
long structs(struct pair p, struct big g, int after) { return p.a + p.b + g.v[3] + after; }
void none(void) { sink = 1; }
__attribute__((noinline)) static long part(int used, int unused, long x) { sink = used; return x * used; }
long caller(int a) { return part(a, 7, a) + part(a, 7, sink); }
struct node {
	struct pair p;
	struct node *next;
	union { long l; double d; };
	char name[12];
	unsigned low : 3, high : 5;
	float f;
	struct opaque *o;
	int list[2][2];
};
int walk(struct node *n, signed char delta) { return n->p.a < 0 ? -1 : n->list[1][0] + delta; }
_Bool yes(int x) { return x; }
enum color hue(int x) { return x & 1; }
const char *text(int x) { return x ? "one" : "zero"; }
__attribute__((cold, noinline)) void rare(long x) { sink = x; }
long split(long x, long y) { if (x > 100) { rare(x); rare(y); sink = y; return -1; } return x * y; }
