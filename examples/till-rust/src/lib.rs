//! A service with what isn't an rpc: it publishes an event, books it in a durable group, shows it live on a feed, counts
//! it, and says how it is.
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use trellis_plugin::json::Object;
use trellis_plugin::{record, Call, Fault, Listen, Metric, Service, Stream};

trellis_plugin::contract!(include_str!("../../till/contract.json"));
trellis_plugin::plugin!("till-rust", "1.0.0", setup);

const CONTRACT: &str = "acme.till@v1";

record! {
    struct Config {
        broken_sku: Option<String>,  // handlers panic at it, to see what that does
        broken_drawer: Option<bool>, // so does a health check
    }
}

record! {
    struct Sale {
        sku: String,
        quantity: i64,
    }
}

record! {
    struct Receipt {
        id: String,
    }
}

record! {
    struct Article {
        sku: String,
    }
}

record! {
    struct Booked {
        quantity: i64,
    }
}

record! {
    struct Watch {
        sku: Option<String>, // none: every sale
    }
}

/// What was sold. A real till keeps that in a database: an event may come twice, and what is in memory ends with the
/// process.
#[derive(Default)]
struct Books {
    quantities: BTreeMap<String, i64>,
    unbooked: Option<String>,
}

struct Watcher {
    sku: Option<String>,
    stream: Arc<Stream>,
}

/// Handlers run on several workers, so mutexes guard what they share.
struct Till {
    config: Config,
    items: Metric,
    books: Mutex<Books>,
    watchers: Mutex<Vec<Watcher>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner) // a handler that panicked left nothing half done
}

impl Till {
    fn is_broken(&self, sku: &str) -> bool {
        self.config.broken_sku.as_deref() == Some(sku)
    }

    /// The event belongs to the request's trace.
    fn sell(&self, sale: Sale, call: &Call) -> Result<Receipt, Fault> {
        let published = call.host().publish(CONTRACT, "Till.Sold", &sale)?;
        let basket = if sale.quantity < 10 { "small" } else { "large" };
        let _uncounted = self.items.record(sale.quantity as f64, &[("basket", basket)]);
        Ok(Receipt { id: published.id })
    }

    /// In the group each sale is booked, by one of all instances; what fails or panics comes again.
    fn book(&self, sale: Sale) -> Result<(), Fault> {
        let mut books = lock(&self.books);
        if self.is_broken(&sale.sku) {
            books.unbooked = Some(sale.sku.clone());
            panic!("the label of {} can't be read", sale.sku);
        }
        *books.quantities.entry(sale.sku).or_insert(0) += sale.quantity;
        Ok(())
    }

    /// Live every instance hears of each sale, and shows it to those who watch there.
    fn show(&self, sale: &Sale) {
        assert!(!self.is_broken(&sale.sku), "the label of {} can't be read", sale.sku);
        for watcher in lock(&self.watchers).iter() {
            if watcher.sku.as_ref().map_or(true, |sku| *sku == sale.sku) {
                let _gone = watcher.stream.emit(sale); // one that is gone is cancelled soon
            }
        }
    }

    fn watch(self: Arc<Self>, sku: Option<String>, stream: Stream) {
        if let Some(sku) = &sku {
            assert!(!self.is_broken(sku), "the label of {} can't be read", sku);
        }
        let (id, stream) = (stream.id(), Arc::new(stream));
        lock(&self.watchers).push(Watcher { sku, stream: stream.clone() });
        stream.on_cancel(move || lock(&self.watchers).retain(|watcher| watcher.stream.id() != id));
    }

    fn check_books(&self) -> Result<Object, Fault> {
        let books = lock(&self.books);
        if let Some(sku) = &books.unbooked {
            return Err(Fault::unexpected(format!("a sale of {} couldn't be booked", sku)));
        }
        let mut details = Object::new();
        details.set("summary", format!("{} articles sold", books.quantities.len()));
        Ok(details)
    }

    fn check_drawer(&self) -> Result<Object, Fault> {
        assert!(self.config.broken_drawer != Some(true), "the drawer is stuck");
        Ok(Object::new())
    }

    fn info(&self) -> Object {
        let mut info = Object::new();
        info.set("watchers", lock(&self.watchers).len() as i64);
        info
    }
}

fn setup(service: &mut Service) -> Result<(), Fault> {
    let till = Arc::new(Till {
        config: service.config()?,
        items: service.host().counter("till.items").unit("{item}").description("Items sold."),
        books: Mutex::default(),
        watchers: Mutex::default(),
    });
    let at = till.clone();
    service.rpc("Till.Sell", move |sale: Sale, call: &Call| at.sell(sale, call));
    let at = till.clone();
    service.rpc("Till.Booked", move |article: Article, _: &Call| {
        let quantity = lock(&at.books).quantities.get(&article.sku).copied().unwrap_or(0);
        Ok(Booked { quantity })
    });
    let at = till.clone();
    service.on_event("Till.Sold", Listen::group("books"), move |sale: Sale, _| at.book(sale));
    let at = till.clone();
    service.on_event("Till.Sold", Listen::live(), move |sale: Sale, _| {
        at.show(&sale);
        Ok(())
    });
    let at = till.clone();
    service.feed("Till.Watch", move |watch: Watch, stream| at.clone().watch(watch.sku, stream));
    // Till.Health is answered by the host, from these.
    let at = till.clone();
    service.health_check("books", move || at.check_books());
    let at = till.clone();
    service.health_check("drawer", move || at.check_drawer());
    service.health_info(move || till.info());
    Ok(())
}
