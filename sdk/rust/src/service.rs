//! What a plugin is made of: its handlers, registered by the author's `setup`.

use crate::call::{Call, Pending};
use crate::events::{EventInfo, Listen};
use crate::fault::Fault;
use crate::feeds::Stream;
use crate::ffi::*;
use crate::host::{lossy, Host};
use crate::json::{self, FromJson, Object, ToJson};
use std::collections::HashMap;

/// The answer of an rpc handler, `None` when it answers later.
pub(crate) type Answer = Option<Result<String, Fault>>;
pub(crate) type RpcHandler = Box<dyn Fn(&Host, &trellis_request) -> Answer + Send + Sync>;
pub(crate) type EventHandler = Box<dyn Fn(&trellis_event_delivery) -> Result<(), Fault> + Send + Sync>;
pub(crate) type FeedHandler = Box<dyn Fn(&str, Stream) + Send + Sync>;
pub(crate) type Check = Box<dyn Fn() -> Result<Object, Fault> + Send + Sync>;
pub(crate) type Info = Box<dyn Fn() -> Object + Send + Sync>;
pub(crate) type Start = Box<dyn Fn() -> Result<(), Fault> + Send + Sync>;
pub(crate) type Stop = Box<dyn Fn(i64) -> Result<(), Fault> + Send + Sync>;

pub(crate) struct Listener {
    pub(crate) contract: String,
    pub(crate) event: String,
    pub(crate) group: String,
    pub(crate) subject_data: String,
    pub(crate) handler: EventHandler,
}

/// Given to `setup`, which registers handlers with it. Handlers run on the plugin's workers, at most `max_concurrency`
/// at a time, so they may block; what they share goes behind an `Arc` and a `Mutex`.
pub struct Service {
    pub(crate) host: Host,
    pub(crate) contract: String,
    pub(crate) rpcs: HashMap<String, RpcHandler>,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) feeds: HashMap<String, FeedHandler>,
    pub(crate) checks: Vec<(String, Check)>,
    pub(crate) info: Option<Info>,
    pub(crate) start: Option<Start>,
    pub(crate) stop: Option<Stop>,
}

impl Service {
    pub(crate) fn new(host: Host) -> Result<Self, Fault> {
        let contract = host.identity()?.contract_id;
        Ok(Self {
            host,
            contract,
            rpcs: HashMap::new(),
            listeners: Vec::new(),
            feeds: HashMap::new(),
            checks: Vec::new(),
            info: None,
            start: None,
            stop: None,
        })
    }

    /// The host's functions, to keep as long as wanted.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The operator's table `[plugins.NAME.config]`.
    pub fn config<T: FromJson>(&self) -> Result<T, Fault> {
        self.host.config()
    }

    /// Serves an rpc. The handler's error goes to the caller: a declared one as it is, anything else as an
    /// UnexpectedError.
    pub fn rpc<In, Out, Handler>(&mut self, name: &str, handler: Handler) -> &mut Self
    where
        In: FromJson,
        Out: ToJson,
        Handler: Fn(In, &Call<'_>) -> Result<Out, Fault> + Send + Sync + 'static,
    {
        let run: RpcHandler = Box::new(move |host, request| {
            let call = unsafe { Call::new(host, request) };
            let input = match json::from_str(&call.input()) {
                Ok(input) => input,
                Err(problem) => return Some(Err(Fault::unfit_input(&problem))),
            };
            Some(handler(input, &call).map(|output| json::to_string(&output)))
        });
        self.rpcs.insert(name.to_owned(), run);
        self
    }

    /// Serves an rpc whose answer comes later: the handler hands the `Pending` to whoever will answer, and returns.
    pub fn rpc_later<In, Handler>(&mut self, name: &str, handler: Handler) -> &mut Self
    where
        In: FromJson,
        Handler: Fn(In, Pending) + Send + Sync + 'static,
    {
        let run: RpcHandler = Box::new(move |host, request| {
            let call = unsafe { Call::new(host, request) };
            match json::from_str(&call.input()) {
                Ok(input) => handler(input, Pending::new(call.host().clone(), request.call)),
                Err(problem) => return Some(Err(Fault::unfit_input(&problem))),
            }
            None
        });
        self.rpcs.insert(name.to_owned(), run);
        self
    }

    /// Listens to an event. An error of a live listener is a log line; in a group the event comes again.
    pub fn on_event<Payload, Handler>(&mut self, event: &str, listen: Listen, handler: Handler) -> &mut Self
    where
        Payload: FromJson,
        Handler: Fn(Payload, &EventInfo) -> Result<(), Fault> + Send + Sync + 'static,
    {
        let host = self.host.clone();
        let run: EventHandler = Box::new(move |event| {
            let payload = json::from_str(&unsafe { lossy(event.payload) })?;
            handler(payload, &unsafe { EventInfo::new(&host, event) })
        });
        self.listeners.push(Listener {
            contract: listen.contract.unwrap_or_else(|| self.contract.clone()),
            event: event.to_owned(),
            group: listen.group,
            subject_data: crate::host::object_text(&listen.subject_data),
            handler: run,
        });
        self
    }

    /// Serves a feed. The handler keeps the stream until its `on_cancel`, or hands it to a thread that emits, and
    /// returns: it runs on a worker, which others wait for.
    pub fn feed<In, Handler>(&mut self, name: &str, handler: Handler) -> &mut Self
    where
        In: FromJson,
        Handler: Fn(In, Stream) + Send + Sync + 'static,
    {
        let run: FeedHandler = Box::new(move |input, stream| match json::from_str(input) {
            Ok(input) => handler(input, stream),
            Err(problem) => drop(stream.fail(Fault::unfit_input(&problem))),
        });
        self.feeds.insert(name.to_owned(), run);
        self
    }

    /// A health check; its error says why something isn't well. The object may have `summary` and `info`.
    pub fn health_check<Handler>(&mut self, name: &str, check: Handler) -> &mut Self
    where
        Handler: Fn() -> Result<Object, Fault> + Send + Sync + 'static,
    {
        self.checks.push((name.to_owned(), Box::new(check)));
        self
    }

    /// What heartbeats say about this service besides.
    pub fn health_info(&mut self, info: impl Fn() -> Object + Send + Sync + 'static) -> &mut Self {
        self.info = Some(Box::new(info));
        self
    }

    /// Runs when the plugin is connected, before the first request. An error keeps it from being served.
    pub fn on_start(&mut self, start: impl Fn() -> Result<(), Fault> + Send + Sync + 'static) -> &mut Self {
        self.start = Some(Box::new(start));
        self
    }

    /// Runs when every request was answered, or the deadline (milliseconds since 1970) is near.
    pub fn on_stop(&mut self, stop: impl Fn(i64) -> Result<(), Fault> + Send + Sync + 'static) -> &mut Self {
        self.stop = Some(Box::new(stop));
        self
    }
}
