// classes.so is made of this: g++ -g -gdwarf-5 -O0 -shared -nostdlib -fPIC -fno-asynchronous-unwind-tables
// -Wl,-z,noseparate-code,-z,max-page-size=4096,-z,norelro, by g++ 12 on amd64.
struct Large { long v[3]; };
struct Small { long v[2]; };
enum class Level : signed char { LOW = 1 };
enum class Mask : unsigned long { NONE = 0, ALL = ~0UL };
struct __attribute__((packed)) Packed { char c; unsigned long bits : 61; };
struct Base { int x, y; };
struct Other { int z; };
struct Derived : Base, Other { int x; Large get(int a); };
extern "C" {
Large large(int a, long b) { return {{a, b}}; }
Small small(int a) { return {{a}}; }
long classes(Derived &d, Level l, Mask m, Packed *p) { return d.x + long(l) + long(m) + p->bits; }
}
Large Derived::get(int a) { return {{x, a}}; }
