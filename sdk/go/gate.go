package plugin

import (
	"sync"
	"sync/atomic"
)

// gate keeps goroutines that outlive the plugin away from the host's functions, which end with destroy.
//
// Not a RWMutex: its readers may not nest while a writer waits, as a reply that calls again does.
type gate struct {
	inside  int64 // negative once it is closed
	mutex   sync.Mutex
	emptied *sync.Cond
}

const closed = int64(-1) << 62

func newGate() *gate {
	g := &gate{}
	g.emptied = sync.NewCond(&g.mutex)
	return g
}

// enter says whether it is open; then leave has to follow.
func (g *gate) enter() bool {
	if atomic.AddInt64(&g.inside, 1) > 0 {
		return true
	}
	g.leave()
	return false
}

func (g *gate) leave() {
	if atomic.AddInt64(&g.inside, -1) == closed {
		g.mutex.Lock()
		g.emptied.Broadcast()
		g.mutex.Unlock()
	}
}

// close waits until nobody is inside. Once only.
func (g *gate) close() {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	atomic.AddInt64(&g.inside, closed)
	for atomic.LoadInt64(&g.inside) != closed {
		g.emptied.Wait()
	}
}
