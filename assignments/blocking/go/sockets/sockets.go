// Package sockets is the life of a socket, from its making to its end: connect, listen, close. What is sent over it is
// not here. Package net makes the sockets, sets SO_REUSEADDR before it binds, and listens with the longest backlog that
// the system allows; what it does not do is in here.
package sockets

import (
	"net"
	"time"

	"blocking/address"
)

// Stage 2: import what else you need.

// Patience is how long CloseGently waits for the peer's end.
const Patience = time.Second

// Stream is what TCP connections and those of Unix sockets have in common: each of the two directions has its own end.
type Stream interface {
	net.Conn
	CloseWrite() error
}

// Connect makes a stream connected to an address.
func Connect(to address.Address) (net.Conn, error) {
	panic("stage 1: net.Dial")
}

// Listen makes a socket that listens at an address. A Unix socket that nobody serves any more is replaced.
func Listen(at address.Address) (net.Listener, error) {
	panic("stage 2: net.Listen, after removing the file of a Unix socket at which nobody listens")
}

// Stage 2: remove the file of a Unix socket only if it is a socket that refuses a connection.

// CloseGently closes so that the peer can still read everything it was sent. It takes Patience at most.
//
// RFC 1122 section 4.2.2.13: closing with unread data sends a reset, which overtakes what the peer has not read yet.
// So: end our side first, throw away what still comes until the peer ends its own, and only then close.
func CloseGently(stream Stream) {
	panic("stage 2: CloseWrite, then read and forget until the end, but not for ever; then close")
}
