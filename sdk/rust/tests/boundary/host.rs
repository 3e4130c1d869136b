//! The host's side of the ABI in a few lines: hands out requests and writes down what comes back.

use ::trellis_plugin::ffi::*;
use ::trellis_plugin::{Fault, Service};
use std::collections::VecDeque;
use std::os::raw::c_void;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// What the plugin told the host, in words.
#[derive(Default)]
pub struct Record {
    lines: Mutex<VecDeque<String>>,
    more: Condvar,
}

impl Record {
    fn add(&self, line: String) {
        self.lines.lock().unwrap().push_back(line);
        self.more.notify_all();
    }

    /// The next line, which may still have to come from another thread.
    pub fn next(&self) -> String {
        let lines = self.lines.lock().unwrap();
        let (mut lines, waited) =
            self.more.wait_timeout_while(lines, Duration::from_secs(20), |lines| lines.is_empty()).unwrap();
        assert!(!waited.timed_out(), "the plugin said nothing");
        lines.pop_front().unwrap()
    }

    pub fn is_empty(&self) -> bool {
        self.lines.lock().unwrap().is_empty()
    }
}

pub unsafe fn text(text: trellis_str) -> String {
    if text.size == 0 {
        return String::new();
    }
    String::from_utf8(std::slice::from_raw_parts(text.data.cast(), text.size).to_vec()).unwrap()
}

pub fn lend(text: &str) -> trellis_str {
    trellis_str { data: text.as_ptr().cast(), size: text.len() }
}

unsafe fn record<'a>(this: *mut c_void) -> &'a Record {
    &*this.cast::<Record>()
}

