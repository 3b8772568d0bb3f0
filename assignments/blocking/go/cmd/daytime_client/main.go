// daytime_client ADDRESS [--timeout S] [--tries N]: print the date and time that a server tells (RFC 867).
//
// Over TCP or a Unix socket (stage 1) the server sends its text and closes; what it sends is printed as it comes.
// Over UDP (stage 3) an empty datagram asks, and one datagram is the answer.
package main

import (
	"flag"
	"net"
	"os"
	"time"

	"blocking/address"
	"blocking/program"
	"blocking/sockets"
)

// Stage 1: import what else you need.

// Larger than any datagram: a UDP payload has 65,507 bytes at most over IPv4. What does not fit would be cut off.
const largestDatagram = 65536

// copyStream writes what the peer sends to standard output as it comes, until the end of the stream.
//
// A stream has no message boundaries: one Read may return half a line or many. io.EOF alone means the end.
func copyStream(stream net.Conn) error {
	panic("stage 1: Read until io.EOF and write each piece, which is what io.Copy does")
}

// ask asks over UDP, up to `tries` times, `timeout` each; nil if no answer came.
//
// Dial sends nothing for datagrams: it tells the kernel to drop what other addresses send, and to report ICMP errors
// ("port unreachable") at the next call.
func ask(connected net.Conn, timeout time.Duration, tries int) []byte {
	panic("stage 3: send an empty datagram, wait for the answer until a deadline, and try again")
}

// Stage 3: two helpers: send the question, and receive until a deadline.

func main() {
	if len(os.Args) < 2 {
		program.Fail(program.Usage, "give an address")
	}
	to, err := address.Parse(os.Args[1])
	if err != nil {
		program.Fail(program.Usage, "%v", err)
	}
	timeout, tries := program.Seconds{Duration: time.Second}, program.Count(3)
	options := flag.NewFlagSet("daytime_client", flag.ContinueOnError)
	options.Var(&timeout, "timeout", "UDP: seconds to wait for each try")
	options.Var(&tries, "tries", "UDP: how often to ask")
	program.Options(options, os.Args[2:])
	if to.IsUDP() {
		connected, err := net.Dial(to.Network, to.Target)
		if err != nil {
			program.Fail(program.CannotConnect, "%v", err)
		}
		answer := ask(connected, timeout.Duration, int(tries))
		if answer == nil {
			program.Fail(program.GaveUp, "%v: no answer to %d datagrams", to, tries)
		}
		os.Stdout.Write(answer)
		return
	}
	stream, err := sockets.Connect(to)
	if err != nil {
		program.Fail(program.CannotConnect, "%v", err)
	}
	if err := copyStream(stream); err != nil {
		program.Fail(program.BrokenProtocol, "%v", err)
	}
}
