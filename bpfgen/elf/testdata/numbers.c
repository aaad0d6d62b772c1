// numbers.so is made of this: gcc -g -gdwarf-5 -O2 -shared -nostdlib -fPIC -fno-asynchronous-unwind-tables
// -Wl,-z,noseparate-code,-z,max-page-size=4096,-z,norelro, by gcc 12 on amd64.
struct __attribute__((scalar_storage_order("big-endian"))) wire { unsigned short port; int sum; };
_Complex double turned(_Complex double c, int n) { return c * n; }
_Decimal64 price(_Decimal64 d, int n) { return d; }
int port(struct wire *w) { return w->port; }
