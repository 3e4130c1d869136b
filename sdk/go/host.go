package plugin

/*
#cgo CFLAGS: -std=c11 -fvisibility=hidden -I${SRCDIR}/include -I${SRCDIR}/../../plugin-api
#include "bridge.h"
*/
import "C"

import (
	"runtime/cgo"
	"time"
	"unsafe"
)

// Host is what the host offers, for any goroutine and as long as wanted. Calls and events made through one that belongs
// to a request (Call.Host) carry that request's trace.
type Host struct {
	table *C.trellis_host
	gate  *gate
	lanes *lanes
	trace trace
}

func newHost(table *C.trellis_host) *Host {
	return &Host{table: table, gate: newGate(), lanes: newLanes()}
}

type trace struct{ parent, state string }

func (h *Host) inTrace(t trace) *Host { return &Host{h.table, h.gate, h.lanes, t} }

// Level is how loud a log line is.
type Level int32

const (
	Trace Level = 0
	Debug Level = 1
	Info  Level = 2
	Warn  Level = 3
	Error Level = 4
)

// Fields are further members of a log line.
type Fields map[string]any

// bytesOf lends a text to C for one call.
func bytesOf(text []byte) (*C.char, C.size_t) {
	if len(text) == 0 {
		return nil, 0
	}
	return (*C.char)(unsafe.Pointer(&text[0])), C.size_t(len(text))
}

func lend(text string) (*C.char, C.size_t) { return bytesOf([]byte(text)) }

func goText(text C.trellis_str) string {
	if text.size == 0 {
		return ""
	}
	return string(unsafe.Slice((*byte)(unsafe.Pointer(text.data)), int(text.size)))
}

func kept(text C.trellis_go_text) []byte {
	if text.size == 0 {
		return nil
	}
	return append([]byte(nil), unsafe.Slice((*byte)(unsafe.Pointer(text.data)), int(text.size))...)
}

// ask runs a function of the host that fills a result.
func (h *Host) ask(run func(result *C.trellis_go_result)) ([]byte, error) {
	return h.askIn(h.lanes.quick, run)
}

func (h *Host) askIn(lane lane, run func(result *C.trellis_go_result)) ([]byte, error) {
	lane.enter()
	defer lane.leave()
	if !h.gate.enter() {
		return nil, statusError(Gone)
	}
	defer h.gate.leave()
	var result C.trellis_go_result
	defer C.trellis_go_free_result(&result)
	run(&result)
	if result.status == C.TRELLIS_OK {
		return kept(result.output), nil
	}
	err := statusError(Status(result.status))
	if result.has_error != 0 {
		err.Type, err.Message = string(kept(result._type)), string(kept(result.message))
		err.Fields, err.Context = kept(result.fields), kept(result.context)
	}
	return nil, err
}

// tell runs a function of the host that has nothing but a status.
func (h *Host) tell(run func() C.trellis_status) error {
	h.lanes.quick.enter()
	defer h.lanes.quick.leave()
	if !h.gate.enter() {
		return statusError(Gone)
	}
	defer h.gate.leave()
	if status := run(); status != C.TRELLIS_OK {
		return statusError(Status(status))
	}
	return nil
}

// Log writes one line with the plugin's name. fields may be nil.
func (h *Host) Log(level Level, message string, fields Fields) {
	text, err := objectText(map[string]any(fields))
	if err != nil {
		text, _ = objectText(Fields{"unwritable": err.Error()})
	}
	_ = h.tell(func() C.trellis_status {
		messageData, messageSize := lend(message)
		fieldsData, fieldsSize := bytesOf(text)
		C.trellis_go_log(h.table, C.int32_t(level), messageData, messageSize, fieldsData, fieldsSize)
		return C.TRELLIS_OK
	})
}

// Config reads the operator's table [plugins.NAME.config].
func Config[T any](h *Host) (config T, err error) {
	text, err := h.ask(func(result *C.trellis_go_result) { C.trellis_go_config(h.table, result) })
	if err != nil {
		return config, err
	}
	return decode[T](text)
}

// Identity is who this plugin is.
type Identity struct {
	Plugin         string `json:"plugin"` // its name in the operator's TOML
	ContractID     string `json:"contractId"`
	ContractDigest string `json:"contractDigest"`
	SessionKey     string `json:"sessionKey"`
	ConfigDir      string `json:"configDir"` // the folder that paths in its settings are relative to
}

func (h *Host) Identity() (Identity, error) {
	text, err := h.ask(func(result *C.trellis_go_result) { C.trellis_go_identity(h.table, result) })
	if err != nil {
		return Identity{}, err
	}
	return decode[Identity](text)
}

