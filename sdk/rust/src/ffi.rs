//! `trellis/plugin.h`, version 1.1, as it is. The header is the specification; nothing is explained here again.
//!
//! Written by hand: the header is frozen field by field, so a generator would bring a dependency and no safety. The
//! asserts at the end are those of `plugin-api/header_check.c`.
#![allow(non_camel_case_types)]

use std::os::raw::{c_char, c_void};

pub const TRELLIS_ABI_MAJOR: u32 = 1;
pub const TRELLIS_ABI_MINOR: u32 = 1;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct trellis_str {
    pub data: *const c_char,
    pub size: usize,
}

pub type trellis_status = i32;
pub const TRELLIS_OK: trellis_status = 0;
pub const TRELLIS_E_INVALID: trellis_status = 1;
pub const TRELLIS_E_GONE: trellis_status = 2;
pub const TRELLIS_E_DENIED: trellis_status = 3;
pub const TRELLIS_E_UNAVAILABLE: trellis_status = 4;
pub const TRELLIS_E_TIMEOUT: trellis_status = 5;
pub const TRELLIS_E_TOO_LARGE: trellis_status = 6;
pub const TRELLIS_E_REMOTE: trellis_status = 7;
pub const TRELLIS_E_UNSUPPORTED: trellis_status = 8;
pub const TRELLIS_E_FAILED: trellis_status = 9;

pub type trellis_call = u64;
pub type trellis_stream = u64;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct trellis_sink {
    pub context: *mut c_void,
    pub write: Option<unsafe extern "C" fn(context: *mut c_void, data: trellis_str)>,
}

