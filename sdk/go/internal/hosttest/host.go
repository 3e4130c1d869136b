// Package hosttest calls a plugin of this process as a host calls it. Only for the tests of package plugin.
package hosttest

/*
#cgo CFLAGS: -std=c11 -I${SRCDIR}/../../include -I${SRCDIR}/../../../../plugin-api
#include "host.h"
*/
import "C"

import (
	"errors"
	"testing"
	"unsafe"
)

// Plugin is one that was created.
type Plugin struct {
	t    *testing.T
	test *C.hosttest
}

// Create makes an instance of what was registered.
func Create(t *testing.T) (*Plugin, error) {
	problem := make([]byte, 1024)
	test := C.hosttest_create(buffer(problem))
	if test == nil {
		return nil, errors.New(text(problem))
	}
	return &Plugin{t, test}, nil
}

func buffer(bytes []byte) *C.char { return (*C.char)(unsafe.Pointer(&bytes[0])) }

func text(bytes []byte) string { return C.GoString(buffer(bytes)) }

func lend(text string) (*C.char, func()) {
	copied := C.CString(text)
	return copied, func() { C.free(unsafe.Pointer(copied)) }
}

func (p *Plugin) Destroy() { C.hosttest_destroy(p.test) }

// Says checks the next thing that the plugin told the host.
func (p *Plugin) Says(expected string) {
	p.t.Helper()
	line := C.hosttest_next(p.test)
	if line == nil {
		p.t.Fatalf("the plugin said nothing instead of %q", expected)
	}
	defer C.free(unsafe.Pointer(line))
	if C.GoString(line) != expected {
		p.t.Errorf("the plugin said %q instead of %q", C.GoString(line), expected)
	}
}

func (p *Plugin) Call(call uint64, name, input string) {
	cName, freeName := lend(name)
	defer freeName()
	cInput, freeInput := lend(input)
	defer freeInput()
	C.hosttest_call(p.test, C.uint64_t(call), cName, cInput)
}

func (p *Plugin) Deliver(name, group, payload string) string {
	cName, freeName := lend(name)
	defer freeName()
	cGroup, freeGroup := lend(group)
	defer freeGroup()
	cPayload, freePayload := lend(payload)
	defer freePayload()
	problem := make([]byte, 1024)
	C.hosttest_deliver(p.test, cName, cGroup, cPayload, buffer(problem))
	return text(problem)
}

func (p *Plugin) Subscribe(stream uint64, name, input string) {
	cName, freeName := lend(name)
	defer freeName()
	cInput, freeInput := lend(input)
	defer freeInput()
	C.hosttest_subscribe(p.test, C.uint64_t(stream), cName, cInput)
}

func (p *Plugin) Cancel(stream uint64, name string) {
	cName, freeName := lend(name)
	defer freeName()
	C.hosttest_cancel(p.test, C.uint64_t(stream), cName)
}

// Start is the error that start reported.
func (p *Plugin) Start() string {
	problem := make([]byte, 1024)
	C.hosttest_start(p.test, buffer(problem))
	return text(problem)
}

// Check is what a health check says: its details, and its error.
func (p *Plugin) Check(number int) (details, problem string, found bool) {
	detailsText, problemText := make([]byte, 1024), make([]byte, 1024)
	status := C.hosttest_check(p.test, C.uint32_t(number), buffer(detailsText), buffer(problemText))
	return text(detailsText), text(problemText), status != -1
}
