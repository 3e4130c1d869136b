package plugin_test

import (
	"encoding/json"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"trellis/plugin"
	"trellis/plugin/internal/hosttest"
)

type message struct {
	Message string `json:"message"`
}

func create(t *testing.T, setup func(*plugin.Service)) *hosttest.Plugin {
	t.Helper()
	plugin.Register(func(service *plugin.Service) error { setup(service); return nil })
	created, err := hosttest.Create(t)
	if err != nil {
		t.Fatal(err)
	}
	return created
}

func check(t *testing.T, holds bool, what string) {
	t.Helper()
	if !holds {
		t.Error(what)
	}
}

func TestAHandlerAnswersAndReadsItsRequest(t *testing.T) {
	created := create(t, func(service *plugin.Service) {
		plugin.RPC(service, "Echo.Say", func(call *plugin.Call, in message) (message, error) {
			check(t, call.RequestID == "r1" && call.SessionKey == "key" && string(call.Caller) == `{"id":"c1"}`, "request")
			check(t, call.Deadline.Equal(time.UnixMilli(1500)) && call.Wanted(), "deadline")
			return in, nil
		})
		plugin.RPC(service, "Echo.None", func(*plugin.Call, struct{}) (any, error) { return nil, nil })
	})
	defer created.Destroy()
	created.Call(7, "Echo.Say", `{"message":"<a> & é","more":1}`)
	created.Says(`complete 7 {"message":"<a> & é"}`)
	created.Call(8, "Echo.None", `{}`)
	created.Says(`complete 8 {}`)
}

func TestErrorsReachTheCallerAsWhatTheyAre(t *testing.T) {
	created := create(t, func(service *plugin.Service) {
		plugin.RPC(service, "A.Declared", func(*plugin.Call, struct{}) (message, error) {
			return message{}, wrapped{&plugin.Fault{Type: "OutOfStock", Message: "none", Fields: map[string]int{"available": 0}}}
		})
		plugin.RPC(service, "A.Other", func(*plugin.Call, message) (message, error) { return message{}, errors.New("plain") })
		plugin.RPC(service, "A.Unwritable", func(*plugin.Call, struct{}) (any, error) { return func() {}, nil })
	})
	defer created.Destroy()
	created.Call(1, "A.Declared", "{}")
	created.Says(`fail 1 OutOfStock none {"available":0}`)
	created.Call(2, "A.Other", "{}")
	created.Says("fail 2 UnexpectedError plain ")
	created.Call(3, "A.Unwritable", "{}")
	created.Says("fail 3 UnexpectedError the output: json: unsupported type: func() ")
	created.Call(4, "A.Other", `{"message":1}`)
	problem := "json: cannot unmarshal number into Go struct field message.message of type string"
	created.Says(`fail 4 ValidationError Validation failed. /message: ` + problem +
		`. {"issues":[{"message":"` + problem + `","path":"/message"}]}`)
}

type wrapped struct{ error }

func (w wrapped) Unwrap() error { return w.error }