// milliseconds rounds up: less than one isn't 0, which is the default.
func milliseconds(d time.Duration) C.uint32_t {
	const most = 1<<32 - 1
	ms := (d + time.Millisecond - 1) / time.Millisecond
	switch {
	case d <= 0:
		return 0
	case ms > most || ms < 0:
		return most
	}
	return C.uint32_t(ms)
}

// CallRPC calls an rpc of a contract that this plugin's contract uses, and waits for the answer, at most 3 seconds. The
// error is a *HostError.
func CallRPC[Out any](h *Host, contract, rpc string, input any) (Out, error) {
	return CallRPCWithin[Out](h, contract, rpc, input, 0)
}

// CallRPCWithin is CallRPC with a time limit of its own; 0 is the default.
func CallRPCWithin[Out any](h *Host, contract, rpc string, input any, limit time.Duration) (output Out, err error) {
	text, err := h.callAndWait(contract, rpc, input, limit)
	if err != nil {
		return output, err
	}
	return answer[Out](text)
}

// callAndWait parks the goroutine; the host's function that waits would hold a thread of the system (lanes.go).
func (h *Host) callAndWait(contract, rpc string, input any, limit time.Duration) ([]byte, error) {
	type outcome struct {
		text []byte
		err  error
	}
	answered := make(chan outcome, 1)
	handle := cgo.NewHandle(reply{host: h, run: func(text []byte, err error) { answered <- outcome{text, err} }})
	if _, err := h.call(h.lanes.quick, contract, rpc, input, limit, C.uintptr_t(handle)); err != nil {
		handle.Delete()
		return h.call(h.lanes.slow, contract, rpc, input, limit, 0) // refused again, and this one says why
	}
	got := <-answered
	return got.text, got.err
}

// CallRPCAsync doesn't wait: onReply runs exactly once, in a goroutine of its own.
func CallRPCAsync[Out any](h *Host, contract, rpc string, input any, limit time.Duration, onReply func(Out, error)) {
	reply := reply{host: h, run: func(text []byte, err error) {
		var output Out
		if err == nil {
			output, err = answer[Out](text)
		}
		onReply(output, err)
	}}
	handle := cgo.NewHandle(reply)
	if _, err := h.call(h.lanes.quick, contract, rpc, input, limit, C.uintptr_t(handle)); err != nil {
		handle.Delete()
		reply.run(nil, err)
	}
}

func answer[Out any](text []byte) (Out, error) {
	output, err := decode[Out](text)
	if err != nil {
		message := "the output doesn't fit its type: " + err.Error()
		return output, &HostError{Status: Invalid, Type: "ValidationError", Message: message}
	}
	return output, nil
}

func (h *Host) call(
	lane lane, contract, rpc string, input any, limit time.Duration, reply C.uintptr_t,
) ([]byte, error) {
	text, err := encode(input)
	if err != nil {
		return nil, &HostError{Status: Invalid, Type: "ValidationError", Message: "the input: " + err.Error()}
	}
	return h.askIn(lane, func(result *C.trellis_go_result) {
		contractData, contractSize := lend(contract)
		nameData, nameSize := lend(rpc)
		inputData, inputSize := bytesOf(text)
		parentData, parentSize := lend(h.trace.parent)
		stateData, stateSize := lend(h.trace.state)
		C.trellis_go_call_rpc(h.table, milliseconds(limit), contractData, contractSize, nameData, nameSize, inputData,
			inputSize, parentData, parentSize, stateData, stateSize, reply, result)
	})
}

// reply is what waits for an answer that comes later.
type reply struct {
	host *Host
	run  func(text []byte, err error)
}

//export trellisGoReplied
func trellisGoReplied(handle C.uintptr_t, status C.trellis_status, output C.trellis_str, failure *C.trellis_error) {
	waiting := cgo.Handle(handle).Value().(reply)
	cgo.Handle(handle).Delete()
	var err error
	if status != C.TRELLIS_OK {
		failed := statusError(Status(status))
		if failure != nil {
			failed.Type, failed.Message = goText(failure._type), goText(failure.message)
			failed.Fields, failed.Context = []byte(goText(failure.fields)), []byte(goText(failure.context))
		}
		err = failed
	}
	text := []byte(goText(output))
	// Not here: this may be the host's network thread, or a thread that is in a function of the host already.
	go func() {
		_ = caught(waiting.host, "a reply's function", func() error {
			waiting.run(text, err)
			return nil
		})
	}()
}
