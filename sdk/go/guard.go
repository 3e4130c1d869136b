package plugin

import (
	"fmt"
	"runtime/debug"
)

// caught is what body returned, or its panic as an error, logged with its stack. Each function that the host calls runs
// its Go part in here: a panic that reached the C side would end the process.
func caught(host *Host, what string, body func() error) (err error) {
	finished := false
	defer func() {
		if finished {
			return
		}
		if value := recover(); value != nil {
			err = fmt.Errorf("%s panicked: %v", what, value)
			host.Log(Error, what+" panicked", Fields{"panic": fmt.Sprint(value), "stack": string(debug.Stack())})
			return
		}
		err = errEnded(what)
		host.Log(Error, err.Error(), Fields{"panic": "none", "stack": string(debug.Stack())})
	}()
	err = body()
	finished = true
	return err
}

// errEnded is what became of a body that called runtime.Goexit, after which only deferred functions still run, or
// panic(nil), which is nothing to older versions of Go.
func errEnded(what string) error {
	return fmt.Errorf("%s ended before it returned (runtime.Goexit or panic(nil))", what)
}