func TestAPanicBecomesAnErrorAndThePluginLivesOn(t *testing.T) {
	created := create(t, func(service *plugin.Service) {
		plugin.RPC(service, "A.Panics", func(_ *plugin.Call, in message) (message, error) {
			switch in.Message {
			case "text":
				panic("the cellar is flooded")
			case "nil":
				var missing *message
				return *missing, nil
			}
			return in, nil
		})
		plugin.RPCLater(service, "A.Later", func(pending *plugin.Pending, in message) {
			pending.Go(func() (any, error) {
				if in.Message == "goexit" {
					runtime.Goexit()
				}
				panic("in a goroutine")
			})
		})
		plugin.Feed(service, "A.Watch", func(*plugin.Stream, struct{}) error { runtime.Goexit(); return nil })
	})
	defer created.Destroy()
	created.Call(1, "A.Panics", `{"message":"text"}`)
	created.Says(`log 4 A.Panics panicked {"panic":"the cellar is flooded"`)
	created.Says("fail 1 UnexpectedError A.Panics panicked: the cellar is flooded ")
	created.Call(2, "A.Panics", `{"message":"nil"}`)
	created.Says(`log 4 A.Panics panicked {"panic":"runtime error: invalid memory address or nil pointer dereference"`)
	created.Says("fail 2 UnexpectedError A.Panics panicked: runtime error: invalid memory address or nil pointer dereference ")
	created.Call(3, "A.Panics", `{"message":"none"}`)
	created.Says(`complete 3 {"message":"none"}`)
	created.Call(4, "A.Later", "{}")
	created.Says(`log 4 the answer's goroutine panicked {"panic":"in a goroutine"`)
	created.Says("fail 4 UnexpectedError the answer's goroutine panicked: in a goroutine ")
	created.Call(5, "A.Later", `{"message":"goexit"}`)
	created.Says(`log 4 the answer's goroutine ended before it returned (runtime.Goexit or panic(nil)) {"panic":"none"`)
	created.Says("fail 5 UnexpectedError the answer's goroutine ended before it returned (runtime.Goexit or panic(nil)) ")
	created.Subscribe(6, "A.Watch", "{}")
	created.Says(`log 4 A.Watch ended before it returned (runtime.Goexit or panic(nil)) {"panic":"none"`)
	created.Says("fail stream 6 UnexpectedError A.Watch ended before it returned (runtime.Goexit or panic(nil))")
}

// A nil pointer that is an error, the classic, panics when it is asked for its text.
type missing struct{ text string }

func (m *missing) Error() string { return m.text }

type bad struct{}

func (bad) MarshalJSON() ([]byte, error) { panic("no text of me") }

func TestErrorsAndValuesThatPanicWhenTheyAreReadEndAtTheBoundary(t *testing.T) {
	nilError := func() error { var none *missing; return none }
	created := create(t, func(service *plugin.Service) {
		plugin.OnEvent(service, "X.Happened", plugin.Listen{}, func(*plugin.Event, struct{}) error { return nilError() })
		plugin.Feed(service, "X.Watch", func(*plugin.Stream, struct{}) error { return nilError() })
		service.HealthCheck("odd", func() (any, error) { return nil, nilError() })
		service.OnStart(nilError)
		plugin.RPCLater(service, "A.Later", func(pending *plugin.Pending, in message) {
			pending.Go(func() (any, error) {
				if in.Message == "error" {
					return nil, nilError()
				}
				return bad{}, nil
			})
		})
	})
	defer created.Destroy()
	const odd = "UnexpectedError a *plugin_test.missing that panics when it is asked for its text: " +
		"runtime error: invalid memory address or nil pointer dereference"
	problem := created.Deliver("X.Happened", "", "{}")
	check(t, problem == odd, problem)
	_, problem, _ = created.Check(0)
	check(t, problem == odd, problem)
	problem = created.Start()
	check(t, problem == odd, problem)
	created.Subscribe(5, "X.Watch", "{}")
	created.Says("fail stream 5 " + odd)
	created.Call(1, "A.Later", `{"message":"error"}`)
	created.Says("fail 1 " + odd + " ")
	created.Call(2, "A.Later", `{"message":"value"}`)
	created.Says("fail 2 UnexpectedError the output: plugin_test.bad panicked when it was written: no text of me ")
}

func TestASetupOrStartThatFailsOrPanicsSaysWhy(t *testing.T) {
	for _, one := range []struct {
		setup    func(*plugin.Service) error
		expected string
	}{
		{func(*plugin.Service) error { return errors.New("no disk") }, "UnexpectedError no disk"},
		{func(*plugin.Service) error { panic("no disk either") }, "UnexpectedError setup panicked: no disk either"},
		{nil, "UnexpectedError no init function has called plugin.Register"},
	} {
		plugin.Register(one.setup)
		_, err := hosttest.Create(t)
		check(t, err != nil && err.Error() == one.expected, one.expected)
	}
	created := create(t, func(service *plugin.Service) { service.OnStart(func() error { panic("no network") }) })
	defer created.Destroy()
	check(t, created.Start() == "UnexpectedError start panicked: no network", "start")
	created.Says(`log 4 start panicked {"panic":"no network"`)
}