unsafe fn shown(error: *const trellis_error) -> String {
    let error = &*error;
    format!("{} {} {}", text(error.r#type), text(error.message), text(error.fields)).trim_end().to_owned()
}

unsafe extern "C" fn log(this: *mut c_void, level: i32, message: trellis_str, fields: trellis_str) {
    record(this).add(format!("log {} {} {}", level, text(message), text(fields)));
}

unsafe extern "C" fn config(_: *mut c_void, out: trellis_sink) -> trellis_status {
    out.write.unwrap()(out.context, lend("{\"greeting\":")); // in pieces, as it may be
    out.write.unwrap()(out.context, lend("\"hi\"}"));
    TRELLIS_OK
}

unsafe extern "C" fn identity(_: *mut c_void, out: trellis_sink) -> trellis_status {
    out.write.unwrap()(out.context, lend(r#"{"plugin":"p","contractId":"acme.test@v1","contractDigest":"d"}"#));
    TRELLIS_OK
}

unsafe extern "C" fn complete(this: *mut c_void, call: trellis_call, output: trellis_str) -> trellis_status {
    record(this).add(format!("complete {} {}", call, text(output)));
    TRELLIS_OK
}

unsafe extern "C" fn fail(this: *mut c_void, call: trellis_call, error: *const trellis_error) -> trellis_status {
    record(this).add(format!("fail {} {}", call, shown(error)));
    TRELLIS_OK
}

unsafe extern "C" fn release(this: *mut c_void, call: trellis_call) -> trellis_status {
    record(this).add(format!("release {}", call));
    TRELLIS_OK
}

unsafe extern "C" fn call_state(_: *mut c_void, call: trellis_call) -> trellis_status {
    if call < 100 {
        TRELLIS_OK
    } else {
        TRELLIS_E_GONE
    }
}

const SOLD_OUT: &str = "{\"sku\":\"bolt\"}";

/// "Shop.Buy" answers with an error, everything else with its input.
unsafe extern "C" fn call_rpc(
    this: *mut c_void,
    call: *const trellis_rpc_call,
    output: trellis_sink,
    error: trellis_error_sink,
) -> trellis_status {
    let call = &*call;
    record(this).add(format!("call {} {} {}", text(call.contract_id), text(call.name), text(call.traceparent)));
    if text(call.name) == "Shop.Buy" {
        let sold_out = trellis_error {
            size: std::mem::size_of::<trellis_error>() as u32,
            reserved: 0,
            r#type: lend("SoldOut"),
            message: lend("none left"),
            context: lend(""),
            fields: lend(SOLD_OUT),
        };
        error.report.unwrap()(error.context, &sold_out);
        return TRELLIS_E_REMOTE;
    }
    output.write.unwrap()(output.context, call.input);
    TRELLIS_OK
}

unsafe extern "C" fn call_rpc_async(
    _: *mut c_void,
    call: *const trellis_rpc_call,
    reply: trellis_rpc_reply_fn,
    context: *mut c_void,
) -> trellis_status {
    if text((*call).name) == "Shop.Closed" {
        return TRELLIS_E_UNAVAILABLE;
    }
    reply(context, TRELLIS_OK, (*call).input, std::ptr::null()); // before it returns, as it may
    TRELLIS_OK
}

unsafe extern "C" fn emit(this: *mut c_void, stream: u64, event: trellis_str, _: trellis_error_sink) -> trellis_status {
    record(this).add(format!("emit {} {}", stream, text(event)));
    TRELLIS_OK
}

unsafe extern "C" fn fail_stream(this: *mut c_void, stream: u64, error: *const trellis_error) -> trellis_status {
    record(this).add(format!("fail stream {} {}", stream, shown(error)));
    TRELLIS_OK
}

unsafe extern "C" fn close(this: *mut c_void, stream: u64) -> trellis_status {
    record(this).add(format!("close {}", stream));
    TRELLIS_OK
}

unsafe extern "C" fn record_metric(
    this: *mut c_void,
    metric: *const trellis_metric,
    value: f64,
    attributes: *const trellis_header,
    count: usize,
) -> trellis_status {
    let first = if count > 0 { text((*attributes).name) + "=" + &text((*attributes).value) } else { String::new() };
    record(this).add(format!("metric {} {} {} {}", (*metric).kind, text((*metric).name), value, first));
    TRELLIS_OK
}

static FEEDS: trellis_feeds_v1 = trellis_feeds_v1 {
    size: std::mem::size_of::<trellis_feeds_v1>() as u32,
    reserved: 0,
    emit,
    fail: fail_stream,
    close,
    state: call_state,
};
static METRICS: trellis_metrics_v1 =
    trellis_metrics_v1 { size: std::mem::size_of::<trellis_metrics_v1>() as u32, reserved: 0, record: record_metric };
/// Of a host that knew only the first function.
#[repr(C)]
struct Short(u32, u32, usize);
static SHORT_EVENTS: Short = Short(16, 0, 0);

unsafe extern "C" fn get_extension(_: *mut c_void, id: trellis_str) -> *const c_void {
    match text(id).as_str() {
        TRELLIS_EXT_FEEDS => (&FEEDS as *const trellis_feeds_v1).cast(),
        TRELLIS_EXT_METRICS => (&METRICS as *const trellis_metrics_v1).cast(),
        TRELLIS_EXT_EVENTS => (&SHORT_EVENTS as *const Short).cast(),
        _ => std::ptr::null(),
    }
}

unsafe extern "C" fn keep_error(context: *mut c_void, error: *const trellis_error) {
    *context.cast::<String>() = shown(error);
}

unsafe extern "C" fn keep_text(context: *mut c_void, data: trellis_str) {
    context.cast::<String>().as_mut().unwrap().push_str(&text(data));
}

/// A plugin that was created.
pub struct Plugin {
    pub record: Arc<Record>,
    host: *mut trellis_host, // freed with the plugin, so that a late use shows
    table: *const trellis_plugin,
}

impl Plugin {
    pub fn create(setup: impl FnOnce(&mut Service) -> Result<(), Fault>) -> Result<Self, String> {
        let record = Arc::new(Record::default());
        let host = Box::into_raw(Box::new(trellis_host {
            size: std::mem::size_of::<trellis_host>() as u32,
            abi_minor: TRELLIS_ABI_MINOR,
            self_: Arc::as_ptr(&record) as *mut c_void,
            get_extension,
            log,
            config,
            identity,
            complete,
            fail,
            release,
            call_state,
            call_rpc,
            call_rpc_async,
        }));
        let mut plugin = Self { record, host, table: std::ptr::null() };
        let mut message = String::new();
        let status = unsafe {
            ::trellis_plugin::macros::create(plugin.host, &mut plugin.table, error_sink(&mut message), setup)
        };
        if status == TRELLIS_OK {
            Ok(plugin)
        } else {
            Err(message)
        }
    }

    pub fn table(&self) -> &trellis_plugin {
        unsafe { &*self.table }
    }

    fn handler(&self, name: &str, group: &str) -> &trellis_handler {
        let entries = unsafe { std::slice::from_raw_parts(self.table().handlers, self.table().handler_count as usize) };
        let fits = |entry: &&trellis_handler| unsafe { text(entry.name) == name && text(entry.group) == group };
        entries.iter().map(|entry| unsafe { &**entry }).find(fits).expect("no such handler")
    }

    pub fn call(&self, call: u64, name: &str, input: &str) {
        let request = trellis_request {
            size: std::mem::size_of::<trellis_request>() as u32,
            reserved: 0,
            call,
            surface: lend(name),
            input: lend(input),
            caller: lend(r#"{"type":"service","id":"c1"}"#),
            session_key: lend("key"),
            request_id: lend("r1"),
            traceparent: lend("00-trace"),
            tracestate: lend(""),
            deadline_unix_ms: 1,
        };
        unsafe { self.handler(name, "").rpc.unwrap()(self.table().self_, &request) };
    }

    pub fn deliver(&self, name: &str, group: &str, payload: &str) -> Result<(), String> {
        let delivery = trellis_event_delivery {
            size: std::mem::size_of::<trellis_event_delivery>() as u32,
            delivery: 1,
            contract_id: lend("acme.test@v1"),
            name: lend(name),
            payload: lend(payload),
            subject: lend("events.v1.X"),
            id: lend("e1"),
            time_unix_ms: 7,
            group: lend(group),
            sequence: 9,
            traceparent: lend(""),
            tracestate: lend(""),
        };
        let handler = self.handler(name, group);
        self.status(|error| unsafe { handler.event.unwrap()(self.table().self_, &delivery, error) })
    }

    pub fn subscribe(&self, stream: u64, name: &str, input: &str) {
        let request = trellis_feed_request {
            size: std::mem::size_of::<trellis_feed_request>() as u32,
            reserved: 0,
            stream,
            surface: lend(name),
            input: lend(input),
            caller: lend(r#"{"type":"user","id":"c1"}"#),
            session_key: lend("key"),
            request_id: lend("r1"),
            traceparent: lend(""),
            tracestate: lend(""),
        };
        unsafe { self.handler(name, "").feed.unwrap()(self.table().self_, &request) };
    }

    pub fn cancel(&self, stream: u64, name: &str) {
        unsafe { self.handler(name, "").feed_cancel.unwrap()(self.table().self_, stream) };
    }

    pub fn start(&self) -> Result<(), String> {
        self.status(|error| unsafe { self.table().start.unwrap()(self.table().self_, error) })
    }

    /// What check `number` says: its details.
    pub fn check(&self, number: usize) -> Result<String, String> {
        let id = lend(TRELLIS_EXT_HEALTH);
        let health = unsafe { self.table().get_extension.unwrap()(self.table().self_, id).cast::<trellis_health_v1>() };
        let health = unsafe { health.as_ref() }.expect("no health");
        assert!(number < health.check_count as usize);
        let check = unsafe { &**health.checks.add(number) };
        let mut details = String::new();
        let sink = trellis_sink { context: (&mut details as *mut String).cast(), write: Some(keep_text) };
        self.status(|error| unsafe { (check.check)(self.table().self_, sink, error) })?;
        Ok(details)
    }

    fn status(&self, run: impl FnOnce(trellis_error_sink) -> trellis_status) -> Result<(), String> {
        let mut message = String::new();
        match run(error_sink(&mut message)) {
            TRELLIS_OK => Ok(()),
            _ => Err(message),
        }
    }
}

fn error_sink(into: &mut String) -> trellis_error_sink {
    trellis_error_sink { context: (into as *mut String).cast(), report: Some(keep_error) }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        if !self.table.is_null() {
            unsafe { self.table().destroy.unwrap()(self.table().self_) };
        }
        drop(unsafe { Box::from_raw(self.host) });
    }
}
