// parameters.so are made of this: gcc -g -gdwarf-VERSION -OLEVEL -shared -nostdlib -fPIC
// -Wl,-z,noseparate-code,-z,max-page-size=512, by gcc 12 on amd64.
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
