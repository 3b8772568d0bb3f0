// Package address reads addresses as the course writes them: HOST:PORT, [V6]:PORT, udp:HOST:PORT, unix:PATH.
// Hosts are numeric: names would bring DNS in, which is another subject.
package address

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// Address is where a program connects or listens.
type Address struct {
	Network string // the first argument of net.Dial: tcp4, tcp6, udp4, udp6 or unix
	Target  string // its second: a numeric host and a port, or a path
}

// Parse reads an address.
func Parse(text string) (Address, error) {
	if path := strings.TrimPrefix(text, "unix:"); path != text && path != "" {
		return Address{"unix", path}, nil
	}
	network := "tcp"
	rest := strings.TrimPrefix(text, "udp:")
	if rest != text {
		network = "udp"
	}
	where, err := netip.ParseAddrPort(rest)
	if err != nil {
		return Address{}, fmt.Errorf("%q is not an address: HOST:PORT, [V6]:PORT, udp:... or unix:PATH", text)
	}
	if where.Addr().Is4() {
		return Address{network + "4", where.String()}, nil
	}
	return Address{network + "6", where.String()}, nil
}

// IsUDP says whether datagrams travel there, and not a stream.
func (a Address) IsUDP() bool { return strings.HasPrefix(a.Network, "udp") }

// BoundAs is this address with the port that a socket was really given.
func (a Address) BoundAs(given net.Addr) Address {
	if a.Network == "unix" {
		return a
	}
	return Address{a.Network, given.String()}
}

func (a Address) String() string {
	switch {
	case a.Network == "unix":
		return "unix:" + a.Target
	case a.IsUDP():
		return "udp:" + a.Target
	}
	return a.Target
}
