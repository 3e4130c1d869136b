//! Service plugins for trellis-host in Rust.
//!
//! ```no_run
//! use trellis_plugin::{record, Call, Fault, Service};
//!
//! trellis_plugin::contract!(r#"{"format": "trellis.contract.v1", "id": "acme.echo@v1"}"#); // or include_str!(...)
//! trellis_plugin::plugin!("echo", "1.0.0", setup);
//!
//! record! {
//!     struct Message {
//!         message: String,
//!     }
//! }
//!
//! fn setup(service: &mut Service) -> Result<(), Fault> {
//!     service.rpc("Echo.Say", |input: Message, _: &Call| Ok(input));
//!     Ok(())
//! }
//! ```
//!
//! built as a `cdylib`. A handler's panic becomes an error for its caller and a log line; it never reaches the host.
//! The C side is in [`ffi`]; nothing of it is needed.

mod call;
mod entry;
mod events;
mod fault;
mod feeds;
pub mod ffi;
mod guard;
mod host;
mod instance;
pub mod json;
mod metrics;
mod service;

pub use call::{Call, Pending};
pub use events::{EventInfo, Listen, Published};
pub use fault::{Fault, HostError, Status};
pub use feeds::Stream;
pub use host::{Host, Identity, Level};
pub use metrics::Metric;
pub use service::Service;

/// Not for authors: what the macros expand to.
#[doc(hidden)]
pub mod macros {
    pub use crate::entry::{bytes, text};
    pub use crate::instance::create;
}

#[doc(hidden)]
pub fn json_member<T: json::FromJson>(value: &json::Value, name: &str) -> Result<T, json::JsonError> {
    match value.get(name) {
        Some(member) => T::from_json(member).map_err(|problem| problem.under(name)),
        None => T::from_absence().ok_or_else(|| json::JsonError::new("it isn't there").under(name)),
    }
}
