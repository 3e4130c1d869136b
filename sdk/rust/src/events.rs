//! Events: publishing them, and what a listener gets.

use crate::fault::{ErrorSlot, HostError};
use crate::ffi::*;
use crate::host::{lossy, milliseconds, str_of, Collected, Host};
use crate::json::{self, Object, ToJson};
use std::time::Duration;

crate::record! {
    /// What the stream said about an event.
    #[derive(Clone, Debug, PartialEq)]
    pub struct Published {
        pub id: String,
        pub subject: String,
        pub stream: Option<String>,
        pub sequence: Option<i64>,
        /// The stream had it already, which is as good.
        pub duplicate: Option<bool>,
    }
}

impl Host {
    /// Publishes an event that the contract owns, or uses with `publish`, and waits until the stream has it. The
    /// payload's `header` is made by the host.
    pub fn publish(&self, contract: &str, event: &str, payload: &dyn ToJson) -> Result<Published, HostError> {
        let payload = payload.to_json().to_string();
        let described = self.describe(contract, event, &payload);
        self.event_function(|table, this, out, error| unsafe { (table.publish)(this, &described, out, error) })
    }

    /// Makes the event without sending it: JSON that can be stored and published later, any number of times, as the
    /// same event.
    pub fn prepare(&self, contract: &str, event: &str, payload: &dyn ToJson) -> Result<String, HostError> {
        let payload = payload.to_json().to_string();
        let described = self.describe(contract, event, &payload);
        self.event_text(|table, this, out, error| unsafe { (table.prepare)(this, &described, out, error) })
    }

    /// Publishes what [`Host::prepare`] made. `timeout` zero: 5 seconds.
    pub fn publish_prepared(&self, prepared: &str, timeout: Duration) -> Result<Published, HostError> {
        let (prepared, timeout) = (str_of(prepared), milliseconds(timeout));
        self.event_function(|table, this, out, error| unsafe {
            (table.publish_prepared)(this, prepared, timeout, out, error)
        })
    }

    /// Publishes without waiting. An error here means that `done` isn't called; otherwise it runs exactly once, on a
    /// thread of the host, and must be quick.
    pub fn publish_async(
        &self,
        contract: &str,
        event: &str,
        payload: &dyn ToJson,
        done: impl FnOnce(Result<(), HostError>) + Send + 'static,
    ) -> Result<(), HostError> {
        let payload = payload.to_json().to_string();
        let described = self.describe(contract, event, &payload);
        let done: OnDone = Box::new(done);
        let waiting = Box::into_raw(Box::new((self.clone(), done)));
        let mut error = ErrorSlot::default();
        let status = self.extension(TRELLIS_EXT_EVENTS, |table: &trellis_events_v1, this| unsafe {
            (table.publish_async)(this, &described, published, waiting.cast(), error.sink())
        });
        let result = status.and_then(|status| error.result(status));
        if result.is_err() {
            drop(unsafe { Box::from_raw(waiting) });
        }
        result
    }

    fn describe(&self, contract: &str, event: &str, payload: &str) -> trellis_event {
        let (parent, state) = self.trace();
        trellis_event {
            size: std::mem::size_of::<trellis_event>() as u32,
            timeout_ms: 0,
            contract_id: str_of(contract),
            name: str_of(event),
            payload: str_of(payload),
            traceparent: str_of(parent),
            tracestate: str_of(state),
        }
    }

    fn event_text(
        &self,
        run: impl FnOnce(&trellis_events_v1, *mut std::os::raw::c_void, trellis_sink, trellis_error_sink) -> trellis_status,
    ) -> Result<String, HostError> {
        let (mut out, mut error) = (Collected::default(), ErrorSlot::default());
        let status = self.extension(TRELLIS_EXT_EVENTS, |table, this| run(table, this, out.sink(), error.sink()))?;
        error.result(status)?;
        Ok(out.text().into_owned())
    }

    fn event_function(
        &self,
        run: impl FnOnce(&trellis_events_v1, *mut std::os::raw::c_void, trellis_sink, trellis_error_sink) -> trellis_status,
    ) -> Result<Published, HostError> {
        let text = self.event_text(run)?;
        json::from_str(&text).map_err(|problem| HostError::unfit("the host's answer", &problem))
    }
}

type OnDone = Box<dyn FnOnce(Result<(), HostError>) + Send>;

unsafe extern "C" fn published(
    context: *mut std::os::raw::c_void,
    status: trellis_status,
    error: *const trellis_error,
) {
    let (host, done) = *Box::from_raw(context.cast::<(Host, OnDone)>());
    let result = match status {
        TRELLIS_OK => Ok(()),
        _ => Err(HostError::from_c(status, error)),
    };
    crate::guard::run(&host, "a publication's closure", || done(result));
}

/// Which events a listener gets.
#[derive(Clone, Debug, Default)]
pub struct Listen {
    pub(crate) contract: Option<String>,
    pub(crate) group: String,
    pub(crate) subject_data: Object,
}

impl Listen {
    /// Every event from now on; what is published while the plugin doesn't run is missed.
    pub fn live() -> Self {
        Self::default()
    }

    /// As member of a group of the contract's `eventConsumers`: nothing is missed, and a failure comes again.
    pub fn group(name: impl Into<String>) -> Self {
        Self { group: name.into(), ..Self::default() }
    }

    /// The event is another contract's; by default it is this plugin's own.
    pub fn of(mut self, contract: impl Into<String>) -> Self {
        self.contract = Some(contract.into());
        self
    }

    /// Live: only events whose subject has these values.
    pub fn only(mut self, subject_data: Object) -> Self {
        self.subject_data = subject_data;
        self
    }
}

/// What is known about an event beside its payload.
#[derive(Clone)]
pub struct EventInfo {
    host: Host,
    pub id: String,
    pub subject: String,
    /// Milliseconds since 1970, 0 when absent.
    pub time_unix_ms: i64,
    /// 1 the first time that it is delivered to this group; 0 for a live listener.
    pub delivery: u32,
    /// Of the stream; 0 for a live listener.
    pub sequence: u64,
}

impl EventInfo {
    pub(crate) unsafe fn new(host: &Host, event: &trellis_event_delivery) -> Self {
        Self {
            host: host.in_trace(&lossy(event.traceparent), &lossy(event.tracestate)),
            id: lossy(event.id).into_owned(),
            subject: lossy(event.subject).into_owned(),
            time_unix_ms: event.time_unix_ms,
            delivery: event.delivery,
            sequence: event.sequence,
        }
    }

    /// The host's functions in the event's trace.
    pub fn host(&self) -> &Host {
        &self.host
    }
}
