package plylang

import (
	"fmt"
	"strings"
	"testing"
)

// After Check a constant is a literal with the number that the other side's type
// has for it.
func TestConstantsAreLiterals(t *testing.T) {
	script := checked(t, `tracepoint:sched/sched_switch / data->newstate == BOTH / {
		@a[TCP_SYN_SENT] = 1;
		if (data->reason == BOTH) { @b = data->mode & (O_CREAT | O_EXCL); }
		unroll (2) { @c = data->reason in (NO_SOCKET, DROP_MINUS); }
		@d = (enum tcp_states)BOTH;
		@e = quantize(data->bytes, AGREED);
		print(TCP_CLOSE, (data->newstate == TCP_CLOSE ? "x" : "y"));
	}`)
	var got []string
	note := func(x Expr) {
		switch x := x.(type) {
		case *Name:
			if x.Func == nil && x.Local == nil {
				t.Errorf("%s is still a name", x.Name)
			}
		case *Number:
			if v, ok := ConstInt(x); ok && x.Type().Kind == Enum {
				got = append(got, fmt.Sprintf("%s=%d", x, v))
			}
		}
	}
	cl := script.Clauses[0]
	Inspect(cl.Pred, note)
	Inspect(cl.Body, note)
	want := "BOTH=8 TCP_SYN_SENT=2 BOTH=9 O_CREAT=64 O_EXCL=128 NO_SOCKET=3 DROP_MINUS=-1 BOTH=8 AGREED=4 TCP_CLOSE=7 TCP_CLOSE=7"
	if strings.Join(got, " ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, " "), want)
	}
}

// A local, a map, a built-in and a field hide a constant of their name.
func TestConstantsAreHidden(t *testing.T) {
	script := checked(t, `trace:sched/sched_switch { TCP_CLOSE = 5; TCP_SYN_SENT[1] = 6; @a = TCP_CLOSE == newstate; @b = TCP_SYN_SENT[1] == newstate; @c = TCP_ESTABLISHED == newstate; }`)
	locals, maps := 0, 0
	Inspect(script.Clauses[0].Body, func(x Expr) {
		switch x := x.(type) {
		case *Name:
			if x.Local != nil {
				locals++
			}
		case *MapRef:
			if x.Name == "TCP_SYN_SENT" {
				maps++
			}
		}
	})
	if locals != 2 || maps != 2 {
		t.Errorf("%d uses of a local and %d of a map", locals, maps)
	}
}
