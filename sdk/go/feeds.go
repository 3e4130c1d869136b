package plugin

/*
#include "bridge.h"
*/
import "C"

import (
	"encoding/json"
	"sync"
)

// Stream is an open feed of one subscriber. It ends when the feed's function returns.
type Stream struct {
	host      *Host
	id        C.trellis_stream
	done      chan struct{}
	once      sync.Once
	Caller    json.RawMessage // JSON object: who subscribes (06 §4.5)
	RequestID string
}

// Done is closed when nobody receives the stream any more: return then.
func (s *Stream) Done() <-chan struct{} { return s.done }

// Host has the host's functions in the subscription's trace.
func (s *Stream) Host() *Host { return s.host }

func (s *Stream) cancel() { s.once.Do(func() { close(s.done) }) }

// Emit sends one event. errors.Is(err, Gone): nobody receives it any more. After Invalid, TooLarge and Unavailable (too
// much waits to be sent) the stream is still open and nothing was sent.
func (s *Stream) Emit(event any) error {
	text, err := encode(event)
	if err != nil {
		return &HostError{Status: Invalid, Type: "ValidationError", Message: err.Error()}
	}
	_, err = s.host.ask(func(result *C.trellis_go_result) {
		data, size := bytesOf(text)
		C.trellis_go_emit(s.host.table, s.id, data, size, result)
	})
	return err
}

func (s *Stream) live() bool {
	return s.host.tell(func() C.trellis_status { return C.trellis_go_stream_state(s.host.table, s.id) }) == nil
}

func (s *Stream) end(err error) {
	_ = s.host.tell(func() C.trellis_status {
		if err == nil {
			return C.trellis_go_close_stream(s.host.table, s.id)
		}
		kind, message, context, fields := faultTexts(faultOf(err))
		kindData, kindSize := lend(kind)
		messageData, messageSize := lend(message)
		contextData, contextSize := bytesOf(context)
		fieldsData, fieldsSize := bytesOf(fields)
		return C.trellis_go_fail_stream(s.host.table, s.id, kindData, kindSize, messageData, messageSize, contextData,
			contextSize, fieldsData, fieldsSize)
	})
}

// streams are the open ones of a plugin.
type streams struct {
	mutex sync.Mutex
	open  map[C.trellis_stream]*Stream
}

func (s *streams) add(stream *Stream) {
	s.mutex.Lock()
	s.open[stream.id] = stream
	s.mutex.Unlock()
	// A cancellation that came on another worker before found nothing to cancel.
	if !stream.live() {
		stream.cancel()
	}
}

func (s *streams) remove(id C.trellis_stream) {
	s.mutex.Lock()
	delete(s.open, id)
	s.mutex.Unlock()
}

func (s *streams) cancel(id C.trellis_stream) {
	s.mutex.Lock()
	stream := s.open[id]
	s.mutex.Unlock()
	if stream != nil {
		stream.cancel()
	}
}
