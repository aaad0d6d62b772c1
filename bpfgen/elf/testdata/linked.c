// linked.so is made of this: gcc -g -gdwarf-5 -O2 -flto -shared -nostdlib -fPIC -fno-asynchronous-unwind-tables
// -Wl,-z,noseparate-code,-z,max-page-size=4096,-z,norelro, by gcc 12 on amd64.
typedef unsigned short port;
long late(int used, port p, const char *text) { return used + p + text[0]; }
void without(void) {}
