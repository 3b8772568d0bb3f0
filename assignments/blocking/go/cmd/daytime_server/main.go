// daytime_server ADDRESS: tell the date and time to everyone who asks, one client at a time (RFC 867).
//
// Over TCP or a Unix socket (stage 2) the answer is sent as soon as the connection is there, and the connection closed;
// over UDP (stage 3) every datagram is answered with one. The format is that of RFC 3339, in UTC, followed by CR LF.
package main

import (
	"net"
	"os"

	"blocking/address"
	"blocking/program"
	"blocking/sockets"
)

// Stage 2: import what else you need.

// daytime is this moment as a line, such as "2025-03-01T12:00:00Z" and CR LF.
func daytime() []byte {
	panic("stage 2: the time in UTC, whatever the time zone of this machine")
}

// serveStreams accepts one client after the other, for ever. A client that vanishes is not a reason to end.
func serveStreams(listener net.Listener) {
	panic("stage 2: Accept, Write the line, close so that the client can read it")
}

// serveDatagrams answers every datagram, whatever is in it, to the address it came from. For ever.
func serveDatagrams(bound net.PacketConn) {
	panic("stage 3: ReadFrom, WriteTo")
}

func main() {
	if len(os.Args) != 2 {
		program.Fail(program.Usage, "give one address")
	}
	at, err := address.Parse(os.Args[1])
	if err != nil {
		program.Fail(program.Usage, "%v", err)
	}
	if at.IsUDP() {
		bound, err := net.ListenPacket(at.Network, at.Target)
		if err != nil {
			program.Fail(program.CannotConnect, "%v", err)
		}
		program.EndOnSIGTERM(func() {})
		program.Announce(at.BoundAs(bound.LocalAddr()))
		serveDatagrams(bound)
		return
	}
	listener, err := sockets.Listen(at)
	if err != nil {
		program.Fail(program.CannotConnect, "%v", err)
	}
	program.EndOnSIGTERM(func() { listener.Close() }) // which removes the file of a Unix socket
	program.Announce(at.BoundAs(listener.Addr()))
	serveStreams(listener)
}
