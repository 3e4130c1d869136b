//! Feeds: a stream of events to one subscriber.

use crate::fault::{ErrorSlot, Fault, HostError};
use crate::ffi::*;
use crate::host::{check, lossy, str_of, Host};
use crate::json::{self, FromJson, ToJson};
use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

type OnCancel = Box<dyn FnOnce() + Send>;

/// What a stream and the host's cancellation of it share.
#[derive(Default)]
struct Life {
    state: Mutex<LifeState>,
    changed: Condvar,
}

#[derive(Default)]
struct LifeState {
    cancelled: bool,
    on_cancel: Option<OnCancel>,
}

impl Life {
    fn cancel(&self, host: &Host) {
        let mut state = lock(&self.state);
        state.cancelled = true;
        let on_cancel = state.on_cancel.take();
        drop(state); // it may drop the stream
        self.changed.notify_all();
        if let Some(run) = on_cancel {
            crate::guard::run(host, "a stream's on_cancel", run);
        }
    }
}

/// Who subscribes.
struct Subscriber {
    caller: String,
    session_key: String,
    request_id: String,
}

/// The open streams of a plugin.
#[derive(Default)]
pub(crate) struct Streams(Mutex<HashMap<trellis_stream, Arc<Life>>>);

impl Streams {
    /// # Safety
    /// The request's stream wasn't ended yet.
    pub(crate) unsafe fn open(self: &Arc<Self>, host: Host, request: &trellis_feed_request) -> Stream {
        let (id, life) = (request.stream, Arc::new(Life::default()));
        let subscriber = Subscriber {
            caller: lossy(request.caller).into_owned(),
            session_key: lossy(request.session_key).into_owned(),
            request_id: lossy(request.request_id).into_owned(),
        };
        lock(&self.0).insert(id, life.clone());
        let stream = Stream { host, id, life, subscriber, streams: self.clone(), ended: false };
        // A cancellation that came on another worker before the line above found nothing to cancel.
        if !stream.is_live() {
            stream.life.cancel(&stream.host);
        }
        stream
    }

    pub(crate) fn cancel(&self, host: &Host, id: trellis_stream) {
        let life = lock(&self.0).get(&id).cloned();
        if let Some(life) = life {
            life.cancel(host);
        }
    }
}

/// An open feed of one subscriber, for any thread. Dropping it closes it.
pub struct Stream {
    host: Host,
    id: trellis_stream,
    life: Arc<Life>,
    subscriber: Subscriber,
    streams: Arc<Streams>,
    ended: bool,
}

impl Stream {
    /// Sends one event. An error with `Status::Gone`: nobody receives it any more, so drop the stream. After
    /// `Invalid`, `TooLarge` and `Unavailable` (too much waits to be sent) it is still open and nothing was sent.
    pub fn emit(&self, event: &(impl ToJson + ?Sized)) -> Result<(), HostError> {
        let text = json::to_string(event);
        let mut error = ErrorSlot::default();
        let status = self.host.extension(TRELLIS_EXT_FEEDS, |table: &trellis_feeds_v1, this| unsafe {
            (table.emit)(this, self.id, str_of(&text), error.sink())
        })?;
        error.result(status)
    }

    /// Ends the stream with an error for the subscriber.
    pub fn fail(mut self, fault: impl Into<Fault>) -> Result<(), HostError> {
        let fault = fault.into(); // may panic: then the stream hasn't ended yet
        self.ended = true;
        self.fail_with(&fault)
    }

    fn fail_with(&self, fault: &Fault) -> Result<(), HostError> {
        let failed = self.host.extension(TRELLIS_EXT_FEEDS, |table: &trellis_feeds_v1, this| {
            fault.lend(|error| unsafe { (table.fail)(this, self.id, error) })
        })?;
        check(Some(failed))
    }

    /// Whether somebody receives it.
    pub fn is_live(&self) -> bool {
        let state = |table: &trellis_feeds_v1, this| unsafe { (table.state)(this, self.id) };
        self.host.extension(TRELLIS_EXT_FEEDS, state).ok() == Some(TRELLIS_OK)
    }

    /// Waits until nobody receives it any more, at most for `time`; whether that is so. For a thread that emits now and
    /// then: `while !stream.cancelled_within(interval) { stream.emit(...) }`.
    pub fn cancelled_within(&self, time: Duration) -> bool {
        let state = lock(&self.life.state);
        let waited = self.life.changed.wait_timeout_while(state, time, |state| !state.cancelled);
        waited.unwrap_or_else(PoisonError::into_inner).0.cancelled
    }

    /// Runs `run` once, on a worker, when nobody receives the stream any more; at once when that is so already. It has
    /// to let go of the stream: the plugin's end waits for that. One closure: a second call replaces the first.
    pub fn on_cancel(&self, run: impl FnOnce() + Send + 'static) {
        let mut state = lock(&self.life.state);
        if !state.cancelled {
            state.on_cancel = Some(Box::new(run));
            return;
        }
        drop(state);
        run();
    }

    /// What tells it from the plugin's other streams.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Who subscribes (06 §4.5), as any type that fits; [`json::Value`] always does.
    pub fn caller<T: FromJson>(&self) -> Result<T, json::JsonError> {
        json::from_str(&self.subscriber.caller)
    }

    pub fn session_key(&self) -> &str {
        &self.subscriber.session_key
    }

    pub fn request_id(&self) -> &str {
        &self.subscriber.request_id
    }

    /// The host's functions in the subscription's trace.
    pub fn host(&self) -> &Host {
        &self.host
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        lock(&self.streams.0).remove(&self.id);
        if self.ended {
            return;
        }
        if std::thread::panicking() {
            let _gone = self.fail_with(&Fault::unexpected("the feed's handler panicked"));
        } else {
            let close = |table: &trellis_feeds_v1, this| unsafe { (table.close)(this, self.id) };
            let _gone = self.host.extension(TRELLIS_EXT_FEEDS, close);
        }
    }
}
