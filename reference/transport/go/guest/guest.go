// GIVEN TO STUDENTS

// Package guest offers a transport in Go to the tester: docs/guest.md's lines become calls of your functions.
//
// What you leave nil is not offered yet: its checks say so. Nothing in here knows a socket or a clock: time is an
// argument, in seconds. Standard output belongs to the lines: print to standard error.
package guest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
)

// Segment has the fields of a segment, as the handout has them.
type Segment struct {
	Sequence        uint32      `json:"sequence"`
	Acknowledgement uint32      `json:"acknowledgement"`
	Window          uint32      `json:"window"`
	SYN             bool        `json:"syn"`
	ACK             bool        `json:"ack"`
	FIN             bool        `json:"fin"`
	RST             bool        `json:"rst"`
	SACK            [][2]uint32 `json:"sack"` // left edge, right edge
	Payload         []byte      `json:"payload"`
}

// Piece is bytes at a position of the stream.
type Piece struct {
	Position uint64
	Data     []byte
}

// MarshalJSON is the piece as docs/guest.md has it.
func (p Piece) MarshalJSON() ([]byte, error) { return json.Marshal([]any{p.Position, p.Data}) }

// Reassembler is stage 2.
type Reassembler interface {
	Receive(position uint64, data []byte)
	Read() []Piece
	Missing() [][2]uint64
}

// Connection is stages 3 to 7, and 9. The verbs are those of the handout.
type Connection interface {
	ReceiveDatagram(data []byte, now float64)
	HandleTimer(now float64)
	Abort()
	Send(data []byte) int // how many bytes were accepted
	End()
	Read(limit int) []byte
	NextEvent() string // "connected", "end of stream", ...; "": there is none
	DatagramsToSend(now float64) [][]byte
	NextTimer() (when float64, set bool)
}

// Calls are your functions; nil where there is none yet.
type Calls struct {
	Checksum       func(data []byte) uint32
	Encode         func(segment Segment) []byte
	Decode         func(data []byte) (Segment, bool) // false: it is not a segment
	NewReassembler func(kind string, capacity int) Reassembler
	NewConnection  func(role string, isn uint32, receiveBuffer int, model bool) Connection
}

type request struct {
	Do            string   `json:"do"`
	ID            int64    `json:"id"`
	Data          []byte   `json:"data"`
	Segment       Segment  `json:"segment"`
	Kind          string   `json:"kind"`
	Capacity      int      `json:"capacity"`
	Position      uint64   `json:"position"`
	Role          string   `json:"role"`
	ISN           uint32   `json:"isn"`
	ReceiveBuffer int      `json:"receive_buffer"`
	Model         bool     `json:"model"`
	Now           float64  `json:"now"`
	Receive       [][]byte `json:"receive"`
	Timer         bool     `json:"timer"`
	Abort         bool     `json:"abort"`
	Send          []byte   `json:"send"`
	End           bool     `json:"end"`
	Read          int      `json:"read"`
}

type answer map[string]any

type guest struct {
	calls        Calls
	connections  map[int64]Connection
	reassemblers map[int64]Reassembler
}

// Serve answers the tester's calls until its input ends.
func Serve(calls Calls) {
	g := guest{calls, map[int64]Connection{}, map[int64]Reassembler{}}
	lines := bufio.NewReaderSize(os.Stdin, 1<<16)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		said, err := json.Marshal(g.answer(line))
		if err != nil {
			said = []byte(`{"error":"an answer that is no JSON"}`)
		}
		os.Stdout.Write(append(said, '\n'))
	}
}

// answer is what a line is answered. A panic of yours is an error that the check shows, and not the end.
func (g *guest) answer(line []byte) (said answer) {
	defer func() {
		if what := recover(); what != nil {
			said = answer{"error": fmt.Sprint(what), "where": where()}
		}
	}()
	var r request
	if err := json.Unmarshal(line, &r); err != nil {
		return answer{"error": err.Error()}
	}
	if said := g.perform(r); said != nil {
		return said
	}
	return answer{"error": "this guest has no such call", "missing": true}
}