#[repr(C)]
pub struct trellis_error {
    pub size: u32,
    pub reserved: u32,
    pub r#type: trellis_str,
    pub message: trellis_str,
    pub context: trellis_str,
    pub fields: trellis_str,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct trellis_error_sink {
    pub context: *mut c_void,
    pub report: Option<unsafe extern "C" fn(context: *mut c_void, error: *const trellis_error)>,
}

pub const TRELLIS_LOG_TRACE: i32 = 0;
pub const TRELLIS_LOG_DEBUG: i32 = 1;
pub const TRELLIS_LOG_INFO: i32 = 2;
pub const TRELLIS_LOG_WARN: i32 = 3;
pub const TRELLIS_LOG_ERROR: i32 = 4;

#[repr(C)]
pub struct trellis_request {
    pub size: u32,
    pub reserved: u32,
    pub call: trellis_call,
    pub surface: trellis_str,
    pub input: trellis_str,
    pub caller: trellis_str,
    pub session_key: trellis_str,
    pub request_id: trellis_str,
    pub traceparent: trellis_str,
    pub tracestate: trellis_str,
    pub deadline_unix_ms: i64,
}

pub const TRELLIS_SURFACE_RPC: u32 = 1;
pub const TRELLIS_SURFACE_EVENT: u32 = 2;
pub const TRELLIS_SURFACE_FEED: u32 = 3;

pub type trellis_rpc_fn = unsafe extern "C" fn(self_: *mut c_void, request: *const trellis_request);

#[repr(C)]
pub struct trellis_event_delivery {
    pub size: u32,
    pub delivery: u32,
    pub contract_id: trellis_str,
    pub name: trellis_str,
    pub payload: trellis_str,
    pub subject: trellis_str,
    pub id: trellis_str,
    pub time_unix_ms: i64,
    pub group: trellis_str,
    pub sequence: u64,
    pub traceparent: trellis_str,
    pub tracestate: trellis_str,
}

pub type trellis_event_fn = unsafe extern "C" fn(
    self_: *mut c_void,
    event: *const trellis_event_delivery,
    error: trellis_error_sink,
) -> trellis_status;

#[repr(C)]
pub struct trellis_feed_request {
    pub size: u32,
    pub reserved: u32,
    pub stream: trellis_stream,
    pub surface: trellis_str,
    pub input: trellis_str,
    pub caller: trellis_str,
    pub session_key: trellis_str,
    pub request_id: trellis_str,
    pub traceparent: trellis_str,
    pub tracestate: trellis_str,
}

pub type trellis_feed_fn = unsafe extern "C" fn(self_: *mut c_void, request: *const trellis_feed_request);
pub type trellis_feed_cancel_fn = unsafe extern "C" fn(self_: *mut c_void, stream: trellis_stream);

#[repr(C)]
pub struct trellis_handler {
    pub size: u32,
    pub kind: u32,
    pub contract_id: trellis_str,
    pub name: trellis_str,
    pub rpc: Option<trellis_rpc_fn>,
    pub event: Option<trellis_event_fn>,
    pub group: trellis_str,
    pub subject_data: trellis_str,
    pub feed: Option<trellis_feed_fn>,
    pub feed_cancel: Option<trellis_feed_cancel_fn>,
}

#[repr(C)]
pub struct trellis_rpc_call {
    pub size: u32,
    pub timeout_ms: u32,
    pub contract_id: trellis_str,
    pub name: trellis_str,
    pub input: trellis_str,
    pub traceparent: trellis_str,
    pub tracestate: trellis_str,
}

pub type trellis_rpc_reply_fn = unsafe extern "C" fn(
    context: *mut c_void,
    status: trellis_status,
    output: trellis_str,
    error: *const trellis_error,
);

#[repr(C)]
pub struct trellis_host {
    pub size: u32,
    pub abi_minor: u32,
    pub self_: *mut c_void,
    pub get_extension: unsafe extern "C" fn(self_: *mut c_void, id: trellis_str) -> *const c_void,
    pub log: unsafe extern "C" fn(self_: *mut c_void, level: i32, message: trellis_str, fields: trellis_str),
    pub config: unsafe extern "C" fn(self_: *mut c_void, out: trellis_sink) -> trellis_status,
    pub identity: unsafe extern "C" fn(self_: *mut c_void, out: trellis_sink) -> trellis_status,
    pub complete: unsafe extern "C" fn(self_: *mut c_void, call: trellis_call, output: trellis_str) -> trellis_status,
    pub fail:
        unsafe extern "C" fn(self_: *mut c_void, call: trellis_call, error: *const trellis_error) -> trellis_status,
    pub release: unsafe extern "C" fn(self_: *mut c_void, call: trellis_call) -> trellis_status,
    pub call_state: unsafe extern "C" fn(self_: *mut c_void, call: trellis_call) -> trellis_status,
    pub call_rpc: unsafe extern "C" fn(
        self_: *mut c_void,
        call: *const trellis_rpc_call,
        output: trellis_sink,
        error: trellis_error_sink,
    ) -> trellis_status,
    pub call_rpc_async: unsafe extern "C" fn(
        self_: *mut c_void,
        call: *const trellis_rpc_call,
        reply: trellis_rpc_reply_fn,
        context: *mut c_void,
    ) -> trellis_status,
}

#[repr(C)]
pub struct trellis_plugin {
    pub size: u32,
    pub handler_count: u32,
    pub self_: *mut c_void,
    pub handlers: *const *const trellis_handler,
    pub start: Option<unsafe extern "C" fn(self_: *mut c_void, error: trellis_error_sink) -> trellis_status>,
    pub stop: Option<
        unsafe extern "C" fn(self_: *mut c_void, deadline_unix_ms: i64, error: trellis_error_sink) -> trellis_status,
    >,
    pub destroy: Option<unsafe extern "C" fn(self_: *mut c_void)>,
    pub get_extension: Option<unsafe extern "C" fn(self_: *mut c_void, id: trellis_str) -> *const c_void>,
}

pub type trellis_create_fn = unsafe extern "C" fn(
    host: *const trellis_host,
    out: *mut *const trellis_plugin,
    error: trellis_error_sink,
) -> trellis_status;

#[repr(C)]
pub struct trellis_plugin_entry {
    pub size: u32,
    pub abi_major: u32,
    pub abi_minor: u32,
    pub reserved: u32,
    pub name: trellis_str,
    pub version: trellis_str,
    pub create: trellis_create_fn,
}
// Constants that point to constants.
unsafe impl Sync for trellis_plugin_entry {}

pub const TRELLIS_EXT_TRANSPORT: &str = "trellis.transport/1";

#[repr(C)]
pub struct trellis_header {
    pub name: trellis_str,
    pub value: trellis_str,
}

#[repr(C)]
pub struct trellis_transport_v1 {
    pub size: u32,
    pub reserved: u32,
    pub publish: unsafe extern "C" fn(
        self_: *mut c_void,
        subject: trellis_str,
        payload: trellis_str,
        headers: *const trellis_header,
        header_count: usize,
    ) -> trellis_status,
    pub request: unsafe extern "C" fn(
        self_: *mut c_void,
        subject: trellis_str,
        payload: trellis_str,
        headers: *const trellis_header,
        header_count: usize,
        timeout_ms: u32,
        reply: trellis_sink,
        error: trellis_error_sink,
    ) -> trellis_status,
}

pub const TRELLIS_EXT_EVENTS: &str = "trellis.events/1";

#[repr(C)]
pub struct trellis_event {
    pub size: u32,
    pub timeout_ms: u32,
    pub contract_id: trellis_str,
    pub name: trellis_str,
    pub payload: trellis_str,
    pub traceparent: trellis_str,
    pub tracestate: trellis_str,
}

pub type trellis_published_fn =
    unsafe extern "C" fn(context: *mut c_void, status: trellis_status, error: *const trellis_error);

#[repr(C)]
pub struct trellis_events_v1 {
    pub size: u32,
    pub reserved: u32,
    pub prepare: unsafe extern "C" fn(
        self_: *mut c_void,
        event: *const trellis_event,
        prepared: trellis_sink,
        error: trellis_error_sink,
    ) -> trellis_status,
    pub publish_prepared: unsafe extern "C" fn(
        self_: *mut c_void,
        prepared: trellis_str,
        timeout_ms: u32,
        published: trellis_sink,
        error: trellis_error_sink,
    ) -> trellis_status,
    pub publish: unsafe extern "C" fn(
        self_: *mut c_void,
        event: *const trellis_event,
        published: trellis_sink,
        error: trellis_error_sink,
    ) -> trellis_status,
    pub publish_async: unsafe extern "C" fn(
        self_: *mut c_void,
        event: *const trellis_event,
        done: trellis_published_fn,
        context: *mut c_void,
        error: trellis_error_sink,
    ) -> trellis_status,
}

pub const TRELLIS_EXT_FEEDS: &str = "trellis.feeds/1";

#[repr(C)]
pub struct trellis_feeds_v1 {
    pub size: u32,
    pub reserved: u32,
    pub emit: unsafe extern "C" fn(
        self_: *mut c_void,
        stream: trellis_stream,
        event: trellis_str,
        error: trellis_error_sink,
    ) -> trellis_status,
    pub fail:
        unsafe extern "C" fn(self_: *mut c_void, stream: trellis_stream, error: *const trellis_error) -> trellis_status,
    pub close: unsafe extern "C" fn(self_: *mut c_void, stream: trellis_stream) -> trellis_status,
    pub state: unsafe extern "C" fn(self_: *mut c_void, stream: trellis_stream) -> trellis_status,
}

pub const TRELLIS_EXT_METRICS: &str = "trellis.metrics/1";
pub const TRELLIS_METRIC_COUNTER: u32 = 1;
pub const TRELLIS_METRIC_GAUGE: u32 = 2;
pub const TRELLIS_METRIC_HISTOGRAM: u32 = 3;

#[repr(C)]
pub struct trellis_metric {
    pub size: u32,
    pub kind: u32,
    pub name: trellis_str,
    pub unit: trellis_str,
    pub description: trellis_str,
}

#[repr(C)]
pub struct trellis_metrics_v1 {
    pub size: u32,
    pub reserved: u32,
    pub record: unsafe extern "C" fn(
        self_: *mut c_void,
        metric: *const trellis_metric,
        value: f64,
        attributes: *const trellis_header,
        attribute_count: usize,
    ) -> trellis_status,
}

pub const TRELLIS_EXT_HEALTH: &str = "trellis.health/1";

#[repr(C)]
pub struct trellis_health_check {
    pub size: u32,
    pub reserved: u32,
    pub name: trellis_str,
    pub check:
        unsafe extern "C" fn(self_: *mut c_void, details: trellis_sink, error: trellis_error_sink) -> trellis_status,
}

#[repr(C)]
pub struct trellis_health_v1 {
    pub size: u32,
    pub check_count: u32,
    pub checks: *const *const trellis_health_check,
    pub info: Option<unsafe extern "C" fn(self_: *mut c_void, out: trellis_sink) -> trellis_status>,
}

/// Sizes that the header pins; offsets are checked in the tests, where that needs no nightly feature.
const _: () = {
    use std::mem::size_of;
    assert!(size_of::<trellis_str>() == 16);
    assert!(size_of::<trellis_sink>() == 16);
    assert!(size_of::<trellis_error_sink>() == 16);
    assert!(size_of::<trellis_header>() == 32);
    assert!(size_of::<trellis_error>() == 72);
    assert!(size_of::<trellis_request>() == 136);
    assert!(size_of::<trellis_handler>() == 104);
    assert!(size_of::<trellis_rpc_call>() == 88);
    assert!(size_of::<trellis_host>() == 96);
    assert!(size_of::<trellis_plugin>() == 56);
    assert!(size_of::<trellis_plugin_entry>() == 56);
    assert!(size_of::<trellis_event_delivery>() == 152);
    assert!(size_of::<trellis_feed_request>() == 128);
    assert!(size_of::<trellis_event>() == 88);
    assert!(size_of::<trellis_events_v1>() == 40);
    assert!(size_of::<trellis_feeds_v1>() == 40);
    assert!(size_of::<trellis_metric>() == 56);
    assert!(size_of::<trellis_metrics_v1>() == 16);
    assert!(size_of::<trellis_health_check>() == 32);
    assert!(size_of::<trellis_health_v1>() == 24);
    assert!(size_of::<trellis_transport_v1>() == 24);
};

#[cfg(test)]
mod tests {
    use super::*;