func TestSettingsAreReadTyped(t *testing.T) {
	create(t, func(service *plugin.Service) {
		config, err := plugin.Config[struct {
			Greeting string `json:"greeting"`
		}](service.Host())
		check(t, err == nil && config.Greeting == "hi", "config")
		_, err = plugin.Config[struct {
			Greeting int `json:"greeting"`
		}](service.Host())
		check(t, err != nil && strings.Contains(err.Error(), "cannot unmarshal string"), "misfit")
		identity, err := service.Host().Identity()
		check(t, err == nil && identity.ContractID == "acme.test@v1", "identity")
	}).Destroy()
}

func TestAPendingRequestIsAnsweredOnceOrReleased(t *testing.T) {
	kept := make(chan *plugin.Pending, 1)
	created := create(t, func(service *plugin.Service) {
		plugin.RPCLater(service, "A.Later", func(pending *plugin.Pending, in message) {
			switch in.Message {
			case "keep":
				kept <- pending
			case "release":
				pending.Release()
			case "forget":
			default:
				go func() {
					check(t, pending.Complete(in) == nil, "first")
					check(t, errors.Is(pending.Complete(in), plugin.Gone), "second")
				}()
			}
		})
	})
	created.Call(1, "A.Later", `{"message":"x"}`)
	created.Says(`complete 1 {"message":"x"}`)
	created.Call(2, "A.Later", `{"message":"release"}`)
	created.Says("release 2")
	created.Call(3, "A.Later", `{"message":"forget"}`)
	go func() { // finalizers run when they like
		for i := 0; i < 100; i++ {
			runtime.GC()
			time.Sleep(10 * time.Millisecond)
		}
	}()
	created.Says("release 3")
	created.Call(4, "A.Later", `{"message":"keep"}`)
	created.Destroy()
	pending := <-kept
	check(t, errors.Is(pending.Complete(message{}), plugin.Gone), "after the plugin's end")
	_, err := plugin.CallRPC[message](pending.Host(), "a@v1", "A.B", nil)
	check(t, errors.Is(err, plugin.Gone), "calls after the plugin's end")
	pending.Host().Log(plugin.Info, "late", nil)
}

func TestCallsCarryTheTraceAndBringAnswersAndErrors(t *testing.T) {
	created := create(t, func(service *plugin.Service) {
		plugin.RPC(service, "A.Call", func(call *plugin.Call, in message) (message, error) {
			_, err := plugin.CallRPC[message](call.Host(), "acme.shop@v1", "Shop.Buy", in)
			var refused *plugin.HostError
			check(t, errors.As(err, &refused) && refused.Status == plugin.Remote && refused.Message == "none left", "refused")
			fields, ok := plugin.ErrorFields[struct {
				Sku string `json:"sku"`
			}](err, "SoldOut")
			check(t, ok && fields.Sku == "bolt", "fields")
			_, ok = plugin.ErrorFields[struct {
				Sku string `json:"sku"`
			}](err, "Other")
			check(t, !ok, "other fields")
			_, err = plugin.CallRPC[int](call.Host(), "acme.echo@v1", "Echo.Say", in)
			check(t, errors.Is(err, plugin.Invalid), "unfit")
			return plugin.CallRPCWithin[message](call.Host(), "acme.echo@v1", "Echo.Say", in, time.Second)
		})
	})
	defer created.Destroy()
	created.Call(1, "A.Call", `{"message":"x"}`)
	created.Says("call acme.shop@v1 Shop.Buy 00-trace")
	created.Says("call acme.echo@v1 Echo.Say 00-trace")
	created.Says("call acme.echo@v1 Echo.Say 00-trace")
	created.Says(`complete 1 {"message":"x"}`)
}

