//! What the host offers: log, configuration, calls to other contracts.
//!
//! The C functions end with `destroy`, while a plugin's threads may still hold a `Host` or a `Pending`. So each use
//! passes a gate, which `destroy` closes and then waits until nobody is inside: a late use gets `Gone` instead of
//! freed memory. Rejected: a RwLock, whose readers may not nest while a writer waits, as a reply that calls again does.

use crate::fault::{ErrorSlot, Fault, HostError};
use crate::ffi::*;
use crate::json::{self, FromJson, Object, ToJson, Value};
use std::borrow::Cow;
use std::os::raw::c_void;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A text of the host. It is UTF-8 by the rules of the ABI; should it not be, a bad letter is better than a bad memory.
pub(crate) unsafe fn lossy<'a>(text: trellis_str) -> Cow<'a, str> {
    if text.size == 0 || text.data.is_null() {
        return Cow::Borrowed("");
    }
    String::from_utf8_lossy(std::slice::from_raw_parts(text.data.cast::<u8>(), text.size))
}

pub(crate) fn str_of(text: &str) -> trellis_str {
    trellis_str { data: text.as_ptr().cast(), size: text.len() }
}

/// Collects what a function writes before it returns.
#[derive(Default)]
pub(crate) struct Collected(Vec<u8>);

impl Collected {
    pub(crate) fn sink(&mut self) -> trellis_sink {
        trellis_sink { context: (self as *mut Self).cast(), write: Some(Self::append) }
    }

    unsafe extern "C" fn append(context: *mut c_void, piece: trellis_str) {
        if piece.size > 0 {
            let bytes = std::slice::from_raw_parts(piece.data.cast::<u8>(), piece.size);
            (*context.cast::<Self>()).0.extend_from_slice(bytes);
        }
    }

    pub(crate) fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }
}

const CLOSED: usize = 1 << (usize::BITS - 1);

/// How many are inside, and in the highest bit whether it is closed.
#[derive(Default)]
struct Gate {
    inside: AtomicUsize,
    lock: Mutex<()>,
    emptied: Condvar,
}

impl Gate {
    fn enter(&self) -> Option<Inside<'_>> {
        let guard = Inside(self);
        (self.inside.fetch_add(1, Ordering::Acquire) & CLOSED == 0).then_some(guard)
    }

    fn close(&self) {
        self.inside.fetch_or(CLOSED, Ordering::AcqRel);
        let mut locked = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        while self.inside.load(Ordering::Acquire) != CLOSED {
            locked = self.emptied.wait(locked).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

struct Inside<'a>(&'a Gate);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        if self.0.inside.fetch_sub(1, Ordering::AcqRel) == CLOSED + 1 {
            let _locked = self.0.lock.lock().unwrap_or_else(PoisonError::into_inner);
            self.0.emptied.notify_all();
        }
    }
}

struct Shared {
    table: *const trellis_host,
    gate: Gate,
}
// The table is constant and its functions are thread-safe; it is only touched inside the gate.
unsafe impl Send for Shared {}
unsafe impl Sync for Shared {}

struct Trace {
    parent: String,
    state: String,
}

/// How loud a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Trace = TRELLIS_LOG_TRACE as isize,
    Debug = TRELLIS_LOG_DEBUG as isize,
    Info = TRELLIS_LOG_INFO as isize,
    Warn = TRELLIS_LOG_WARN as isize,
    Error = TRELLIS_LOG_ERROR as isize,
}

crate::record! {
    /// Who this plugin is.
    #[derive(Clone, Debug, PartialEq)]
    pub struct Identity {
        /// Its name in the operator's TOML.
        pub plugin: String,
        pub contract_id as "contractId": String,
        pub contract_digest as "contractDigest": String,
        pub session_key as "sessionKey": Option<String>,
        /// The folder that paths in its settings are relative to.
        pub config_dir as "configDir": Option<String>,
    }
}

/// The host's functions, for any thread and as long as wanted. Calls and events made through one that belongs to a
/// request ([`crate::Call::host`]) carry that request's trace.
#[derive(Clone)]
pub struct Host {
    shared: Arc<Shared>,
    trace: Option<Arc<Trace>>,
}

impl Host {
    /// # Safety
    /// `table` is valid until `close` has returned.
    pub(crate) unsafe fn new(table: *const trellis_host) -> Self {
        Self { shared: Arc::new(Shared { table, gate: Gate::default() }), trace: None }
    }

    pub(crate) fn close(&self) {
        self.shared.gate.close();
    }

