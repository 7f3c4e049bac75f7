//! Templates and their versions: one set of rules for environment and service templates.
//!
//! The two kinds differ in their words on the wire; [`super::environment_template`] and [`super::service_template`]
//! translate those and nothing more.

mod resolve;

pub(crate) use resolve::{parse_version, resolve_version};

use crate::control_plane::records::TemplateKind;

/// The kind as messages call it.
pub(crate) fn noun(kind: TemplateKind) -> &'static str {
    match kind {
        TemplateKind::Environment => "Environment template",
        TemplateKind::Service => "Service template",
    }
}
