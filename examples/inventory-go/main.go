// A service with state, a declared error, a capability, configuration, and a call to another service. Inventory.Get is
// answered from a goroutine, so that its waiting for Echo.Say occupies none of the plugin's workers.
package main

// #cgo CFLAGS: -I${SRCDIR} -I${SRCDIR}/../../sdk/go/include -I${SRCDIR}/../../plugin-api
import "C"

import (
	_ "embed"
	"fmt"
	"sync"

	"trellis/plugin"
)

//go:embed contract.json
var contract string // plugin.c puts it into its section; named here, so that a change of it is noticed

type Config struct {
	Shelves     map[string]int64 `json:"shelves"`      // sku -> items
	BrokenShelf string           `json:"broken_shelf"` // a sku whose handler panics, to see what that does
}

type Sku struct {
	Sku string `json:"sku"`
}

type Take struct {
	Sku      string `json:"sku"`
	Quantity int64  `json:"quantity"`
}

type Stock struct {
	Sku       string `json:"sku"`
	Available int64  `json:"available"`
	Label     string `json:"label,omitempty"`
}

type Message struct {
	Message string `json:"message"`
}

// What an OutOfStock says beside its message.
type OutOfStock struct {
	Sku       string `json:"sku"`
	Available int64  `json:"available"`
}

// Shelves are what there is. Handlers run on several workers, so a mutex guards the counts.
type Shelves struct {
	mutex  sync.Mutex
	items  map[string]int64
	broken string
}

func (s *Shelves) take(_ *plugin.Call, in Take) (Stock, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if in.Sku == s.broken {
		panic("the shelf of " + in.Sku + " is broken")
	}
	available := s.items[in.Sku]
	if available < in.Quantity {
		return Stock{}, &plugin.Fault{
			Type:    "OutOfStock",
			Message: fmt.Sprintf("There are only %d of %s.", available, in.Sku),
			Fields:  OutOfStock{in.Sku, available},
		}
	}
	s.items[in.Sku] = available - in.Quantity
	return Stock{Sku: in.Sku, Available: available - in.Quantity}, nil
}

func (s *Shelves) get(pending *plugin.Pending, in Sku) {
	pending.Go(func() (any, error) {
		question := Message{"shelf " + in.Sku}
		label, err := plugin.CallRPC[Message](pending.Host(), "acme.echo@v1", "Echo.Say", question)
		if err != nil {
			return nil, err
		}
		s.mutex.Lock()
		defer s.mutex.Unlock()
		return Stock{Sku: in.Sku, Available: s.items[in.Sku], Label: label.Message}, nil
	})
}

func setup(service *plugin.Service) error {
	config, err := plugin.Config[Config](service.Host())
	if err != nil {
		return err
	}
	shelves := &Shelves{items: config.Shelves, broken: config.BrokenShelf}
	plugin.RPC(service, "Inventory.Take", shelves.take)
	plugin.RPCLater(service, "Inventory.Get", shelves.get)
	return nil
}

func init() { plugin.Register(setup) }

func main() {}