    /// The member's offset, as `offsetof`, which this crate's oldest compiler doesn't have.
    macro_rules! offset {
        ($type:ty, $member:ident) => {{
            let whole = std::mem::MaybeUninit::<$type>::uninit();
            let start = whole.as_ptr();
            let member = unsafe { std::ptr::addr_of!((*start).$member) };
            member as usize - start as usize
        }};
    }

    #[test]
    fn every_member_is_where_the_header_has_it() {
        assert_eq!(offset!(trellis_error, r#type), 8);
        assert_eq!(offset!(trellis_error, fields), 56);
        assert_eq!(offset!(trellis_request, call), 8);
        assert_eq!(offset!(trellis_request, surface), 16);
        assert_eq!(offset!(trellis_request, deadline_unix_ms), 128);
        assert_eq!(offset!(trellis_handler, contract_id), 8);
        assert_eq!(offset!(trellis_handler, rpc), 40);
        assert_eq!(offset!(trellis_handler, event), 48);
        assert_eq!(offset!(trellis_handler, group), 56);
        assert_eq!(offset!(trellis_handler, subject_data), 72);
        assert_eq!(offset!(trellis_handler, feed), 88);
        assert_eq!(offset!(trellis_handler, feed_cancel), 96);
        assert_eq!(offset!(trellis_rpc_call, contract_id), 8);
        assert_eq!(offset!(trellis_rpc_call, tracestate), 72);
        assert_eq!(offset!(trellis_host, self_), 8);
        assert_eq!(offset!(trellis_host, get_extension), 16);
        assert_eq!(offset!(trellis_host, call_rpc_async), 88);
        assert_eq!(offset!(trellis_plugin, self_), 8);
        assert_eq!(offset!(trellis_plugin, get_extension), 48);
        assert_eq!(offset!(trellis_plugin_entry, name), 16);
        assert_eq!(offset!(trellis_plugin_entry, create), 48);
        assert_eq!(offset!(trellis_transport_v1, publish), 8);
        assert_eq!(offset!(trellis_event_delivery, contract_id), 8);
        assert_eq!(offset!(trellis_event_delivery, time_unix_ms), 88);
        assert_eq!(offset!(trellis_event_delivery, sequence), 112);
        assert_eq!(offset!(trellis_event_delivery, tracestate), 136);
        assert_eq!(offset!(trellis_feed_request, stream), 8);
        assert_eq!(offset!(trellis_feed_request, tracestate), 112);
        assert_eq!(offset!(trellis_event, contract_id), 8);
        assert_eq!(offset!(trellis_event, tracestate), 72);
        assert_eq!(offset!(trellis_events_v1, prepare), 8);
        assert_eq!(offset!(trellis_events_v1, publish_async), 32);
        assert_eq!(offset!(trellis_feeds_v1, emit), 8);
        assert_eq!(offset!(trellis_feeds_v1, state), 32);
        assert_eq!(offset!(trellis_metric, name), 8);
        assert_eq!(offset!(trellis_metric, description), 40);
        assert_eq!(offset!(trellis_metrics_v1, record), 8);
        assert_eq!(offset!(trellis_health_check, name), 8);
        assert_eq!(offset!(trellis_health_check, check), 24);
        assert_eq!(offset!(trellis_health_v1, checks), 8);
        assert_eq!(offset!(trellis_health_v1, info), 16);
    }
}
