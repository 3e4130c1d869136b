//! Errors in both directions: what a handler answers with, and what the host or another service answered.

use crate::ffi::*;
use crate::host::{lossy, str_of};
use crate::json::{self, FromJson, Object, ToJson, Value};
use std::fmt;

/// An error for the caller (06 §5). `kind` is a type that the contract declares, or a built-in one.
///
/// `?` makes an `UnexpectedError` of any `std::error::Error`; that's why this type isn't one itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    pub kind: String,
    /// For people.
    pub message: String,
    /// The error's own members, those that the schema of a declared error asks for.
    pub fields: Object,
    pub context: Object,
}

impl Fault {
    pub fn new(kind: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind: kind.into(), message: message.into(), fields: Object::new(), context: Object::new() }
    }

    /// For what a caller can't act on; the message reaches it as `context.causeMessage`.
    pub fn unexpected(message: impl Into<String>) -> Self {
        Self::new("UnexpectedError", message)
    }

    /// One more of the error's own members.
    pub fn with(mut self, name: &str, value: impl ToJson) -> Self {
        self.fields.set(name, value);
        self
    }

    /// An input that passed its schema and doesn't fit its type: an integer beyond 64 bits, for example.
    pub(crate) fn unfit_input(problem: &json::JsonError) -> Self {
        let mut issue = Object::new();
        issue.set("path", &problem.pointer).set("message", &problem.message);
        let message = format!("Validation failed. {}: {}.", problem.pointer, problem.message);
        Self::new("ValidationError", message).with("issues", vec![Value::Object(issue)])
    }

    /// Hands it to a C function, whose texts live for that call.
    pub(crate) fn lend<R>(&self, use_it: impl FnOnce(*const trellis_error) -> R) -> R {
        let text = |object: &Object| if object.is_empty() { String::new() } else { json::to_string(object) };
        let (context, fields) = (text(&self.context), text(&self.fields));
        let error = trellis_error {
            size: std::mem::size_of::<trellis_error>() as u32,
            reserved: 0,
            r#type: str_of(&self.kind),
            message: str_of(&self.message),
            context: str_of(&context),
            fields: str_of(&fields),
        };
        use_it(&error)
    }

    pub(crate) fn report(&self, sink: trellis_error_sink) {
        if let Some(report) = sink.report {
            self.lend(|error| unsafe { report(sink.context, error) });
        }
    }
}

impl<E: std::error::Error> From<E> for Fault {
    fn from(error: E) -> Self {
        Self::unexpected(error.to_string())
    }
}

/// Why the host said no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Malformed, or not what the schema says.
    Invalid,
    /// It was over already.
    Gone,
    /// The contract doesn't grant it, or NATS refused it.
    Denied,
    /// Nobody listens, or there is no connection at the moment.
    Unavailable,
    Timeout,
    TooLarge,
    /// The called service answered with an error.
    Remote,
    /// This host doesn't have it.
    Unsupported,
    Failed,
}

impl Status {
    fn from_c(status: trellis_status) -> Self {
        match status {
            TRELLIS_E_INVALID => Self::Invalid,
            TRELLIS_E_GONE => Self::Gone,
            TRELLIS_E_DENIED => Self::Denied,
            TRELLIS_E_UNAVAILABLE => Self::Unavailable,
            TRELLIS_E_TIMEOUT => Self::Timeout,
            TRELLIS_E_TOO_LARGE => Self::TooLarge,
            TRELLIS_E_REMOTE => Self::Remote,
            TRELLIS_E_UNSUPPORTED => Self::Unsupported,
            _ => Self::Failed,
        }
    }
}

/// A function of the host that didn't do what was asked: a call, a publication, an emission.
#[derive(Clone, Debug, PartialEq)]
pub struct HostError {
    pub status: Status,
    /// "OutOfStock", "TransportError" ...; the other service's, when `status` is `Remote`.
    pub kind: String,
    /// For people.
    pub message: String,
    /// The error's own members.
    pub fields: Object,
    pub context: Object,
}

impl HostError {
    pub(crate) fn new(status: Status, message: impl Into<String>) -> Self {
        let kind = "UnexpectedError".to_owned();
        Self { status, kind, message: message.into(), fields: Object::new(), context: Object::new() }
    }

    pub(crate) fn gone() -> Self {
        Self::new(Status::Gone, "the plugin has ended")
    }

    pub(crate) fn unsupported(what: &str) -> Self {
        Self::new(Status::Unsupported, format!("this host has no {}", what))
    }

    pub(crate) fn unfit(what: &str, problem: &json::JsonError) -> Self {
        let mut error = Self::new(Status::Invalid, format!("{} doesn't fit its type: {}", what, problem));
        error.kind = "ValidationError".to_owned();
        error
    }

    /// `error` may be null.
    pub(crate) unsafe fn from_c(status: trellis_status, error: *const trellis_error) -> Self {
        let mut out = Self::new(Status::from_c(status), String::new());
        if let Some(error) = error.as_ref() {
            out.kind = lossy(error.r#type).into_owned();
            out.message = lossy(error.message).into_owned();
            out.context = object_of(&lossy(error.context));
            out.fields = object_of(&lossy(error.fields));
        }
        out.completed(status)
    }

    fn completed(mut self, status: trellis_status) -> Self {
        if self.kind.is_empty() {
            self.kind = "UnexpectedError".to_owned();
        }
        if self.message.is_empty() {
            self.message = format!("the host answered with status {}", status);
        }
        self
    }

    /// The error's own members as a type, if it is of `kind`.
    pub fn fields_as<T: FromJson>(&self, kind: &str) -> Option<T> {
        if self.kind != kind {
            return None;
        }
        T::from_json(&Value::Object(self.fields.clone())).ok()
    }
}

fn object_of(text: &str) -> Object {
    match json::parse(text) {
        Ok(Value::Object(object)) => object,
        _ => Object::new(),
    }
}

impl fmt::Display for HostError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.kind, self.message)
    }
}

impl std::error::Error for HostError {}

/// Gets the error that a function reports before it returns.
#[derive(Default)]
pub(crate) struct ErrorSlot(Option<HostError>);

impl ErrorSlot {
    pub(crate) fn sink(&mut self) -> trellis_error_sink {
        trellis_error_sink { context: (self as *mut Self).cast(), report: Some(Self::keep) }
    }

    unsafe extern "C" fn keep(context: *mut std::os::raw::c_void, error: *const trellis_error) {
        (*context.cast::<Self>()).0 = Some(HostError::from_c(TRELLIS_E_FAILED, error));
    }

    pub(crate) fn result(self, status: trellis_status) -> Result<(), HostError> {
        if status == TRELLIS_OK {
            return Ok(());
        }
        let mut error = self.0.unwrap_or_else(|| HostError::new(Status::Failed, "").completed(status));
        error.status = Status::from_c(status);
        Err(error)
    }
}
