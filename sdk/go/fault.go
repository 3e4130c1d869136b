package plugin

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Fault is an error for the caller. A handler returns it, itself or wrapped; any other error becomes an
// UnexpectedError, with the error's text as its cause.
type Fault struct {
	Type    string // one that the contract declares, or a built-in one
	Message string // for people
	Fields  any    // JSON object with the members that the declared error's schema asks for; nil: none
	Context any    // JSON object; nil: none
}

func (f *Fault) Error() string { return f.Type + ": " + f.Message }

// faultOf is what the caller is told about an error. One that panics when it is asked, as a nil pointer does, is told
// about as that: whoever asks may be in a goroutine or a function of C that nobody else guards.
func faultOf(err error) (told *Fault) {
	defer func() {
		if problem := recover(); problem != nil {
			message := fmt.Sprintf("a %T that panics when it is asked for its text: %v", err, problem)
			told = &Fault{Type: "UnexpectedError", Message: message}
		}
	}()
	var fault *Fault
	if errors.As(err, &fault) && fault != nil {
		return fault
	}
	return &Fault{Type: "UnexpectedError", Message: err.Error()}
}

// unfitInput is for an input that passed its schema and doesn't fit its type: an integer beyond 64 bits, for example.
func unfitInput(err error) *Fault {
	path := ""
	var typed *json.UnmarshalTypeError
	if errors.As(err, &typed) && typed.Field != "" {
		path = "/" + typed.Field
	}
	issue := map[string]string{"path": path, "message": err.Error()}
	return &Fault{
		Type:    "ValidationError",
		Message: fmt.Sprintf("Validation failed. %s: %s.", path, err),
		Fields:  map[string]any{"issues": []any{issue}},
	}
}

// faultTexts are the four texts of a fault. One that can't be written as JSON is told about as that.
func faultTexts(fault *Fault) (kind, message string, context, fields []byte) {
	context, contextErr := objectText(fault.Context)
	fields, fieldsErr := objectText(fault.Fields)
	for _, err := range []error{contextErr, fieldsErr} {
		if err != nil {
			return "UnexpectedError", fmt.Sprintf("%s, whose members are no JSON: %s", fault.Error(), err), nil, nil
		}
	}
	return fault.Type, fault.Message, context, fields
}

// Status is why the host said no.
type Status int32

const (
	Invalid     Status = 1 // malformed, or not what the schema says
	Gone        Status = 2 // it was over already
	Denied      Status = 3 // the contract doesn't grant it, or NATS refused it
	Unavailable Status = 4 // nobody listens, or there is no connection at the moment
	Timeout     Status = 5
	TooLarge    Status = 6
	Remote      Status = 7 // the called service answered with an error
	Unsupported Status = 8 // this host doesn't have it
	Failed      Status = 9
)

// HostError is a function of the host that didn't do what was asked: a call, a publication, an emission.
type HostError struct {
	Status  Status
	Type    string // "OutOfStock", "TransportError" ...; the other service's, when Status is Remote
	Message string // for people
	Fields  json.RawMessage
	Context json.RawMessage
}

func (e *HostError) Error() string { return e.Type + ": " + e.Message }

// Is compares by status: errors.Is(err, plugin.Gone).
func (e *HostError) Is(target error) bool {
	status, ok := target.(Status)
	return ok && status == e.Status
}

func (s Status) Error() string { return fmt.Sprintf("status %d of the host", int32(s)) }

func statusError(status Status) *HostError {
	message := fmt.Sprintf("the host answered with status %d", int32(status))
	if status == Gone {
		message = "it was over already"
	}
	return &HostError{Status: status, Type: "UnexpectedError", Message: message}
}

// ErrorFields reads the own members of the error of type `kind`, if err is one that another service answered with.
func ErrorFields[T any](err error, kind string) (fields T, ok bool) {
	var failed *HostError
	if !errors.As(err, &failed) || failed.Type != kind {
		return fields, false
	}
	if len(failed.Fields) == 0 {
		return fields, true
	}
	fields, problem := decode[T](failed.Fields)
	return fields, problem == nil
}