func TestACallThatIsRefusedSaysWhy(t *testing.T) {
	created := create(t, func(service *plugin.Service) {
		plugin.RPC(service, "A.Call", func(call *plugin.Call, in message) (message, error) {
			return plugin.CallRPC[message](call.Host(), "acme.shop@v1", "Shop.Closed", in)
		})
	})
	defer created.Destroy()
	created.Call(1, "A.Call", `{"message":"x"}`)
	created.Says("fail 1 UnexpectedError UnexpectedError: it is closed ")
}

func TestRepliesWithoutWaitingComeOnceEachAndTheirPanicsEndHere(t *testing.T) {
	created := create(t, func(service *plugin.Service) {
		plugin.RPCLater(service, "A.Async", func(pending *plugin.Pending, in message) {
			host := pending.Host()
			plugin.CallRPCAsync(host, "a@v1", "Shop.Closed", in, 0, func(_ message, err error) {
				check(t, errors.Is(err, plugin.Unavailable), "closed")
			})
			plugin.CallRPCAsync(host, "a@v1", "Shop.Buy", in, 0, func(_ message, err error) {
				_, ok := plugin.ErrorFields[message](err, "SoldOut")
				check(t, ok, "sold out")
				// A reply may call and wait.
				out, err := plugin.CallRPC[message](host, "a@v1", "Echo.Say", in)
				check(t, err == nil && pending.Complete(out) == nil, "reply")
			})
		})
		plugin.RPCLater(service, "A.Panics", func(pending *plugin.Pending, in message) {
			plugin.CallRPCAsync(pending.Host(), "a@v1", "Echo.Say", in, 0, func(message, error) { panic("in a reply") })
		})
	})
	defer created.Destroy()
	created.Call(1, "A.Async", `{"message":"x"}`)
	created.Says("call a@v1 Shop.Buy 00-trace")
	created.Says("call a@v1 Echo.Say 00-trace")
	created.Says(`complete 1 {"message":"x"}`)
	created.Call(2, "A.Panics", `{"message":"x"}`)
	created.Says("call a@v1 Echo.Say 00-trace")
	created.Says(`log 4 a reply's function panicked {"panic":"in a reply"`)
}

func TestListenersGetTheirEventsAndTheirFailuresAreTold(t *testing.T) {
	created := create(t, func(service *plugin.Service) {
		plugin.OnEvent(service, "X.Happened", plugin.Listen{}, func(event *plugin.Event, _ message) error {
			check(t, event.ID == "e1" && event.Sequence == 9 && event.Time.UnixMilli() == 7 && event.Delivery == 1, "event")
			return nil
		})
		plugin.OnEvent(service, "X.Happened", plugin.Listen{Group: "workers"}, func(_ *plugin.Event, in message) error {
			if in.Message == "panic" {
				panic("bad event")
			}
			return errors.New("not now")
		})
	})
	defer created.Destroy()
	check(t, created.Deliver("X.Happened", "", `{"message":"a"}`) == "", "live")
	check(t, created.Deliver("X.Happened", "workers", `{"message":"a"}`) == "UnexpectedError not now", "group")
	panicked := created.Deliver("X.Happened", "workers", `{"message":"panic"}`)
	check(t, panicked == "UnexpectedError X.Happened panicked: bad event", panicked)
	check(t, created.Deliver("X.Happened", "", `[]`) != "", "unfit payload")
}

func TestListenersThatNoDeliveryCouldTellApartAreRefused(t *testing.T) {
	plugin.Register(func(service *plugin.Service) error {
		nothing := func(*plugin.Event, json.RawMessage) error { return nil }
		plugin.OnEvent(service, "X.Happened", plugin.Listen{}, nothing)
		plugin.OnEvent(service, "X.Happened", plugin.Listen{}, nothing)
		return nil
	})
	_, err := hosttest.Create(t)
	check(t, err != nil && err.Error() == "UnexpectedError two listeners of X.Happened in the same group", "refused")
}

