//! What the operator chose: flag over environment variable over `hadron.toml` over default.
//!
//! Every setting is one row of [`TABLE`], with its default and its meaning beside it. Nothing else in Hadron reads
//! environment variables, and nothing reads them twice.

mod colour;
mod events;
mod file;
mod host;
mod resolved;
mod schema;
mod site;
mod table;

pub use events::{Sink, SinkType};
pub use file::{Environment, File, Gate};
pub use host::{Facts, Host, UNDER_PID_1};
pub use resolved::{Resolved, SettingsError, Source, Surroundings};
pub use schema::schema;
pub use site::{LET_THROUGH, child_environment};
pub use table::{Setting, TABLE};
