//! The C side of a service: its tables, and the functions in them. Everything here runs behind `guard`.

use crate::fault::Fault;
use crate::feeds::Streams;
use crate::ffi::*;
use crate::guard;
use crate::host::{lossy, object_text, str_of, Host};
use crate::service::Service;
use std::collections::HashSet;
use std::os::raw::c_void;
use std::sync::Arc;

/// A function of the ABI gets no word from its own table entry, so each check needs a function of its own.
pub(crate) const MAX_CHECKS: usize = 16;

type CheckFn = unsafe extern "C" fn(*mut c_void, trellis_sink, trellis_error_sink) -> trellis_status;
macro_rules! checks {
    ($($number:literal)*) => { [$(check::<$number>),*] };
}
const CHECKS: [CheckFn; MAX_CHECKS] = checks!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);

/// One running plugin. Its tables point into itself, so it stays in its box until `destroy`.
pub(crate) struct Instance {
    service: Service,
    streams: Arc<Streams>,
    // What the host reads; the entries point to names in `service`.
    _entries: Vec<trellis_handler>,
    pointers: Vec<*const trellis_handler>,
    _checks: Vec<trellis_health_check>,
    check_pointers: Vec<*const trellis_health_check>,
    health: trellis_health_v1,
    table: trellis_plugin,
}

impl Instance {
    fn build(service: Service) -> Result<Box<Self>, Fault> {
        refuse_what_cannot_be_told_apart(&service)?;
        let entries = entries_of(&service);
        let checks = checks_of(&service);
        let mut instance = Box::new(Self {
            pointers: entries.iter().map(|entry| entry as *const _).collect(),
            check_pointers: checks.iter().map(|check| check as *const _).collect(),
            _entries: entries,
            _checks: checks,
            streams: Arc::default(),
            health: trellis_health_v1 { size: 0, check_count: 0, checks: std::ptr::null(), info: None },
            table: trellis_plugin {
                size: std::mem::size_of::<trellis_plugin>() as u32,
                handler_count: 0,
                self_: std::ptr::null_mut(),
                handlers: std::ptr::null(),
                start: Some(start),
                stop: Some(stop),
                destroy: Some(destroy),
                get_extension: Some(get_extension),
            },
            service,
        });
        instance.health = trellis_health_v1 {
            size: std::mem::size_of::<trellis_health_v1>() as u32,
            check_count: instance.check_pointers.len() as u32,
            checks: instance.check_pointers.as_ptr(),
            info: instance.service.info.as_ref().map(|_| info as _),
        };
        instance.table.handler_count = instance.pointers.len() as u32;
        instance.table.handlers = instance.pointers.as_ptr();
        Ok(instance)
    }

    unsafe fn of<'a>(this: *mut c_void) -> &'a Self {
        &*this.cast::<Self>()
    }

    fn host(&self) -> &Host {
        &self.service.host
    }
}

/// A delivery names contract, event and group, and a check has one of a fixed number of functions.
fn refuse_what_cannot_be_told_apart(service: &Service) -> Result<(), Fault> {
    let mut seen = HashSet::new();
    for listener in &service.listeners {
        if !seen.insert((&listener.contract, &listener.event, &listener.group)) {
            return Err(Fault::unexpected(format!("two listeners of {} in the same group", listener.event)));
        }
    }
    if service.checks.len() > MAX_CHECKS {
        return Err(Fault::unexpected(format!("more than {} health checks", MAX_CHECKS)));
    }
    Ok(())
}

fn entry(kind: u32, contract: &str, name: &str) -> trellis_handler {
    trellis_handler {
        size: std::mem::size_of::<trellis_handler>() as u32,
        kind,
        contract_id: str_of(contract),
        name: str_of(name),
        rpc: None,
        event: None,
        group: str_of(""),
        subject_data: str_of(""),
        feed: None,
        feed_cancel: None,
    }
}

fn entries_of(service: &Service) -> Vec<trellis_handler> {
    let mut entries = Vec::new();
    for name in service.rpcs.keys() {
        let mut entry = entry(TRELLIS_SURFACE_RPC, &service.contract, name);
        entry.rpc = Some(rpc);
        entries.push(entry);
    }
    for listener in &service.listeners {
        let mut entry = entry(TRELLIS_SURFACE_EVENT, &listener.contract, &listener.event);
        entry.event = Some(event);
        entry.group = str_of(&listener.group);
        entry.subject_data = str_of(&listener.subject_data);
        entries.push(entry);
    }
    for name in service.feeds.keys() {
        let mut entry = entry(TRELLIS_SURFACE_FEED, &service.contract, name);
        entry.feed = Some(feed);
        entry.feed_cancel = Some(feed_cancel);
        entries.push(entry);
    }
    entries
}

fn checks_of(service: &Service) -> Vec<trellis_health_check> {
    let described = |((name, _), check): (&(String, _), &CheckFn)| trellis_health_check {
        size: std::mem::size_of::<trellis_health_check>() as u32,
        reserved: 0,
        name: str_of(name),
        check: *check,
    };
    service.checks.iter().zip(CHECKS.iter()).map(described).collect()
}