    /// Runs `use_it` unless the plugin has ended.
    pub(crate) fn enter<R>(&self, use_it: impl FnOnce(&trellis_host) -> R) -> Option<R> {
        let _inside = self.shared.gate.enter()?;
        Some(use_it(unsafe { &*self.shared.table }))
    }

    pub(crate) fn in_trace(&self, parent: &str, state: &str) -> Self {
        let trace = (!parent.is_empty()).then(|| Trace { parent: parent.to_owned(), state: state.to_owned() });
        Self { shared: self.shared.clone(), trace: trace.map(Arc::new) }
    }

    pub(crate) fn trace(&self) -> (&str, &str) {
        self.trace.as_ref().map_or(("", ""), |trace| (&trace.parent, &trace.state))
    }

    /// One log line with the plugin's name.
    pub fn log(&self, level: Level, message: &str) {
        self.log_with(level, message, &Object::new());
    }

    /// The same with fields.
    pub fn log_with(&self, level: Level, message: &str, fields: &Object) {
        let fields = if fields.is_empty() { String::new() } else { json::to_string(fields) };
        self.enter(|host| unsafe { (host.log)(host.self_, level as i32, str_of(message), str_of(&fields)) });
    }

    /// The operator's table `[plugins.NAME.config]`.
    pub fn config<T: FromJson>(&self) -> Result<T, Fault> {
        let text = self.collect(|host, sink| unsafe { (host.config)(host.self_, sink) })?;
        let value = json::parse(&text)?;
        T::from_json(&value).map_err(|problem| Fault::unexpected(format!("the plugin's configuration: {}", problem)))
    }

    pub fn identity(&self) -> Result<Identity, Fault> {
        let text = self.collect(|host, sink| unsafe { (host.identity)(host.self_, sink) })?;
        Ok(json::from_str(&text)?)
    }

    fn collect(&self, ask: impl FnOnce(&trellis_host, trellis_sink) -> trellis_status) -> Result<String, HostError> {
        let mut collected = Collected::default();
        let status = self.enter(|host| ask(host, collected.sink())).ok_or_else(HostError::gone)?;
        ErrorSlot::default().result(status)?;
        Ok(collected.text().into_owned())
    }

    /// Calls an rpc of a contract that this plugin's contract uses, and waits for the answer, 3 seconds at most.
    pub fn call<Out: FromJson>(&self, contract: &str, rpc: &str, input: &dyn ToJson) -> Result<Out, HostError> {
        self.call_within(contract, rpc, input, Duration::ZERO)
    }

    /// The same with a time limit of its own; zero is the default.
    pub fn call_within<Out: FromJson>(
        &self,
        contract: &str,
        rpc: &str,
        input: &dyn ToJson,
        timeout: Duration,
    ) -> Result<Out, HostError> {
        let input = input.to_json().to_string();
        let (mut output, mut error) = (Collected::default(), ErrorSlot::default());
        let call = self.outgoing(contract, rpc, &input, timeout);
        let status = self
            .enter(|host| unsafe { (host.call_rpc)(host.self_, &call, output.sink(), error.sink()) })
            .ok_or_else(HostError::gone)?;
        error.result(status)?;
        read_output(output.text())
    }

    /// The same without waiting: `on_reply` runs exactly once, on a thread of the host, and must be quick. What it
    /// calls with `call` would wait for itself.
    pub fn call_async<Out: FromJson>(
        &self,
        contract: &str,
        rpc: &str,
        input: &dyn ToJson,
        timeout: Duration,
        on_reply: impl FnOnce(Result<Out, HostError>) + Send + 'static,
    ) {
        let input = input.to_json().to_string();
        let call = self.outgoing(contract, rpc, &input, timeout);
        let on_text: OnText = Box::new(move |text| on_reply(text.and_then(read_output)));
        let waiting = Box::into_raw(Box::new((self.clone(), on_text)));
        let status = self.enter(|host| unsafe { (host.call_rpc_async)(host.self_, &call, replied, waiting.cast()) });
        if status == Some(TRELLIS_OK) {
            return; // replied() has it
        }
        let (_, on_text) = *unsafe { Box::from_raw(waiting) };
        on_text(Err(match status {
            Some(status) => unsafe { HostError::from_c(status, std::ptr::null()) },
            None => HostError::gone(),
        }));
    }

    fn outgoing(&self, contract: &str, rpc: &str, input: &str, timeout: Duration) -> trellis_rpc_call {
        let (parent, state) = self.trace();
        trellis_rpc_call {
            size: std::mem::size_of::<trellis_rpc_call>() as u32,
            timeout_ms: milliseconds(timeout),
            contract_id: str_of(contract),
            name: str_of(rpc),
            input: str_of(input),
            traceparent: str_of(parent),
            tracestate: str_of(state),
        }
    }

