struct pair { long a, b; };
extern volatile long sink;
long live(int a, struct pair *p) { return sink += a + p->a; }