// where is the lines of the program that a panic went through, yours only.
func where() []string {
	places := []string{}
	callers := make([]uintptr, 20)
	frames := runtime.CallersFrames(callers[:runtime.Callers(4, callers)])
	for frame, more := frames.Next(); more && len(places) < 5; frame, more = frames.Next() {
		places = append(places, fmt.Sprintf("%s, line %d, in %s", frame.File, frame.Line, frame.Function))
	}
	return places
}

func (g *guest) perform(r request) answer {
	switch c := g.calls; {
	case r.Do == "hello":
		return g.hello()
	case r.Do == "checksum" && c.Checksum != nil:
		return answer{"value": c.Checksum(r.Data)}
	case r.Do == "encode" && c.Encode != nil:
		return answer{"data": c.Encode(r.Segment)}
	case r.Do == "decode" && c.Decode != nil:
		segment, ok := c.Decode(r.Data)
		if !ok {
			return answer{"segment": nil}
		}
		segment.SACK = append([][2]uint32{}, segment.SACK...) // a list, and never null
		segment.Payload = append([]byte{}, segment.Payload...)
		return answer{"segment": segment}
	case r.Do == "reassembler" && c.NewReassembler != nil:
		g.reassemblers[r.ID] = c.NewReassembler(r.Kind, r.Capacity)
		return answer{}
	case r.Do == "new" && c.NewConnection != nil:
		g.connections[r.ID] = c.NewConnection(r.Role, r.ISN, r.ReceiveBuffer, r.Model)
		return answer{}
	case r.Do == "drop":
		delete(g.connections, r.ID)
		delete(g.reassemblers, r.ID)
		return answer{}
	case r.Do == "step" && g.connections[r.ID] != nil:
		return step(g.connections[r.ID], r)
	case g.reassemblers[r.ID] != nil:
		return reassemble(g.reassemblers[r.ID], r)
	}
	return nil
}

func (g *guest) hello() answer {
	calls := []string{}
	offers := func(name string, there bool) {
		if there {
			calls = append(calls, name)
		}
	}
	offers("checksum", g.calls.Checksum != nil)
	offers("encode", g.calls.Encode != nil)
	offers("decode", g.calls.Decode != nil)
	offers("reassembler", g.calls.NewReassembler != nil)
	offers("new", g.calls.NewConnection != nil)
	return answer{"protocol": 1, "calls": calls}
}

func reassemble(r Reassembler, call request) answer {
	switch call.Do {
	case "receive":
		r.Receive(call.Position, call.Data)
		return answer{}
	case "read":
		return answer{"pieces": append([]Piece{}, r.Read()...)}
	case "missing":
		return answer{"holes": append([][2]uint64{}, r.Missing()...)}
	}
	return nil
}

// step is everything that happens to one connection at one instant, in the order of docs/guest.md.
func step(c Connection, r request) answer {
	for _, data := range r.Receive {
		c.ReceiveDatagram(data, r.Now)
	}
	if r.Timer {
		c.HandleTimer(r.Now)
	}
	if r.Abort {
		c.Abort()
	}
	said := answer{"accepted": 0, "read": []byte{}, "timer": nil}
	if len(r.Send) > 0 {
		said["accepted"] = c.Send(r.Send)
	}
	if r.End {
		c.End()
	}
	if r.Read > 0 {
		said["read"] = append([]byte{}, c.Read(r.Read)...)
	}
	events := []string{}
	for event := c.NextEvent(); event != ""; event = c.NextEvent() {
		events = append(events, event)
	}
	said["events"], said["datagrams"] = events, append([][]byte{}, c.DatagramsToSend(r.Now)...)
	if when, set := c.NextTimer(); set {
		said["timer"] = when
	}
	return said
}
