//! Lines of JSON. What a span says stands in each of its lines, flat, so that whoever searches by `deployment.id` finds
//! everything: also what a part that knows nothing of deployments has to say.

use std::fmt;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use crate::support::causes;

/// What spans learn at their end; it says nothing of a line.
const OF_THE_END: [&str; 2] = ["outcome", "error"];

/// The form of the lines.
pub(super) struct Lines;

impl<S> FormatEvent<S, JsonFields> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let mut line = Map::new();
        line.insert("timestamp".into(), time.into());
        line.insert("level".into(), event.metadata().level().as_str().into());
        let mut own = Fields::default();
        event.record(&mut own);
        line.insert("message".into(), own.0.shift_remove("message").unwrap_or_default());
        for span in context.event_scope().into_iter().flat_map(tracing_subscriber::registry::Scope::from_root) {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<JsonFields>>();
            let fields = fields.and_then(|fields| serde_json::from_str::<Map<String, Value>>(fields).ok());
            line.extend(
                fields.unwrap_or_default().into_iter().filter(|(name, _)| !OF_THE_END.contains(&name.as_str())),
            );
        }
        line.extend(own.0);
        writeln!(writer, "{}", Value::Object(line))
    }
}

/// An event's or a span's fields.
#[derive(Debug, Default)]
pub(super) struct Fields(pub(super) Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.put(field, causes(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_is_flat_and_says_what_its_spans_say() {
        let written = Written::default();
        let to = written.clone();
        let layer = tracing_subscriber::fmt::layer().fmt_fields(JsonFields::new()).event_format(Lines);
        let subscriber = tracing_subscriber::registry().with(layer.with_writer(move || to.clone()));
        tracing::subscriber::with_default(subscriber, || {
            let outer = tracing::error_span!("deployment", deployment.id = "d1", attempt = tracing::field::Empty);
            outer.record("attempt", 2);
            outer.in_scope(|| {
                let inner = tracing::error_span!("step", step = "init", error = "later");
                inner.in_scope(|| tracing::warn!(count = 3, well = true, "it {}", "rains"));
            });
            tracing::info!("alone");
        });
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let keys: Vec<_> = lines[0].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["timestamp", "level", "message", "attempt", "deployment.id", "step", "count", "well"]);
        assert_eq!(lines[0]["message"], "it rains");
        assert_eq!((&lines[0]["deployment.id"], &lines[0]["attempt"]), (&"d1".into(), &2.into()));
        assert_eq!(
            (&lines[0]["level"], &lines[0]["step"], &lines[0]["count"]),
            (&"WARN".into(), &"init".into(), &3.into())
        );
        assert_eq!(lines[1].as_object().unwrap().len(), 3);
    }
}
