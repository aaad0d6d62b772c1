package exporter

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/prometheus/exporter-toolkit/web"
)

// listen opens all addresses before anything is attached, so that a port in
// use is the first thing said.
func listen(flags *web.FlagConfig) ([]net.Listener, error) {
	if flags.WebSystemdSocket != nil && *flags.WebSystemdSocket {
		return listenersOf(activation.Files(true))
	}
	var listeners []net.Listener
	for _, address := range *flags.WebListenAddresses {
		if address == "" {
			closeAll(listeners)
			return nil, errors.New("--web.listen-address is empty, which would be any port: give one, as in --web.listen-address=:10759")
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			closeAll(listeners)
			return nil, listenError(address, err)
		}
		listeners = append(listeners, l)
	}
	if len(listeners) == 0 {
		return nil, errors.New("no address to listen on: give --web.listen-address")
	}
	return listeners, nil
}

// listenersOf makes listeners of the sockets that systemd passed, and closes
// these.
func listenersOf(files []*os.File) (listeners []net.Listener, err error) {
	if len(files) == 0 {
		return nil, errors.New("systemd passed no socket: start it through its .socket unit")
	}
	for _, f := range files {
		fd := f.Fd()
		l, ferr := net.FileListener(f)
		_ = f.Close()
		if ferr != nil {
			err = cmp.Or(err, fmt.Errorf("systemd passed %s as descriptor %d, which accepts no connections (%w): use ListenStream= in the .socket unit", f.Name(), fd, ferr))
			continue
		}
		listeners = append(listeners, l)
	}
	if err != nil {
		closeAll(listeners)
		return nil, err
	}
	return listeners, nil
}

func listenError(address string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s is in use by another program: choose another address with --web.listen-address", address)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%s may not be opened by this user: ports below 1024 need CAP_NET_BIND_SERVICE", address)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%s is no address of this machine", address)
	case strings.HasPrefix(address, "vsock:"):
		return fmt.Errorf("%s: vsock is not supported", address)
	}
	var malformed *net.AddrError
	var unknown *net.DNSError
	if errors.As(err, &malformed) || errors.As(err, &unknown) {
		return fmt.Errorf("%s is no address to listen on: give host:port, as in 127.0.0.1:10759, or :port for all addresses", address)
	}
	return fmt.Errorf("cannot listen on %s: %w", address, err)
}
