package plugin

import "runtime"

// lane bounds how many goroutines are in functions of the host at the same time.
//
// A goroutine in a function of C holds a thread of the system, and the Go runtime makes another one for the next
// goroutine, without bound and for good: a burst of requests, each answered by a goroutine, would end the process at its
// limit of threads or memory. So goroutines wait here, which costs nothing. What they wait for never depends on others
// that wait: functions of the host run no Go code but what starts a goroutine.
type lane chan struct{}

func (l lane) enter() { l <- struct{}{} }
func (l lane) leave() { <-l }

type lanes struct {
	quick lane // what only computes: more at a time than processors gains nothing
	slow  lane // what waits for the network
}

const mostSlow = 16

func newLanes() *lanes {
	quick := runtime.NumCPU()
	if quick < 4 {
		quick = 4
	}
	return &lanes{make(lane, quick), make(lane, mostSlow)}
}
