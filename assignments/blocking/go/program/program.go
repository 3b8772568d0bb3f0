// Package program holds what every program of this assignment promises the shell: its exit status, its one line of
// complaint, its end.
package program

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// Exit statuses. 0 is success, as everywhere.
const (
	ServerSaidError = 1 // the server answered `error REASON`
	Usage           = 2 // the command line is wrong, or names a file that cannot be sent
	CannotConnect   = 3 // a client cannot connect, a server cannot listen
	BrokenProtocol  = 4 // the peer broke the protocol: a reset, an end inside a frame, an invalid reply
	GaveUp          = 5 // nobody answered in time
)

// Fail says in one line on standard error what happened, and ends with this status.
func Fail(status int, format string, words ...any) {
	fmt.Fprintf(os.Stderr, "%s: %s\n", filepath.Base(os.Args[0]), fmt.Sprintf(format, words...))
	os.Exit(status)
}

// Options reads what comes after the address. Every mistake ends the program with Usage.
func Options(options *flag.FlagSet, words []string) {
	options.SetOutput(os.Stderr)
	if err := options.Parse(words); err != nil || options.NArg() > 0 {
		Fail(Usage, "what comes after the address are options with a value")
	}
}

// Announce tells whoever started this server that clients may come. Standard output has no buffer in Go.
func Announce(address any) {
	fmt.Printf("listening on %v\n", address)
}

// EndOnSIGTERM makes SIGTERM call `tidy` and end the program with status 0, wherever it waits.
func EndOnSIGTERM(tidy func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	go func() {
		<-signals
		tidy()
		os.Exit(0)
	}()
}

// Seconds is a number of seconds from the command line, above 0.
type Seconds struct{ time.Duration }

// Set is called by package flag.
func (s *Seconds) Set(text string) error {
	var value float64
	if n, err := fmt.Sscanf(text+" ", "%g ", &value); n != 1 || err != nil || !(value > 0 && value < 1e6) {
		return fmt.Errorf("not a number of seconds above 0")
	}
	s.Duration = time.Duration(value * float64(time.Second))
	return nil
}

// Count is a whole number from the command line, from 1 on.
type Count int

func (c *Count) String() string { return fmt.Sprint(int(*c)) }

// Set is called by package flag.
func (c *Count) Set(text string) error {
	var value int
	if n, err := fmt.Sscanf(text+" ", "%d ", &value); n != 1 || err != nil || value < 1 {
		return fmt.Errorf("not a whole number above 0")
	}
	*c = Count(value)
	return nil
}
