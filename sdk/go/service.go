package plugin

/*
#include "bridge.h"
*/
import "C"

import (
	"fmt"
	"time"
)

// Service is what a plugin is made of. Register's function fills it with handlers, which run on the plugin's workers,
// at most max_concurrency at a time, so they may block; what they share needs a mutex.
type Service struct {
	host      *Host
	contract  string
	rpcs      map[string]func(*Call)
	listeners []listener
	feeds     map[string]func(*Stream, []byte)
	checks    []check
	info      func() any
	start     func() error
	stop      func(deadline time.Time) error
	streams   streams
	tables    *C.trellis_go_tables
}

type listener struct {
	listen Listen
	event  string
	handle func(*Event) error
}

type check struct {
	name string
	run  func() (any, error)
}

var setup func(*Service) error

// Register says what makes the plugin's handlers. Called once, in an init function: nothing else of a shared object
// runs by itself.
func Register(fill func(*Service) error) { setup = fill }

// Host has the host's functions, to keep as long as wanted.
func (s *Service) Host() *Host { return s.host }

// RPC serves an rpc. The handler's error goes to the caller: a *Fault as it is, anything else as an UnexpectedError.
func RPC[In, Out any](s *Service, name string, handler func(call *Call, in In) (Out, error)) {
	s.rpcs[name] = func(call *Call) {
		input, err := decode[In](call.Input)
		if err != nil {
			_ = call.fail(unfitInput(err))
			return
		}
		output, err := handler(call, input)
		if err != nil {
			_ = call.fail(err)
			return
		}
		_ = call.complete(output)
	}
}

// RPCLater serves an rpc whose answer comes later: the handler hands the Pending to whoever will answer, or answers
// through Pending.Go, and returns.
func RPCLater[In any](s *Service, name string, handler func(pending *Pending, in In)) {
	s.rpcs[name] = func(call *Call) {
		input, err := decode[In](call.Input)
		if err != nil {
			_ = call.fail(unfitInput(err))
			return
		}
		handler(newPending(call), input)
	}
}

// OnEvent listens to an event. An error of a live listener is a log line; in a group the event comes again.
func OnEvent[Payload any](s *Service, event string, listen Listen, handler func(event *Event, payload Payload) error) {
	if listen.Contract == "" {
		listen.Contract = s.contract
	}
	s.listeners = append(s.listeners, listener{listen, event, func(event *Event) error {
		payload, err := decode[Payload](event.Payload)
		if err != nil {
			return err
		}
		return handler(event, payload)
	}})
}

// Feed serves a feed. The handler runs in a goroutine of its own and emits until the stream's Done; then it returns. An
// error that it returns, or its panic, is the subscriber's.
func Feed[In any](s *Service, name string, handler func(stream *Stream, in In) error) {
	s.feeds[name] = func(stream *Stream, text []byte) {
		defer stream.cancel() // what else waits for its Done ends with it
		defer s.streams.remove(stream.id)
		err := errEnded(name)
		defer func() { stream.end(err) }()
		err = caught(s.host, name, func() error {
			input, err := decode[In](text)
			if err != nil {
				return unfitInput(err)
			}
			return handler(stream, input)
		})
	}
}

// HealthCheck says how something is; its error why it isn't well. What it returns is a JSON object that may have
// summary and info, or nil.
func (s *Service) HealthCheck(name string, run func() (details any, err error)) {
	s.checks = append(s.checks, check{name, run})
}

// HealthInfo is what heartbeats say about this service besides: a JSON object.
func (s *Service) HealthInfo(info func() any) { s.info = info }

// OnStart runs when the plugin is connected, before the first request. An error keeps it from being served.
func (s *Service) OnStart(start func() error) { s.start = start }

// OnStop runs when every request was answered, or the deadline is near.
func (s *Service) OnStop(stop func(deadline time.Time) error) { s.stop = stop }

// build makes the C side.
func (s *Service) build(handle C.uintptr_t) error {
	s.tables = C.trellis_go_new_tables(handle, C.uint32_t(len(s.rpcs)+len(s.listeners)+len(s.feeds)))
	if s.tables == nil {
		return fmt.Errorf("no memory")
	}
	for name := range s.rpcs {
		if err := s.add(C.TRELLIS_SURFACE_RPC, s.contract, name, "", nil); err != nil {
			return err
		}
	}
	for name := range s.feeds {
		if err := s.add(C.TRELLIS_SURFACE_FEED, s.contract, name, "", nil); err != nil {
			return err
		}
	}
	return s.buildListenersAndHealth()
}

func (s *Service) buildListenersAndHealth() error {
	seen := map[[3]string]bool{}
	for _, one := range s.listeners {
		key := [3]string{one.listen.Contract, one.event, one.listen.Group}
		if seen[key] { // no delivery could tell them apart
			return fmt.Errorf("two listeners of %s in the same group", one.event)
		}
		seen[key] = true
		if err := s.add(C.TRELLIS_SURFACE_EVENT, one.listen.Contract, one.event, one.listen.Group,
			one.listen.SubjectData); err != nil {
			return err
		}
	}
	for _, one := range s.checks {
		data, size := lend(one.name)
		if !C.trellis_go_add_check(s.tables, data, size) {
			return fmt.Errorf("more than %d health checks", C.TRELLIS_GO_MAX_CHECKS)
		}
	}
	if s.info != nil {
		C.trellis_go_set_info(s.tables)
	}
	return nil
}

func (s *Service) add(kind C.uint32_t, contract, name, group string, subjectData any) error {
	text, err := objectText(subjectData)
	if err != nil {
		return err
	}
	contractData, contractSize := lend(contract)
	nameData, nameSize := lend(name)
	groupData, groupSize := lend(group)
	subjectValues, subjectSize := bytesOf(text)
	if !C.trellis_go_add_handler(s.tables, kind, contractData, contractSize, nameData, nameSize, groupData, groupSize,
		subjectValues, subjectSize) {
		return fmt.Errorf("no memory")
	}
	return nil
}
