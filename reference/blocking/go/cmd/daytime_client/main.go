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

// BEGIN SOLUTION: stage 1: import what else you need
import "io"

// END SOLUTION

// Larger than any datagram: a UDP payload has 65,507 bytes at most over IPv4. What does not fit would be cut off.
const largestDatagram = 65536

// copyStream writes what the peer sends to standard output as it comes, until the end of the stream.
//
// A stream has no message boundaries: one Read may return half a line or many. io.EOF alone means the end.
func copyStream(stream net.Conn) error {
	// BEGIN SOLUTION: stage 1: Read until io.EOF and write each piece, which is what io.Copy does
	_, err := io.Copy(os.Stdout, stream)
	return err
	// END SOLUTION
}

// ask asks over UDP, up to `tries` times, `timeout` each; nil if no answer came.
//
// Dial sends nothing for datagrams: it tells the kernel to drop what other addresses send, and to report ICMP errors
// ("port unreachable") at the next call.
func ask(connected net.Conn, timeout time.Duration, tries int) []byte {
	// BEGIN SOLUTION: stage 3: send an empty datagram, wait for the answer until a deadline, and try again
	for ; tries > 0; tries-- {
		sendQuestion(connected)
		if answer := receiveBefore(connected, time.Now().Add(timeout)); answer != nil {
			return answer
		}
	}
	return nil
	// END SOLUTION
}

// BEGIN SOLUTION: stage 3: two helpers: send the question, and receive until a deadline
// sendQuestion sends an empty datagram. An error may belong to the datagram before, and then nothing was sent.
func sendQuestion(connected net.Conn) {
	if _, err := connected.Write(nil); err != nil {
		connected.Write(nil)
	}
}

// receiveBefore is the next datagram if it comes before the deadline, else nil. An ICMP error ends nothing.
func receiveBefore(connected net.Conn, deadline time.Time) []byte {
	answer := make([]byte, largestDatagram)
	connected.SetReadDeadline(deadline)
	for time.Now().Before(deadline) {
		if length, err := connected.Read(answer); err == nil {
			return answer[:length] // an empty answer is an answer, and not nil
		}
	}
	return nil
}

// END SOLUTION

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
