//! A service with state, a declared error, a capability, configuration, and a call to another service, whose answer it
//! waits for without a thread: `Inventory.Get` is answered when `Echo.Say` is.
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use trellis_plugin::{record, Call, Fault, HostError, Pending, Service};

trellis_plugin::contract!(include_str!("../../inventory/contract.json"));
trellis_plugin::plugin!("inventory-rust", "1.0.0", setup);

record! {
    struct Config {
        shelves: BTreeMap<String, i64>, // sku -> items
        broken_shelf: Option<String>,   // a sku whose handler panics, to see what that does
    }
}

record! {
    struct Sku {
        sku: String,
    }
}

record! {
    struct Take {
        sku: String,
        quantity: i64,
    }
}

record! {
    struct Stock {
        sku: String,
        available: i64,
        label: Option<String>,
    }
}

record! {
    struct Message {
        message: String,
    }
}

/// What is on the shelves. Handlers run on several workers, so a mutex guards the counts.
struct Shelves {
    items: Mutex<BTreeMap<String, i64>>,
    broken: Option<String>,
}

impl Shelves {
    /// Changes one count, or only looks when `change` leaves it alone.
    fn with<R>(&self, sku: &str, change: impl FnOnce(&mut i64) -> R) -> R {
        let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        change(items.entry(sku.to_owned()).or_insert(0))
    }

    fn take(&self, input: Take) -> Result<Stock, Fault> {
        assert!(self.broken.as_ref() != Some(&input.sku), "the shelf of {} is broken", input.sku);
        let taken = self.with(&input.sku, |available| {
            if *available < input.quantity {
                return Err(*available);
            }
            *available -= input.quantity;
            Ok(*available)
        });
        match taken {
            Ok(available) => Ok(Stock { sku: input.sku, available, label: None }),
            Err(available) => Err(Fault::new("OutOfStock", format!("There are only {} of {}.", available, input.sku))
                .with("sku", input.sku)
                .with("available", available)),
        }
    }

    fn get(self: Arc<Self>, input: Sku, pending: Pending) {
        let host = pending.host().clone();
        let question = Message { message: format!("shelf {}", input.sku) };
        let on_label = move |answer: Result<Message, HostError>| {
            let stock = answer.map_err(Fault::from).map(|label| {
                let available = self.with(&input.sku, |available| *available);
                Stock { sku: input.sku, available, label: Some(label.message) }
            });
            let _nobody_waits = pending.answer(stock);
        };
        host.call_async("acme.echo@v1", "Echo.Say", &question, Duration::ZERO, on_label);
    }
}

fn setup(service: &mut Service) -> Result<(), Fault> {
    let config: Config = service.config()?;
    let shelves = Arc::new(Shelves { items: Mutex::new(config.shelves), broken: config.broken_shelf });
    let takes = shelves.clone();
    service.rpc("Inventory.Take", move |input: Take, _: &Call| takes.take(input));
    service.rpc_later("Inventory.Get", move |input: Sku, pending| shelves.clone().get(input, pending));
    Ok(())
}
