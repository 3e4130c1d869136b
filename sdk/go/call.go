package plugin

/*
#include "bridge.h"
*/
import "C"

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
)

// Call is the request being answered: proven, authorised and checked against its schema before the handler runs.
type Call struct {
	host       *Host
	id         C.trellis_call
	Input      json.RawMessage // as it came
	Caller     json.RawMessage // JSON object: who calls (06 §4.5)
	SessionKey string
	RequestID  string
	Deadline   time.Time // after it the host answers for the plugin
}

func newCall(host *Host, request *C.trellis_request) *Call {
	trace := trace{goText(request.traceparent), goText(request.tracestate)}
	return &Call{
		host:       host.inTrace(trace),
		id:         request.call,
		Input:      json.RawMessage(goText(request.input)),
		Caller:     json.RawMessage(goText(request.caller)),
		SessionKey: goText(request.session_key),
		RequestID:  goText(request.request_id),
		Deadline:   time.UnixMilli(int64(request.deadline_unix_ms)),
	}
}

// Host has the host's functions in this request's trace.
func (c *Call) Host() *Host { return c.host }

// Wanted says whether an answer is still wanted, for handlers that work long.
func (c *Call) Wanted() bool {
	return c.host.tell(func() C.trellis_status { return C.trellis_go_call_state(c.host.table, c.id) }) == nil
}

// Context ends at the request's deadline, for packages that want one.
func (c *Call) Context() (context.Context, context.CancelFunc) {
	return context.WithDeadline(context.Background(), c.Deadline)
}

func (c *Call) complete(output any) error {
	text, err := encode(output)
	if err != nil {
		_ = c.fail(fmt.Errorf("the output: %w", err))
		return &HostError{Status: Invalid, Type: "ValidationError", Message: err.Error()}
	}
	return c.host.tell(func() C.trellis_status {
		data, size := bytesOf(text)
		return C.trellis_go_complete(c.host.table, c.id, data, size)
	})
}

func (c *Call) fail(err error) error {
	kind, message, context, fields := faultTexts(faultOf(err))
	return c.host.tell(func() C.trellis_status {
		kindData, kindSize := lend(kind)
		messageData, messageSize := lend(message)
		contextData, contextSize := bytesOf(context)
		fieldsData, fieldsSize := bytesOf(fields)
		return C.trellis_go_fail(c.host.table, c.id, kindData, kindSize, messageData, messageSize, contextData,
			contextSize, fieldsData, fieldsSize)
	})
}

// Pending is a request that is answered later, once, from any goroutine. One that is forgotten is released when the
// garbage collector finds it: its caller gets an error.
type Pending struct {
	*Call
	answered int32
}

func newPending(call *Call) *Pending {
	pending := &Pending{Call: call}
	runtime.SetFinalizer(pending, (*Pending).Release)
	return pending
}

func (p *Pending) end() bool {
	runtime.SetFinalizer(p, nil)
	return atomic.CompareAndSwapInt32(&p.answered, 0, 1)
}

// Complete answers with an output. errors.Is(err, Gone): the request was over already; Invalid: the output breaks its
// schema, and the caller has got an error.
func (p *Pending) Complete(output any) error {
	if !p.end() {
		return statusError(Gone)
	}
	return p.complete(output)
}

// Fail answers with an error, as a handler that returns it.
func (p *Pending) Fail(err error) error {
	if !p.end() {
		return statusError(Gone)
	}
	return p.fail(err)
}

// Release gives the request up: if nobody has answered, the caller gets an error at once.
func (p *Pending) Release() {
	if p.end() {
		_ = p.host.tell(func() C.trellis_status { return C.trellis_go_release(p.host.table, p.id) })
	}
}

// Go answers with what work returns, in a goroutine whose panic is an error for the caller. A plain `go` would leave
// a panic to the runtime, which ends the process.
func (p *Pending) Go(work func() (any, error)) {
	go func() {
		const what = "the answer's goroutine"
		var output any
		err := errEnded(what)
		defer func() {
			if err != nil {
				_ = p.Fail(err)
				return
			}
			_ = p.Complete(output)
		}()
		err = caught(p.host, what, func() (err error) {
			output, err = work()
			return err
		})
	}()
}