func TestAStreamEmitsUntilItIsCancelledAndClosesOnReturn(t *testing.T) {
	ended := make(chan bool, 1)
	created := create(t, func(service *plugin.Service) {
		plugin.Feed(service, "X.Watch", func(stream *plugin.Stream, in message) error {
			check(t, stream.Emit(in) == nil, "emit")
			<-stream.Done()
			return nil
		})
		plugin.Feed(service, "X.Panics", func(*plugin.Stream, struct{}) error { panic("no feed today") })
		plugin.Feed(service, "X.Short", func(stream *plugin.Stream, _ struct{}) error {
			go func() { <-stream.Done(); ended <- true }()
			return nil
		})
	})
	defer created.Destroy()
	created.Subscribe(4, "X.Short", "{}")
	created.Says("close 4")
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Error("a stream that its function ended isn't done")
	}
	created.Subscribe(5, "X.Watch", `{"message":"a"}`)
	created.Says(`emit 5 {"message":"a"}`)
	created.Cancel(5, "X.Watch")
	created.Says("close 5")
	created.Cancel(5, "X.Watch") // unknown by now
	created.Subscribe(6, "X.Panics", "{}")
	created.Says(`log 4 X.Panics panicked {"panic":"no feed today"`)
	created.Says("fail stream 6 UnexpectedError X.Panics panicked: no feed today")
	created.Subscribe(100, "X.Watch", "{}") // gone already
	created.Says(`emit 100 {"message":""}`)
	created.Says("close 100")
}

func TestHealthChecksSayHowItIs(t *testing.T) {
	created := create(t, func(service *plugin.Service) {
		service.HealthCheck("disk", func() (any, error) { return map[string]string{"summary": "half full"}, nil })
		service.HealthCheck("network", func() (any, error) { return nil, errors.New("no route") })
		service.HealthCheck("bug", func() (any, error) { panic("in a check") })
	})
	defer created.Destroy()
	details, _, _ := created.Check(0)
	check(t, details == `{"summary":"half full"}`, details)
	_, problem, _ := created.Check(1)
	check(t, problem == "UnexpectedError no route", problem)
	_, problem, _ = created.Check(2)
	check(t, problem == "UnexpectedError bug panicked: in a check", problem)
	_, _, found := created.Check(3)
	check(t, !found, "a fourth check")
}

func TestMetricsAreRecordedAndAnExtensionThatIsTooShortIsNotUsed(t *testing.T) {
	created := create(t, func(service *plugin.Service) {
		sold := service.Host().Counter("shop.sold", "{item}", "Items sold")
		check(t, sold.Record(2, plugin.Attribute{Name: "kind", Value: "bolt"}, plugin.Attribute{Name: "size", Value: ""}) == nil, "record")
		check(t, sold.Record(3) == nil, "record")
		_, err := service.Host().Publish("acme.test@v1", "X.Happened", message{})
		check(t, errors.Is(err, plugin.Unsupported), "publish")
		err = service.Host().PublishAsync("acme.test@v1", "X.Happened", message{}, func(error) { t.Error("called") })
		check(t, errors.Is(err, plugin.Unsupported), "publish async")
	})
	defer created.Destroy()
	created.Says("metric 1 shop.sold 2")
	created.Says("kind=bolt")
	created.Says("size=")
	created.Says("metric 1 shop.sold 3")
}

func TestManyGoroutinesAtTheEndFindEitherTheHostOrNothing(t *testing.T) {
	var host *plugin.Host
	created := create(t, func(service *plugin.Service) { host = service.Host() })
	var all sync.WaitGroup
	for i := 0; i < 8; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for {
				if _, err := host.Identity(); err != nil {
					check(t, errors.Is(err, plugin.Gone), err.Error())
					return
				}
			}
		}()
	}
	created.Destroy()
	all.Wait()
}
