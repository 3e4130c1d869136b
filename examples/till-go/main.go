// A service with what isn't an rpc: it publishes an event, books it in a durable group, shows it live on a feed, counts
// it, and says how it is.
package main

// #cgo CFLAGS: -I${SRCDIR} -I${SRCDIR}/../../sdk/go/include -I${SRCDIR}/../../plugin-api
import "C"

import (
	_ "embed"
	"errors"
	"fmt"
	"sync"

	"trellis/plugin"
)

//go:embed contract.json
var contract string // plugin.c puts it into its section; named here, so that a change of it is noticed

const contractID = "acme.till@v1"

type Config struct {
	BrokenSku    string `json:"broken_sku"`    // handlers panic at it, to see what that does
	BrokenDrawer bool   `json:"broken_drawer"` // so does a health check
}

type Sale struct {
	Sku      string `json:"sku"`
	Quantity int64  `json:"quantity"`
}

type Receipt struct {
	ID string `json:"id"`
}

type Article struct {
	Sku string `json:"sku"`
}

type Booked struct {
	Quantity int64 `json:"quantity"`
}

type Watch struct {
	Sku string `json:"sku"` // "": every sale
}

// Till keeps what was sold, and who watches. A real one keeps its books in a database: an event may come twice, and
// what is in memory ends with the process.
type Till struct {
	config Config
	items  *plugin.Metric

	mutex    sync.Mutex // handlers run on several workers; guards what follows
	books    map[string]int64
	unbooked string
	watchers map[chan Sale]string
}

// touch panics where a label can't be read.
func (t *Till) touch(sku string) {
	if sku != "" && sku == t.config.BrokenSku {
		panic("the label of " + sku + " can't be read")
	}
}

// sell publishes in the request's trace, and waits until the stream has the event.
func (t *Till) sell(call *plugin.Call, in Sale) (Receipt, error) {
	published, err := call.Host().Publish(contractID, "Till.Sold", in)
	if err != nil {
		return Receipt{}, err
	}
	basket := "small"
	if in.Quantity >= 10 {
		basket = "large"
	}
	_ = t.items.Record(float64(in.Quantity), plugin.Attribute{Name: "basket", Value: basket}) // sold all the same
	return Receipt{published.ID}, nil
}

func (t *Till) booked(_ *plugin.Call, in Article) (Booked, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return Booked{t.books[in.Sku]}, nil
}

// book is for the group: each sale is booked by one of all instances, and what fails or panics comes again.
func (t *Till) book(_ *plugin.Event, in Sale) error {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if in.Sku == t.config.BrokenSku {
		t.unbooked = in.Sku
	}
	t.touch(in.Sku)
	t.books[in.Sku] += in.Quantity
	return nil
}

// show is live: every instance hears of each sale, and shows it to those who watch there.
func (t *Till) show(_ *plugin.Event, in Sale) error {
	t.touch(in.Sku)
	t.mutex.Lock()
	defer t.mutex.Unlock()
	for sales, sku := range t.watchers {
		if sku != "" && sku != in.Sku {
			continue
		}
		select {
		case sales <- in:
		default: // a watcher that is too slow misses one
		}
	}
	return nil
}

// watch runs in a goroutine of the stream's own, until nobody receives it.
func (t *Till) watch(stream *plugin.Stream, in Watch) error {
	t.touch(in.Sku)
	sales := make(chan Sale, 64)
	t.mutex.Lock()
	t.watchers[sales] = in.Sku
	t.mutex.Unlock()
	defer func() {
		t.mutex.Lock()
		delete(t.watchers, sales)
		t.mutex.Unlock()
	}()
	for {
		select {
		case <-stream.Done():
			return nil
		case sale := <-sales:
			if err := stream.Emit(sale); errors.Is(err, plugin.Gone) {
				return nil
			}
		}
	}
}

func (t *Till) checkBooks() (any, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.unbooked != "" {
		return nil, fmt.Errorf("a sale of %s couldn't be booked", t.unbooked)
	}
	return map[string]any{"summary": fmt.Sprintf("%d articles sold", len(t.books))}, nil
}

func (t *Till) checkDrawer() (any, error) {
	if t.config.BrokenDrawer {
		panic("the drawer is stuck")
	}
	return nil, nil
}

func (t *Till) info() any {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return map[string]any{"watchers": len(t.watchers)}
}

func setup(service *plugin.Service) error {
	config, err := plugin.Config[Config](service.Host())
	if err != nil {
		return err
	}
	till := &Till{
		config:   config,
		items:    service.Host().Counter("till.items", "{item}", "Items sold."),
		books:    map[string]int64{},
		watchers: map[chan Sale]string{},
	}
	plugin.RPC(service, "Till.Sell", till.sell)
	plugin.RPC(service, "Till.Booked", till.booked)
	plugin.OnEvent(service, "Till.Sold", plugin.Listen{Group: "books"}, till.book)
	plugin.OnEvent(service, "Till.Sold", plugin.Listen{}, till.show)
	plugin.Feed(service, "Till.Watch", till.watch)
	// Till.Health is answered by the host, from these.
	service.HealthCheck("books", till.checkBooks)
	service.HealthCheck("drawer", till.checkDrawer)
	service.HealthInfo(till.info)
	return nil
}

func init() { plugin.Register(setup) }

func main() {}
