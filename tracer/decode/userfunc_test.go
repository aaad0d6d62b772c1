package decode

import (
	"testing"

	"ply-exporter/bpfgen/object"
	"ply-exporter/plylang"
)

// A function of a program is shown as its sources have it.
func TestUserFunction(t *testing.T) {
	function := &plylang.Type{Kind: plylang.Int, Size: 8, Display: plylang.DisplayUserFunc}
	for probe, want := range map[string]string{
		"uprobe:/bin/bash:readline":                                            "readline",
		"uprobe:/bin/bash:readline+4":                                          "readline+4",
		"uprobe:/bin/bash:0x1234":                                              "0x1234",
		"uprobe:/srv/app:main.(*Server).Serve":                                 "main.(*Server).Serve",
		"uprobe:/srv/app:_ZN3app6Server6handleEi":                              "app::Server::handle",
		"uretprobe:/srv/app:_ZN3app6Server6handleEi":                           "app::Server::handle",
		"uprobe:/srv/app:_ZN3app6Server6handleEi+4":                            "app::Server::handle+4",
		"uprobe:/srv/app:_ZN3appplERKNS_5ValueES2_":                            "app::operator+",
		"uprobe:/srv/app:_ZN4core3fmt9Formatter9write_fmt17h0123456789abcdefE": "core::fmt::Formatter::write_fmt",
		"uprobe:/srv/app:app::Server::handle":                                  "app::Server::handle",
	} {
		d := New(NewMachine(nil), []string{probe}, kernelStacks{1 << 40})
		if got := d.Text(object.Value{Type: function, Raw: make([]byte, 8)}); got != want {
			t.Errorf("the function of %s is %s; want %s", probe, got, want)
		}
	}
}
