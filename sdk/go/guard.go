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
		value := recover() // nil for panic(nil) of older Go
		err = fmt.Errorf("%s panicked: %v", what, value)
		host.Log(Error, what+" panicked", Fields{"panic": fmt.Sprint(value), "stack": string(debug.Stack())})
	}()
	err = body()
	finished = true
	return err
}
