//! The smallest service in Rust.
use trellis_plugin::{record, Call, Fault, Service};

trellis_plugin::contract!(include_str!("../contract.json"));
trellis_plugin::plugin!("echo-rust", "1.0.0", setup);

record! {
    struct Message {
        message: String,
    }
}

fn setup(service: &mut Service) -> Result<(), Fault> {
    service.rpc("Echo.Say", |input: Message, _: &Call| Ok(input));
    Ok(())
}
