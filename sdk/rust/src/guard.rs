//! Where panics end. Each function that the host calls runs its Rust part in here, because a panic that reached the C
//! side would take the host and every other plugin with it.

use crate::fault::Fault;
use crate::host::{Host, Level};
use crate::json::Object;
use std::any::Any;
use std::panic::{catch_unwind, AssertUnwindSafe};

// A panic that aborts the process can't be stopped at the boundary.
#[cfg(not(panic = "unwind"))]
compile_error!("a plugin shares its process with others: build it with panic = \"unwind\", which is the default");

/// What `body` returned, or its panic as an error, logged.
///
/// Unwind safety is the handlers' own: what a panic leaves half done behind a Mutex is poisoned, as in any program.
pub(crate) fn catch<R>(host: &Host, what: &str, body: impl FnOnce() -> R) -> Result<R, Fault> {
    catch_unwind(AssertUnwindSafe(body)).map_err(|payload| {
        let message = message_of(&*payload);
        std::mem::forget(payload); // its destructor could panic again
        let mut fields = Object::new();
        fields.set("panic", &message);
        host.log_with(Level::Error, &format!("{} panicked", what), &fields);
        Fault::unexpected(format!("{} panicked: {}", what, message))
    })
}

pub(crate) fn run(host: &Host, what: &str, body: impl FnOnce()) {
    let _logged = catch(host, what, body);
}

fn message_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "something that is no text".to_owned())
}