    /// The table of an extension, if the host has it and it is as large as `T`, and what to pass it first.
    pub(crate) fn extension<T, R>(&self, id: &str, use_it: impl FnOnce(&T, *mut c_void) -> R) -> Result<R, HostError> {
        self.enter(|host| {
            let table = unsafe { (host.get_extension)(host.self_, str_of(id)) };
            // Every extension's table starts with its size.
            if table.is_null() || (unsafe { *table.cast::<u32>() } as usize) < std::mem::size_of::<T>() {
                return Err(HostError::unsupported(id));
            }
            Ok(use_it(unsafe { &*table.cast::<T>() }, host.self_))
        })
        .unwrap_or_else(|| Err(HostError::gone()))
    }
}

/// Zero stays zero, the default; less than a millisecond isn't it.
pub(crate) fn milliseconds(time: Duration) -> u32 {
    let rounded_up = time.as_nanos().saturating_add(999_999) / 1_000_000;
    u32::try_from(rounded_up).unwrap_or(u32::MAX)
}

fn read_output<Out: FromJson>(text: impl AsRef<str>) -> Result<Out, HostError> {
    json::from_str(text.as_ref()).map_err(|problem| HostError::unfit("the output", &problem))
}

type OnText = Box<dyn FnOnce(Result<String, HostError>) + Send>;

unsafe extern "C" fn replied(
    context: *mut c_void,
    status: trellis_status,
    output: trellis_str,
    error: *const trellis_error,
) {
    let (host, on_text) = *Box::from_raw(context.cast::<(Host, OnText)>());
    let result = match status {
        TRELLIS_OK => Ok(lossy(output).into_owned()),
        _ => Err(HostError::from_c(status, error)),
    };
    crate::guard::run(&host, "a reply's closure", || on_text(result));
}

/// A status without details.
pub(crate) fn check(status: Option<trellis_status>) -> Result<(), HostError> {
    ErrorSlot::default().result(status.unwrap_or(TRELLIS_E_GONE))
}

/// An object as the host wants it: empty text for an empty one.
pub(crate) fn object_text(object: &Object) -> String {
    if object.is_empty() {
        String::new()
    } else {
        Value::Object(object.clone()).to_string()
    }
}

impl Host {
    pub(crate) fn is_wanted(&self, call: trellis_call) -> bool {
        self.enter(|host| unsafe { (host.call_state)(host.self_, call) }) == Some(TRELLIS_OK)
    }

    pub(crate) fn complete(&self, call: trellis_call, output: &str) -> Result<(), HostError> {
        check(self.enter(|host| unsafe { (host.complete)(host.self_, call, str_of(output)) }))
    }

    pub(crate) fn fail(&self, call: trellis_call, fault: &Fault) -> Result<(), HostError> {
        check(self.enter(|host| fault.lend(|error| unsafe { (host.fail)(host.self_, call, error) })))
    }

    pub(crate) fn release(&self, call: trellis_call) {
        self.enter(|host| unsafe { (host.release)(host.self_, call) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Status;
    use std::thread;

    #[test]
    fn a_closed_gate_lets_nobody_in_and_closing_waits_for_those_inside() {
        let gate = Arc::new(Gate::default());
        let first = gate.enter();
        assert!(first.is_some());
        let closing = {
            let gate = gate.clone();
            thread::spawn(move || gate.close())
        };
        while gate.inside.load(Ordering::Acquire) & CLOSED == 0 {
            thread::yield_now();
        }
        assert!(gate.enter().is_none());
        assert!(!closing.is_finished());
        drop(first);
        closing.join().unwrap();
        assert!(gate.enter().is_none());
    }

    #[test]
    fn a_time_below_a_millisecond_is_not_the_default() {
        assert_eq!(milliseconds(Duration::ZERO), 0);
        assert_eq!(milliseconds(Duration::from_nanos(1)), 1);
        assert_eq!(milliseconds(Duration::from_millis(1500)), 1500);
        assert_eq!(milliseconds(Duration::MAX), u32::MAX);
    }

    #[test]
    fn bytes_that_are_no_text_lose_only_themselves() {
        let bytes = [b'a', 0xff, b'b'];
        let text = trellis_str { data: bytes.as_ptr().cast(), size: bytes.len() };
        assert_eq!(unsafe { lossy(text) }, "a\u{fffd}b");
    }

    #[test]
    fn a_status_has_its_name() {
        let error = unsafe { HostError::from_c(TRELLIS_E_TIMEOUT, std::ptr::null()) };
        assert_eq!(error.status, Status::Timeout);
        assert_eq!(error.to_string(), "UnexpectedError: the host answered with status 5");
    }
}