/// `create` of the entry struct: what [`crate::plugin!`] exports.
///
/// # Safety
/// The arguments are those of the ABI.
pub unsafe fn create(
    host: *const trellis_host,
    out: *mut *const trellis_plugin,
    error: trellis_error_sink,
    setup: impl FnOnce(&mut Service) -> Result<(), Fault>,
) -> trellis_status {
    let host = Host::new(host);
    let built = guard::catch(&host, "setup", || {
        let mut service = Service::new(host.clone())?;
        setup(&mut service)?;
        Instance::build(service)
    });
    match built.and_then(|built| built) {
        Ok(instance) => {
            let instance = Box::into_raw(instance); // the host's until destroy
            (*instance).table.self_ = instance.cast();
            *out = std::ptr::addr_of!((*instance).table);
            TRELLIS_OK
        }
        Err(fault) => {
            host.close();
            fault.report(error);
            TRELLIS_E_FAILED
        }
    }
}

/// The status of a function that can fail, with the details where the host wants them.
fn status_of(result: Result<Result<(), Fault>, Fault>, error: trellis_error_sink) -> trellis_status {
    match result.and_then(|result| result) {
        Ok(()) => TRELLIS_OK,
        Err(fault) => {
            fault.report(error);
            TRELLIS_E_FAILED
        }
    }
}

unsafe extern "C" fn start(this: *mut c_void, error: trellis_error_sink) -> trellis_status {
    let instance = Instance::of(this);
    let run = || instance.service.start.as_ref().map_or(Ok(()), |start| start());
    status_of(guard::catch(instance.host(), "start", run), error)
}

unsafe extern "C" fn stop(this: *mut c_void, deadline: i64, error: trellis_error_sink) -> trellis_status {
    let instance = Instance::of(this);
    let run = || instance.service.stop.as_ref().map_or(Ok(()), |stop| stop(deadline));
    status_of(guard::catch(instance.host(), "stop", run), error)
}

unsafe extern "C" fn destroy(this: *mut c_void) {
    let instance = Box::from_raw(this.cast::<Instance>());
    let host = instance.host().clone();
    guard::run(&host, "what the handlers own", || drop(instance));
    host.close(); // threads of the plugin may go on; from here on they find nothing
}

unsafe extern "C" fn rpc(this: *mut c_void, request: *const trellis_request) {
    let (instance, request) = (Instance::of(this), &*request);
    let call = request.call; // the request is gone once it is answered
    let name = lossy(request.surface).into_owned();
    let answer = guard::catch(instance.host(), &name, || match instance.service.rpcs.get(&*name) {
        Some(handler) => handler(instance.host(), request),
        None => Some(Err(Fault::unexpected("this plugin has no such handler"))),
    });
    let _told = match answer {
        Ok(None) => Ok(()), // somebody has a Pending
        Ok(Some(Ok(output))) => instance.host().complete(call, &output),
        Ok(Some(Err(fault))) | Err(fault) => instance.host().fail(call, &fault),
    };
}

unsafe extern "C" fn event(
    this: *mut c_void,
    delivery: *const trellis_event_delivery,
    error: trellis_error_sink,
) -> trellis_status {
    let (instance, delivery) = (Instance::of(this), &*delivery);
    let (contract, name, group) = (lossy(delivery.contract_id), lossy(delivery.name), lossy(delivery.group));
    let mut listeners = instance.service.listeners.iter();
    let found = listeners.find(|one| one.contract == contract && one.event == name && one.group == group);
    let run = || match found {
        Some(listener) => (listener.handler)(delivery),
        None => Err(Fault::unexpected("this plugin has no such listener")),
    };
    status_of(guard::catch(instance.host(), &name, run), error)
}

unsafe extern "C" fn feed(this: *mut c_void, request: *const trellis_feed_request) {
    let (instance, request) = (Instance::of(this), &*request);
    let name = lossy(request.surface).into_owned();
    let input = lossy(request.input).into_owned(); // an ended stream takes it away
    let host = instance.host().in_trace(&lossy(request.traceparent), &lossy(request.tracestate));
    let stream = instance.streams.open(host, request);
    guard::run(instance.host(), &name, || match instance.service.feeds.get(&*name) {
        Some(handler) => handler(&input, stream),
        None => drop(stream.fail(Fault::unexpected("this plugin has no such handler"))),
    });
}

unsafe extern "C" fn feed_cancel(this: *mut c_void, stream: trellis_stream) {
    let instance = Instance::of(this);
    instance.streams.cancel(instance.host(), stream);
}

unsafe extern "C" fn check<const NUMBER: usize>(
    this: *mut c_void,
    details: trellis_sink,
    error: trellis_error_sink,
) -> trellis_status {
    let instance = Instance::of(this);
    let (name, run) = &instance.service.checks[NUMBER]; // the table has no more entries than there are checks
    let result = guard::catch(instance.host(), name, || run().map(|found| write_object(details, &object_text(&found))));
    status_of(result, error)
}

unsafe extern "C" fn info(this: *mut c_void, out: trellis_sink) -> trellis_status {
    let instance = Instance::of(this);
    let run = || {
        if let Some(info) = &instance.service.info {
            write_object(out, &object_text(&info()));
        }
    };
    guard::catch(instance.host(), "health info", run).map_or(TRELLIS_E_FAILED, |()| TRELLIS_OK)
}

fn write_object(sink: trellis_sink, text: &str) {
    if let Some(write) = sink.write {
        if !text.is_empty() {
            unsafe { write(sink.context, str_of(text)) };
        }
    }
}

unsafe extern "C" fn get_extension(this: *mut c_void, id: trellis_str) -> *const c_void {
    let instance = Instance::of(this);
    let has_health = !instance.check_pointers.is_empty() || instance.service.info.is_some();
    if has_health && lossy(id) == TRELLIS_EXT_HEALTH {
        return std::ptr::addr_of!(instance.health).cast();
    }
    std::ptr::null()
}
