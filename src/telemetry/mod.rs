//! How a process is heard: logs on stderr, since stdout is for data, as readable lines or as JSON; and traces, for whoever
//! keeps a collector.

mod export;
mod lines;
mod spans;

use std::io::{self, IsTerminal};
use std::path::Path;

use tracing::Metadata;
use tracing_subscriber::filter::{EnvFilter, filter_fn};
use tracing_subscriber::fmt;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use self::export::{Collector, Exporter};
use self::lines::Lines;
use self::spans::Spans;
use crate::settings::{Resolved, SettingsError};
use crate::support::Secret;

/// What is under way; when it is dropped, the last spans are sent.
#[derive(Debug)]
#[must_use]
pub struct Telemetry(Option<Exporter>);

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(exporter) = &self.0 {
            exporter.flush();
        }
    }
}

/// Starts logging as the settings `log.level` and `log.format` say, and traces if `otlp.endpoint` names a collector.
/// Logging that has started already is left alone.
///
/// # Errors
/// A level that is none.
pub fn start(settings: &Resolved) -> Result<Telemetry, SettingsError> {
    let level: tracing::Level = settings.value("log.level")?;
    // The AWS SDK tells at `info` what we tell ourselves; its warnings are wanted. To s3s every 404 is an error.
    let filter = EnvFilter::new(format!("warn,s3s=off,hadron={level}"));
    let lines = fmt::layer().with_writer(io::stderr);
    let lines = if settings.text("log.format").as_deref() == Some("json") {
        lines.fmt_fields(JsonFields::new()).event_format(Lines).boxed()
    } else {
        // Here the message itself says what people want to know; spans would stand before it.
        let lines = lines.with_target(false).with_ansi(io::stderr().is_terminal());
        lines.with_filter(filter_fn(is_event)).boxed()
    };
    let exporter = collector(settings).map(Exporter::to);
    let spans = exporter.clone().map(|exporter| {
        Spans::to(exporter).with_filter(filter_fn(|what| what.is_span() && what.target().starts_with("hadron::")))
    });
    // Only a second start in one process fails, and then logging works.
    drop(tracing_subscriber::registry().with(filter).with(lines).with(spans).try_init());
    Ok(Telemetry(exporter))
}

fn is_event(what: &Metadata<'_>) -> bool {
    what.is_event()
}

fn collector(settings: &Resolved) -> Option<Collector> {
    let endpoint = settings.text("otlp.endpoint").filter(|endpoint| !endpoint.is_empty())?;
    let headers = settings.text("otlp.headers").map(Secret::new);
    let ca_bundle = settings.text("ca_bundle").map(|path| Path::new(&path).to_owned());
    Some(Collector { endpoint, headers, ca_bundle })
}
