//! The request that a handler answers, now or later.

use crate::fault::{Fault, HostError};
use crate::ffi::*;
use crate::host::{lossy, Host};
use crate::json::{self, FromJson, ToJson};
use std::borrow::Cow;

/// The request being answered: proven, authorised and checked against its schema before the handler runs.
pub struct Call<'a> {
    host: Host,
    request: &'a trellis_request,
}

impl<'a> Call<'a> {
    /// # Safety
    /// `request` wasn't answered yet.
    pub(crate) unsafe fn new(host: &Host, request: &'a trellis_request) -> Self {
        let host = host.in_trace(&lossy(request.traceparent), &lossy(request.tracestate));
        Self { host, request }
    }

    /// The host's functions in this request's trace.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The input as it came, JSON.
    pub fn input(&self) -> Cow<'a, str> {
        unsafe { lossy(self.request.input) }
    }

    /// Who calls (06 §4.5), as any type that fits; [`json::Value`] always does.
    pub fn caller<T: FromJson>(&self) -> Result<T, json::JsonError> {
        json::from_str(&unsafe { lossy(self.request.caller) })
    }

    pub fn session_key(&self) -> Cow<'a, str> {
        unsafe { lossy(self.request.session_key) }
    }

    pub fn request_id(&self) -> Cow<'a, str> {
        unsafe { lossy(self.request.request_id) }
    }

    /// When the host answers for the plugin.
    pub fn deadline_unix_ms(&self) -> i64 {
        self.request.deadline_unix_ms
    }

    /// Whether an answer is still wanted, for handlers that work long.
    pub fn is_wanted(&self) -> bool {
        self.host.is_wanted(self.request.call)
    }
}

/// A request that is answered later, once, from any thread. Dropped without an answer, its caller gets an error.
#[must_use = "dropping it answers the caller with an error"]
pub struct Pending {
    host: Host,
    call: trellis_call,
    answered: bool,
}

impl Pending {
    pub(crate) fn new(host: Host, call: trellis_call) -> Self {
        Self { host, call, answered: false }
    }

    /// The host's functions in this request's trace. A clone of it may outlive the answer.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// An error with `Status::Gone` when the request was over already, `Status::Invalid` when the output breaks its
    /// schema; the caller has got an error then.
    pub fn complete(mut self, output: &(impl ToJson + ?Sized)) -> Result<(), HostError> {
        let text = json::to_string(output); // may panic: then the request isn't answered yet
        self.answered = true;
        self.host.complete(self.call, &text)
    }

    pub fn fail(mut self, fault: impl Into<Fault>) -> Result<(), HostError> {
        let fault = fault.into();
        self.answered = true;
        self.host.fail(self.call, &fault)
    }

    pub fn answer<T: ToJson>(self, result: Result<T, Fault>) -> Result<(), HostError> {
        match result {
            Ok(output) => self.complete(&output),
            Err(fault) => self.fail(fault),
        }
    }

    pub fn is_wanted(&self) -> bool {
        self.host.is_wanted(self.call)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if self.answered {
            return;
        }
        if std::thread::panicking() {
            let _gone = self.host.fail(self.call, &Fault::unexpected("the handler panicked"));
        } else {
            self.host.release(self.call);
        }
    }
}
