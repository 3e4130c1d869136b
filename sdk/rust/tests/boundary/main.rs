//! The C side of a plugin, called as a host calls it.

mod host;

use host::Plugin;
use std::sync::{mpsc, Arc, Mutex};
use std::time::Duration;
use trellis_plugin::json::{Object, Value};
use trellis_plugin::{record, Call, Fault, HostError, Level, Listen, Pending, Service, Status, Stream};

record! {
    struct Message {
        message: String,
    }
}

fn create(setup: impl FnOnce(&mut Service)) -> Plugin {
    Plugin::create(|service| {
        setup(service);
        Ok(())
    })
    .unwrap()
}

#[test]
fn a_handler_answers_and_reads_its_request() {
    let plugin = create(|service| {
        service.rpc("Echo.Say", |input: Message, call: &Call| {
            assert_eq!(call.request_id(), "r1");
            assert_eq!(call.session_key(), "key");
            assert_eq!(call.caller::<Value>()?.get("id"), Some(&Value::String("c1".into())));
            assert!(call.is_wanted());
            Ok(input)
        });
    });
    plugin.call(7, "Echo.Say", r#"{"message":"a\u00e9","more":1}"#);
    assert_eq!(plugin.record.next(), "complete 7 {\"message\":\"aé\"}");
}

#[test]
fn errors_reach_the_caller_as_what_they_are() {
    let plugin = create(|service| {
        service.rpc("A.Declared", |_: (), _: &Call| -> Result<(), Fault> {
            Err(Fault::new("OutOfStock", "none").with("available", 0))
        });
        service.rpc("A.Other", |_: (), _: &Call| -> Result<(), Fault> { Err("x".parse::<i32>().unwrap_err())? });
        service.rpc("A.Typed", |_: Message, _: &Call| Ok(()));
    });
    plugin.call(1, "A.Declared", "{}");
    assert_eq!(plugin.record.next(), "fail 1 OutOfStock none {\"available\":0}");
    plugin.call(2, "A.Other", "{}");
    assert_eq!(plugin.record.next(), "fail 2 UnexpectedError invalid digit found in string");
    plugin.call(3, "A.Typed", "{\"message\":1}");
    assert!(plugin.record.next().starts_with("fail 3 ValidationError Validation failed. /message: expected a string"));
}

#[test]
fn a_panic_becomes_an_error_and_the_plugin_lives_on() {
    let plugin = create(|service| {
        service.rpc("A.Panics", |input: Message, _: &Call| -> Result<(), Fault> {
            match input.message.as_str() {
                "text" => panic!("the cellar is flooded"),
                "index" => panic!("{}", [1, 2].iter().map(|n| n.to_string()).collect::<String>()),
                "odd" => std::panic::panic_any(7),
                _ => Ok(()),
            }
        });
        service.rpc_later("A.Later", |_: (), _: Pending| panic!("before it was handed on"));
    });
    plugin.call(1, "A.Panics", r#"{"message":"text"}"#);
    assert_eq!(plugin.record.next(), "log 4 A.Panics panicked {\"panic\":\"the cellar is flooded\"}");
    assert_eq!(plugin.record.next(), "fail 1 UnexpectedError A.Panics panicked: the cellar is flooded");
    plugin.call(2, "A.Panics", r#"{"message":"index"}"#);
    assert!(plugin.record.next().starts_with("log 4"));
    assert_eq!(plugin.record.next(), "fail 2 UnexpectedError A.Panics panicked: 12");
    plugin.call(3, "A.Panics", r#"{"message":"odd"}"#);
    assert!(plugin.record.next().contains("something that is no text"));
    assert!(plugin.record.next().starts_with("fail 3"));
    plugin.call(4, "A.Panics", r#"{"message":"none"}"#);
    assert_eq!(plugin.record.next(), "complete 4 {}");
    plugin.call(5, "A.Later", "{}");
    assert_eq!(plugin.record.next(), "fail 5 UnexpectedError the handler panicked");
}

#[test]
fn a_setup_or_start_that_fails_or_panics_says_why() {
    assert_eq!(Plugin::create(|_| Err(Fault::unexpected("no disk"))).err().unwrap(), "UnexpectedError no disk");
    let panicked = Plugin::create(|_| panic!("no disk either"));
    assert_eq!(panicked.err().unwrap(), "UnexpectedError setup panicked: no disk either");
    let plugin = create(|service| {
        service.on_start(|| panic!("no network"));
    });
    assert_eq!(plugin.start().unwrap_err(), "UnexpectedError start panicked: no network");
}

#[test]
fn settings_are_read_typed() {
    record! {
        struct Config {
            greeting: String,
            times: Option<u8>,
        }
    }
    record! {
        struct Other {
            greeting: i64,
        }
    }
    create(|service| {
        let config: Config = service.config().unwrap();
        assert_eq!((config.greeting.as_str(), config.times), ("hi", None));
        let problem = service.config::<Other>().map(|other| other.greeting).unwrap_err();
        assert!(problem.message.contains("/greeting: expected an integer"), "{}", problem.message);
        assert_eq!(service.host().identity().unwrap().contract_id, "acme.test@v1");
    });
}

#[test]
fn a_pending_request_is_answered_from_another_thread_or_released() {
    let plugin = create(|service| {
        service.rpc_later("A.Later", |input: Message, pending: Pending| {
            std::thread::spawn(move || match input.message.as_str() {
                "drop" => drop(pending),
                "fail" => pending.fail(Fault::new("OutOfStock", "none")).unwrap(),
                "panic" => panic!("{}", pending.is_wanted()),
                _ => pending.complete(&input).unwrap(),
            });
        });
    });
    let said = |call, what: &str| {
        plugin.call(call, "A.Later", &format!("{{\"message\":\"{}\"}}", what));
        plugin.record.next()
    };
    assert_eq!(said(1, "x"), "complete 1 {\"message\":\"x\"}");
    assert_eq!(said(2, "drop"), "release 2");
    assert_eq!(said(3, "fail"), "fail 3 OutOfStock none");
    assert_eq!(said(4, "panic"), "fail 4 UnexpectedError the handler panicked");
}

struct Unwritable;

impl trellis_plugin::json::ToJson for Unwritable {
    fn to_json(&self) -> Value {
        panic!("no text of me")
    }
}

impl From<Unwritable> for Fault {
    fn from(_: Unwritable) -> Self {
        panic!("no fault of me")
    }
}

#[test]
fn an_answer_that_panics_when_it_is_written_is_still_an_answer() {
    let plugin = create(|service| {
        service.rpc_later("A.Later", |input: Message, pending: Pending| {
            std::thread::spawn(move || match input.message.as_str() {
                "fail" => pending.fail(Unwritable),
                _ => pending.complete(&Unwritable),
            });
        });
        service.feed("X.Watch", |_: (), stream: Stream| drop(stream.fail(Unwritable)));
    });
    plugin.call(1, "A.Later", r#"{"message":"complete"}"#);
    assert_eq!(plugin.record.next(), "fail 1 UnexpectedError the handler panicked");
    plugin.call(2, "A.Later", r#"{"message":"fail"}"#);
    assert_eq!(plugin.record.next(), "fail 2 UnexpectedError the handler panicked");
    plugin.subscribe(3, "X.Watch", "{}");
    assert_eq!(plugin.record.next(), "fail stream 3 UnexpectedError the feed's handler panicked");
}

#[test]
fn what_a_plugin_keeps_beyond_its_end_finds_nothing_there() {
    let (send, receive) = mpsc::channel();
    let plugin = create(move |service| {
        let send = Mutex::new(send);
        service.rpc_later("A.Later", move |_: (), pending: Pending| send.lock().unwrap().send(pending).unwrap());
    });
    plugin.call(1, "A.Later", "{}");
    let pending = receive.recv().unwrap();
    let host = pending.host().clone();
    let record = plugin.record.clone();
    drop(plugin);
    assert_eq!(pending.complete(&()).unwrap_err().status, Status::Gone);
    host.log(Level::Info, "late");
    assert_eq!(host.call::<Value>("a@v1", "A.B", &()).unwrap_err().status, Status::Gone);
    let (send, receive) = mpsc::channel();
    host.call_async("a@v1", "A.B", &(), Duration::ZERO, move |answer: Result<Value, HostError>| {
        send.send(answer.unwrap_err().status).unwrap()
    });
    assert_eq!(receive.recv(), Ok(Status::Gone));
    assert!(record.is_empty());
}

#[test]
fn calls_carry_the_trace_and_bring_answers_and_errors() {
    let plugin = create(|service| {
        service.rpc("A.Call", |input: Message, call: &Call| {
            let echoed: Message = call.host().call("acme.echo@v1", "Echo.Say", &input)?;
            let refused = call.host().call::<Value>("acme.shop@v1", "Shop.Buy", &input).unwrap_err();
            assert_eq!((refused.status, refused.kind.as_str()), (Status::Remote, "SoldOut"));
            assert_eq!(refused.fields.get("sku"), Some(&Value::String("bolt".into())));
            let unfit = call.host().call::<i64>("acme.echo@v1", "Echo.Say", &input).unwrap_err();
            assert_eq!((unfit.status, unfit.kind.as_str()), (Status::Invalid, "ValidationError"));
            Ok(echoed)
        });
    });
    plugin.call(1, "A.Call", r#"{"message":"x"}"#);
    assert_eq!(plugin.record.next(), "call acme.echo@v1 Echo.Say 00-trace");
    assert_eq!(plugin.record.next(), "call acme.shop@v1 Shop.Buy 00-trace");
    assert_eq!(plugin.record.next(), "call acme.echo@v1 Echo.Say 00-trace");
    assert_eq!(plugin.record.next(), "complete 1 {\"message\":\"x\"}");
}

#[test]
fn a_reply_that_never_could_come_is_an_error_and_its_panic_ends_here() {
    let plugin = create(|service| {
        service.rpc_later("A.Async", |_: (), pending: Pending| {
            let host = pending.host().clone();
            let answer = move |answer: Result<Message, HostError>| drop(pending.answer(answer.map_err(Fault::from)));
            host.call_async("a@v1", "Echo.Say", &Message { message: "y".into() }, Duration::ZERO, answer);
            host.call_async("a@v1", "Shop.Closed", &(), Duration::ZERO, |answer: Result<(), HostError>| {
                assert_eq!(answer.unwrap_err().status, Status::Unavailable);
            });
            host.call_async("a@v1", "Echo.Say", &(), Duration::ZERO, |_: Result<(), HostError>| panic!("in a reply"));
        });
    });
    plugin.call(1, "A.Async", "{}");
    assert_eq!(plugin.record.next(), "complete 1 {\"message\":\"y\"}");
    assert_eq!(plugin.record.next(), "log 4 a reply's closure panicked {\"panic\":\"in a reply\"}");
}

#[test]
fn listeners_get_their_events_and_their_failures_are_told() {
    let plugin = create(|service| {
        service.on_event("X.Happened", Listen::live(), |_: Message, event| {
            assert_eq!((event.id.as_str(), event.sequence, event.time_unix_ms), ("e1", 9, 7));
            Ok(())
        });
        service.on_event("X.Happened", Listen::group("workers"), |event: Message, _| match event.message.as_str() {
            "panic" => panic!("bad event"),
            _ => Err(Fault::unexpected("not now")),
        });
    });
    assert_eq!(plugin.deliver("X.Happened", "", r#"{"message":"a"}"#), Ok(()));
    assert_eq!(plugin.deliver("X.Happened", "workers", r#"{"message":"a"}"#).unwrap_err(), "UnexpectedError not now");
    let panicked = plugin.deliver("X.Happened", "workers", r#"{"message":"panic"}"#).unwrap_err();
    assert_eq!(panicked, "UnexpectedError X.Happened panicked: bad event");
    assert!(plugin.deliver("X.Happened", "", "{}").unwrap_err().contains("/message: it isn't there"));
}

#[test]
fn two_listeners_that_no_delivery_could_tell_apart_are_refused() {
    let refused = Plugin::create(|service| {
        service.on_event("X.Happened", Listen::live(), |_: Value, _| Ok(()));
        service.on_event("X.Happened", Listen::live(), |_: Value, _| Ok(()));
        Ok(())
    });
    assert_eq!(refused.err().unwrap(), "UnexpectedError two listeners of X.Happened in the same group");
}

#[test]
fn a_stream_emits_until_it_is_cancelled_and_closes_when_dropped() {
    let plugin = create(|service| {
        service.feed("X.Watch", |input: Message, stream: Stream| {
            std::thread::spawn(move || {
                stream.emit(&input).unwrap();
                assert!(stream.cancelled_within(Duration::from_secs(20)));
            });
        });
        service.feed("X.Panics", |_: (), _: Stream| panic!("no feed today"));
    });
    plugin.subscribe(5, "X.Watch", r#"{"message":"a"}"#);
    assert_eq!(plugin.record.next(), "emit 5 {\"message\":\"a\"}");
    plugin.cancel(5, "X.Watch");
    assert_eq!(plugin.record.next(), "close 5");
    plugin.cancel(5, "X.Watch"); // unknown by now
    plugin.subscribe(6, "X.Watch", "{}");
    assert!(plugin.record.next().starts_with("fail stream 6 ValidationError"));
    plugin.subscribe(7, "X.Panics", "{}");
    assert_eq!(plugin.record.next(), "fail stream 7 UnexpectedError the feed's handler panicked");
    assert!(plugin.record.next().starts_with("log 4 X.Panics panicked"));
    // Cancelled before its thread looked: the host knows it as gone.
    plugin.subscribe(100, "X.Watch", r#"{"message":"b"}"#);
    assert_eq!(plugin.record.next(), "emit 100 {\"message\":\"b\"}");
    assert_eq!(plugin.record.next(), "close 100");
}

#[test]
fn a_stream_that_is_kept_is_let_go_of_when_it_is_cancelled() {
    let kept = Arc::new(Mutex::new(Vec::<Arc<Stream>>::new()));
    let inside = kept.clone();
    let plugin = create(move |service| {
        service.feed("X.Watch", move |_: (), stream: Stream| {
            assert_eq!((stream.session_key(), stream.request_id()), ("key", "r1"));
            assert_eq!(stream.caller::<Value>().unwrap().get("id"), Some(&Value::String("c1".into())));
            let (stream, kept) = (Arc::new(stream), inside.clone());
            kept.lock().unwrap().push(stream.clone());
            let id = stream.id();
            stream.on_cancel(move || kept.lock().unwrap().retain(|one| one.id() != id));
        });
        service.feed("X.Panics", |_: (), stream: Stream| {
            stream.on_cancel(|| panic!("too late"));
            std::mem::forget(stream);
        });
    });
    plugin.subscribe(5, "X.Watch", "{}");
    plugin.subscribe(6, "X.Watch", "{}");
    assert_eq!(kept.lock().unwrap().len(), 2);
    plugin.cancel(5, "X.Watch");
    assert_eq!(plugin.record.next(), "close 5");
    assert_eq!(kept.lock().unwrap().len(), 1);
    plugin.subscribe(100, "X.Watch", "{}"); // cancelled before its handler ran
    assert_eq!(plugin.record.next(), "close 100");
    plugin.subscribe(7, "X.Panics", "{}");
    plugin.cancel(7, "X.Panics");
    assert_eq!(plugin.record.next(), "log 4 a stream's on_cancel panicked {\"panic\":\"too late\"}");
    kept.lock().unwrap().clear();
}

#[test]
fn health_checks_say_how_it_is() {
    let plugin = create(|service| {
        service.health_check("disk", || {
            let mut found = Object::new();
            found.set("summary", "half full");
            Ok(found)
        });
        service.health_check("network", || Err(Fault::unexpected("no route")));
        service.health_check("bug", || panic!("in a check"));
        service.health_info(Object::new);
    });
    assert_eq!(plugin.check(0).unwrap(), "{\"summary\":\"half full\"}");
    assert_eq!(plugin.check(1).unwrap_err(), "UnexpectedError no route");
    assert_eq!(plugin.check(2).unwrap_err(), "UnexpectedError bug panicked: in a check");
}

#[test]
fn a_plugin_without_checks_has_no_health() {
    let plugin = create(|_| ());
    let id = host::lend("trellis.health/1");
    assert!(unsafe { plugin.table().get_extension.unwrap()(plugin.table().self_, id) }.is_null());
}

#[test]
fn metrics_are_recorded_and_an_extension_that_is_too_short_is_not_used() {
    let plugin = create(|service| {
        let sold = service.host().counter("shop.sold").unit("{item}").description("Items sold");
        sold.record(2.0, &[("kind", "bolt")]).unwrap();
        let refused = service.host().publish("acme.test@v1", "X.Happened", &()).unwrap_err();
        assert_eq!(refused.status, Status::Unsupported);
        let refused = service.host().publish_async("acme.test@v1", "X.Happened", &(), |_| panic!("not called"));
        assert_eq!(refused.unwrap_err().status, Status::Unsupported);
    });
    assert_eq!(plugin.record.next(), "metric 1 shop.sold 2 kind=bolt");
}
