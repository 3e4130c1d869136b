//! Numbers beside the host's own.

use crate::fault::HostError;
use crate::ffi::*;
use crate::host::{check, str_of, Host};

/// What is counted. Keep one and record with it; that is cheap and thread-safe.
#[derive(Clone)]
pub struct Metric {
    host: Host,
    kind: u32,
    name: String,
    unit: String,
    description: String,
}

impl Host {
    /// Only grows: `record` adds.
    pub fn counter(&self, name: impl Into<String>) -> Metric {
        self.metric(TRELLIS_METRIC_COUNTER, name.into())
    }

    /// Goes up and down: `record` sets.
    pub fn gauge(&self, name: impl Into<String>) -> Metric {
        self.metric(TRELLIS_METRIC_GAUGE, name.into())
    }

    /// How values are distributed: `record` counts one.
    pub fn histogram(&self, name: impl Into<String>) -> Metric {
        self.metric(TRELLIS_METRIC_HISTOGRAM, name.into())
    }

    fn metric(&self, kind: u32, name: String) -> Metric {
        Metric { host: self.clone(), kind, name, unit: String::new(), description: String::new() }
    }
}

impl Metric {
    /// "ms", "{item}"
    pub fn unit(mut self, unit: impl Into<String>) -> Self {
        self.unit = unit.into();
        self
    }

    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.description = text.into();
        self
    }

    /// `attributes` keep apart what is counted apart: few values, no ids.
    pub fn record(&self, value: f64, attributes: &[(&str, &str)]) -> Result<(), HostError> {
        let metric = trellis_metric {
            size: std::mem::size_of::<trellis_metric>() as u32,
            kind: self.kind,
            name: str_of(&self.name),
            unit: str_of(&self.unit),
            description: str_of(&self.description),
        };
        let pair = |&(name, value): &(&str, &str)| trellis_header { name: str_of(name), value: str_of(value) };
        let pairs: Vec<_> = attributes.iter().map(pair).collect();
        let status = self.host.extension(TRELLIS_EXT_METRICS, |table: &trellis_metrics_v1, this| unsafe {
            (table.record)(this, &metric, value, pairs.as_ptr(), pairs.len())
        })?;
        check(Some(status))
    }
}
