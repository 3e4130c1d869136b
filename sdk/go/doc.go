// Package plugin is for service plugins of trellis-host in Go.
//
//	type Message struct {
//		Message string `json:"message"`
//	}
//
//	func setup(service *plugin.Service) error {
//		plugin.RPC(service, "Echo.Say", func(call *plugin.Call, in Message) (Message, error) { return in, nil })
//		return nil
//	}
//
//	func init() { plugin.Register(setup) }
//	func main() {}
//
// built with -buildmode=c-shared, together with a C file that holds what Go can't write: see include/trellis/go.h.
//
// A panic of a handler becomes an error for its caller and a log line. What the Go runtime itself gives up at
// (concurrent map writes, a dead lock, no memory) and a panic in a goroutine that isn't this package's own end the
// whole process: that's why a host runs Go plugins in a process of their own unless it is told otherwise.
package plugin
