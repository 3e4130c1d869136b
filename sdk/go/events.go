package plugin

/*
#include "bridge.h"
*/
import "C"

import (
	"encoding/json"
	"runtime/cgo"
	"time"
)

// Listen says which events a listener gets.
type Listen struct {
	Contract    string // whose event it is; "" is this plugin's own
	Group       string // of the contract's eventConsumers: nothing is missed, and a failure comes again; "": live
	SubjectData any    // live: JSON object that fixes tokens of the subject; nil: all
}

// Event is what is known about an event beside its payload.
type Event struct {
	ID       string
	Subject  string
	Time     time.Time       // zero when absent
	Delivery uint32          // 1 the first time that this group gets it; 0 for a live listener
	Sequence uint64          // of the stream; 0 for a live listener
	Payload  json.RawMessage // as it came, with its header
	host     *Host
}

// Host has the host's functions in the event's trace.
func (e *Event) Host() *Host { return e.host }

// Published is what the stream said about an event.
type Published struct {
	ID        string `json:"id"`
	Subject   string `json:"subject"`
	Stream    string `json:"stream"`
	Sequence  uint64 `json:"sequence"`
	Duplicate bool   `json:"duplicate"` // the stream had it already, which is as good
}

func (h *Host) event(lane lane, how C.int32_t, contract, name string, payload any, done C.uintptr_t) ([]byte, error) {
	text, err := encode(payload)
	if err != nil {
		return nil, &HostError{Status: Invalid, Type: "ValidationError", Message: "the payload: " + err.Error()}
	}
	return h.askIn(lane, func(result *C.trellis_go_result) {
		contractData, contractSize := lend(contract)
		nameData, nameSize := lend(name)
		payloadData, payloadSize := bytesOf(text)
		parentData, parentSize := lend(h.trace.parent)
		stateData, stateSize := lend(h.trace.state)
		C.trellis_go_event(h.table, how, contractData, contractSize, nameData, nameSize, payloadData, payloadSize,
			parentData, parentSize, stateData, stateSize, done, result)
	})
}

// Publish publishes an event that the contract owns, or uses with publish, and waits until the stream has it. The
// payload's header is made by the host.
func (h *Host) Publish(contract, event string, payload any) (Published, error) {
	text, err := h.event(h.lanes.slow, C.TRELLIS_GO_PUBLISH, contract, event, payload, 0)
	if err != nil {
		return Published{}, err
	}
	return decode[Published](text)
}

// Prepare makes the event without sending it: JSON that can be stored and published later, any number of times, as the
// same event.
func (h *Host) Prepare(contract, event string, payload any) (json.RawMessage, error) {
	return h.event(h.lanes.quick, C.TRELLIS_GO_PREPARE, contract, event, payload, 0)
}

// PublishPrepared publishes what Prepare made. limit 0: 5 seconds.
func (h *Host) PublishPrepared(prepared json.RawMessage, limit time.Duration) (Published, error) {
	text, err := h.askIn(h.lanes.slow, func(result *C.trellis_go_result) {
		data, size := bytesOf(prepared)
		C.trellis_go_publish_prepared(h.table, data, size, milliseconds(limit), result)
	})
	if err != nil {
		return Published{}, err
	}
	return decode[Published](text)
}

// PublishAsync doesn't wait. An error here means that done isn't called; otherwise it runs exactly once, in a goroutine
// of its own.
func (h *Host) PublishAsync(contract, event string, payload any, done func(error)) error {
	handle := cgo.NewHandle(reply{host: h, run: func(_ []byte, err error) { done(err) }})
	_, err := h.event(h.lanes.quick, C.TRELLIS_GO_PUBLISH_ASYNC, contract, event, payload, C.uintptr_t(handle))
	if err != nil {
		handle.Delete()
	}
	return err
}

func newEvent(host *Host, delivery *C.trellis_event_delivery) *Event {
	event := &Event{
		ID:       goText(delivery.id),
		Subject:  goText(delivery.subject),
		Delivery: uint32(delivery.delivery),
		Sequence: uint64(delivery.sequence),
		Payload:  json.RawMessage(goText(delivery.payload)),
		host:     host.inTrace(trace{goText(delivery.traceparent), goText(delivery.tracestate)}),
	}
	if delivery.time_unix_ms != 0 {
		event.Time = time.UnixMilli(int64(delivery.time_unix_ms))
	}
	return event
}
