//! Feeds: a stream of events to one subscriber.

use crate::fault::{ErrorSlot, Fault, HostError};
use crate::ffi::*;
use crate::host::{check, str_of, Host};
use crate::json::{self, ToJson};
use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a stream and the host's cancellation of it share.
#[derive(Default)]
struct Life {
    cancelled: Mutex<bool>,
    changed: Condvar,
}

impl Life {
    fn cancel(&self) {
        *lock(&self.cancelled) = true;
        self.changed.notify_all();
    }
}

/// The open streams of a plugin.
#[derive(Default)]
pub(crate) struct Streams(Mutex<HashMap<trellis_stream, Arc<Life>>>);

impl Streams {
    pub(crate) fn open(self: &Arc<Self>, host: Host, id: trellis_stream) -> Stream {
        let life = Arc::new(Life::default());
        lock(&self.0).insert(id, life.clone());
        let stream = Stream { host, id, life, streams: self.clone(), ended: false };
        // A cancellation that came on another worker before the line above found nothing to cancel.
        if !stream.is_live() {
            stream.life.cancel();
        }
        stream
    }

    pub(crate) fn cancel(&self, id: trellis_stream) {
        let life = lock(&self.0).get(&id).cloned();
        if let Some(life) = life {
            life.cancel();
        }
    }
}

/// An open feed of one subscriber, for any thread. Dropping it closes it.
pub struct Stream {
    host: Host,
    id: trellis_stream,
    life: Arc<Life>,
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
        self.ended = true;
        self.fail_with(&fault.into())
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
        let cancelled = lock(&self.life.cancelled);
        let waited = self.life.changed.wait_timeout_while(cancelled, time, |cancelled| !*cancelled);
        *waited.unwrap_or_else(PoisonError::into_inner).0
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
