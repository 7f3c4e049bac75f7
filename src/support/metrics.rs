//! Numbers for Prometheus. Each room has a table of what it counts; a [`Registry`] keeps the counts and writes them down.
//!
//! Counting is a few atomic additions. Who counts often takes its counter out of the vector once and keeps it, since the
//! vector has a lock.

use prometheus::core::Collector;
use prometheus::{HistogramOpts, Opts, TextEncoder};

pub use prometheus::{Gauge, GaugeVec, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

/// What kind of number it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// It only grows, until the process ends.
    Counter,
    /// It goes up and down.
    Gauge,
    /// How many were at most so large, for each of these bounds.
    Histogram(&'static [f64]),
}

impl Kind {
    /// Prometheus' word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }
}

/// One number, or one for each combination of its labels' values.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// By Prometheus' conventions: `hadron_agent_polls_total`.
    pub name: &'static str,
    /// What kind of number it is.
    pub kind: Kind,
    /// Its labels. Their values are few and known beforehand; no name of a target is ever among them.
    pub labels: &'static [&'static str],
    /// What it tells.
    pub help: &'static str,
}

impl Metric {
    /// A counter.
    pub const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Self {
        Self { name, kind: Kind::Counter, labels, help }
    }

    /// A gauge.
    pub const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Self {
        Self { name, kind: Kind::Gauge, labels, help }
    }

    /// A histogram.
    pub const fn histogram(
        name: &'static str,
        labels: &'static [&'static str],
        bounds: &'static [f64],
        help: &'static str,
    ) -> Self {
        Self { name, kind: Kind::Histogram(bounds), labels, help }
    }
}

/// Counts, by their names; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Registry(prometheus::Registry);

impl Registry {
    /// Begins to count something.
    pub fn counter(&self, metric: &Metric) -> IntCounterVec {
        self.keep(IntCounterVec::new(Opts::new(metric.name, metric.help), metric.labels))
    }

    /// Begins to show a whole number.
    pub fn gauge(&self, metric: &Metric) -> IntGaugeVec {
        self.keep(IntGaugeVec::new(Opts::new(metric.name, metric.help), metric.labels))
    }

    /// Begins to show a number with a fraction.
    pub fn fraction(&self, metric: &Metric) -> GaugeVec {
        self.keep(GaugeVec::new(Opts::new(metric.name, metric.help), metric.labels))
    }

    /// Begins to sort into buckets.
    pub fn histogram(&self, metric: &Metric) -> HistogramVec {
        let options = HistogramOpts::new(metric.name, metric.help);
        let options = match metric.kind {
            Kind::Histogram(bounds) => options.buckets(bounds.to_vec()),
            Kind::Counter | Kind::Gauge => options,
        };
        self.keep(HistogramVec::new(options, metric.labels))
    }

    fn keep<C: Collector + Clone + 'static>(&self, made: prometheus::Result<C>) -> C {
        let made = made.expect("the tables hold proper names, which a test reads");
        self.0.register(Box::new(made.clone())).expect("a table is registered once");
        made
    }

    /// All counts as Prometheus reads them.
    ///
    /// <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>
    pub fn text(&self) -> String {
        // It fails for families without a single number, and the registry gives none of these.
        TextEncoder::new().encode_to_string(&self.0.gather()).unwrap_or_default()
    }
}

/// What every process of ours shows of itself.
pub const PROCESS: &[Metric] = &[BUILD, STARTED, MEMORY];

const BUILD: Metric = Metric::gauge("hadron_build_info", &["version"], "Which release this is; always 1.");
const STARTED: Metric =
    Metric::gauge("process_start_time_seconds", &[], "When the process began, in seconds since the epoch.");
const MEMORY: Metric = Metric::gauge("process_resident_memory_bytes", &[], "How much memory the process occupies.");

/// The process's own numbers.
#[derive(Debug, Clone)]
pub struct ProcessMetrics {
    registry: Registry,
    memory: IntGauge,
}

impl ProcessMetrics {
    /// Of a process that began at `now`, in milliseconds since the epoch.
    pub fn new(now: i64) -> Self {
        let registry = Registry::default();
        registry.gauge(&BUILD).with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        registry.gauge(&STARTED).with_label_values::<&str>(&[]).set(now / 1000);
        let memory = registry.gauge(&MEMORY).with_label_values::<&str>(&[]);
        Self { registry, memory }
    }

    /// The numbers of this moment.
    pub fn text(&self) -> String {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let kib =
            status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.strip_suffix("kB")?.trim().parse::<i64>().ok());
        self.memory.set(kib.unwrap_or_default() << 10);
        self.registry.text()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_prometheus_reads_them() {
        let registry = Registry::default();
        let counter = registry.counter(&Metric::counter("hadron_x_total", &["outcome"], "How many x."));
        counter.with_label_values(&["ok"]).inc();
        let seconds = Metric::histogram("hadron_x_seconds", &[], &[0.1, 1.0], "How long an x takes.");
        registry.histogram(&seconds).with_label_values::<&str>(&[]).observe(0.5);
        let text = registry.text();
        assert!(text.contains("# TYPE hadron_x_total counter\nhadron_x_total{outcome=\"ok\"} 1\n"), "{text}");
        assert!(
            text.contains("hadron_x_seconds_bucket{le=\"0.1\"} 0\nhadron_x_seconds_bucket{le=\"1\"} 1\n"),
            "{text}"
        );
    }

    #[test]
    fn a_process_knows_its_memory() {
        let text = ProcessMetrics::new(5_000).text();
        assert!(text.contains("\nprocess_start_time_seconds 5\n"), "{text}");
        let memory = text.lines().find_map(|line| line.strip_prefix("process_resident_memory_bytes ")).unwrap();
        assert!(memory.parse::<u64>().unwrap() > 1 << 20, "{memory}");
    }
}
