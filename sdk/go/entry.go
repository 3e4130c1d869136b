package plugin

/*
#include "bridge.h"
*/
import "C"

import (
	"encoding/json"
	"errors"
	"runtime/cgo"
	"time"
)

// What the host calls. Each of these runs its Go part in caught.

func serviceOf(handle C.uintptr_t) *Service { return cgo.Handle(handle).Value().(*Service) }

func report(sink C.trellis_error_sink, err error) {
	kind, message, context, fields := faultTexts(faultOf(err))
	kindData, kindSize := lend(kind)
	messageData, messageSize := lend(message)
	contextData, contextSize := bytesOf(context)
	fieldsData, fieldsSize := bytesOf(fields)
	C.trellis_go_report(sink, kindData, kindSize, messageData, messageSize, contextData, contextSize, fieldsData,
		fieldsSize)
}

func statusOf(err error, sink C.trellis_error_sink) C.trellis_status {
	if err == nil {
		return C.TRELLIS_OK
	}
	report(sink, err)
	return C.TRELLIS_E_FAILED
}

//export trellisGoCreate
func trellisGoCreate(table *C.trellis_host, out **C.trellis_plugin, sink C.trellis_error_sink) C.trellis_status {
	host := newHost(table)
	service := &Service{
		host:    host,
		rpcs:    map[string]func(*Call){},
		feeds:   map[string]func(*Stream, []byte){},
		streams: streams{open: map[C.trellis_stream]*Stream{}},
	}
	handle := cgo.NewHandle(service)
	err := caught(host, "setup", func() error {
		if setup == nil {
			return errors.New("no init function has called plugin.Register")
		}
		identity, err := host.Identity()
		if err != nil {
			return err
		}
		service.contract = identity.ContractID
		if err := setup(service); err != nil {
			return err
		}
		return service.build(C.uintptr_t(handle))
	})
	if err != nil {
		handle.Delete()
		host.gate.close()
		if service.tables != nil {
			C.trellis_go_free_tables(service.tables)
		}
		return statusOf(err, sink)
	}
	*out = C.trellis_go_plugin(service.tables)
	return C.TRELLIS_OK
}

//export trellisGoStart
func trellisGoStart(handle C.uintptr_t, sink C.trellis_error_sink) C.trellis_status {
	service := serviceOf(handle)
	if service.start == nil {
		return C.TRELLIS_OK
	}
	return statusOf(caught(service.host, "start", service.start), sink)
}

//export trellisGoStop
func trellisGoStop(handle C.uintptr_t, deadline C.int64_t, sink C.trellis_error_sink) C.trellis_status {
	service := serviceOf(handle)
	if service.stop == nil {
		return C.TRELLIS_OK
	}
	stop := func() error { return service.stop(time.UnixMilli(int64(deadline))) }
	return statusOf(caught(service.host, "stop", stop), sink)
}

//export trellisGoDestroy
func trellisGoDestroy(handle C.uintptr_t) {
	service := serviceOf(handle)
	service.host.gate.close() // goroutines may go on; from here on they find nothing
	cgo.Handle(handle).Delete()
}

//export trellisGoRPC
func trellisGoRPC(handle C.uintptr_t, request *C.trellis_request) {
	service := serviceOf(handle)
	call := newCall(service.host, request)
	name := goText(request.surface)
	err := caught(service.host, name, func() error {
		handler, found := service.rpcs[name]
		if !found {
			return errors.New("this plugin has no such handler")
		}
		handler(call)
		return nil
	})
	if err != nil {
		_ = call.fail(err)
	}
}

//export trellisGoEvent
func trellisGoEvent(handle C.uintptr_t, delivery *C.trellis_event_delivery, sink C.trellis_error_sink) C.trellis_status {
	service := serviceOf(handle)
	event := newEvent(service.host, delivery)
	contract, name, group := goText(delivery.contract_id), goText(delivery.name), goText(delivery.group)
	for _, one := range service.listeners {
		if one.listen.Contract == contract && one.event == name && one.listen.Group == group {
			return statusOf(caught(service.host, name, func() error { return one.handle(event) }), sink)
		}
	}
	return statusOf(errors.New("this plugin has no such listener"), sink)
}

//export trellisGoFeed
func trellisGoFeed(handle C.uintptr_t, request *C.trellis_feed_request) {
	service := serviceOf(handle)
	stream := &Stream{
		host:      service.host.inTrace(trace{goText(request.traceparent), goText(request.tracestate)}),
		id:        request.stream,
		done:      make(chan struct{}),
		Caller:    json.RawMessage(goText(request.caller)),
		RequestID: goText(request.request_id),
	}
	serve, found := service.feeds[goText(request.surface)]
	if !found {
		stream.end(errors.New("this plugin has no such handler"))
		return
	}
	input := []byte(goText(request.input))
	service.streams.add(stream)
	go serve(stream, input)
}

//export trellisGoCancel
func trellisGoCancel(handle C.uintptr_t, stream C.trellis_stream) {
	serviceOf(handle).streams.cancel(stream)
}

//export trellisGoCheck
func trellisGoCheck(handle C.uintptr_t, number C.int, details C.trellis_sink, sink C.trellis_error_sink) C.trellis_status {
	service := serviceOf(handle)
	one := service.checks[number] // the table has no more entries than there are checks
	return statusOf(caught(service.host, one.name, func() error {
		found, err := one.run()
		if err != nil {
			return err
		}
		return writeObject(details, found)
	}), sink)
}

//export trellisGoInfo
func trellisGoInfo(handle C.uintptr_t, out C.trellis_sink) C.trellis_status {
	service := serviceOf(handle)
	if caught(service.host, "health info", func() error { return writeObject(out, service.info()) }) != nil {
		return C.TRELLIS_E_FAILED
	}
	return C.TRELLIS_OK
}

func writeObject(sink C.trellis_sink, value any) error {
	text, err := objectText(value)
	if err != nil || text == nil {
		return err
	}
	data, size := bytesOf(text)
	C.trellis_go_write(sink, data, size)
	return nil
}
