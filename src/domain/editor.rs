//! What a reader takes, an editor must not mark, unless it is a keyword that means nothing to either. In unit tests every document that is read without a problem is held
//! against its schema in `docs/schemas`, so that all their bundles and specs are the schemas' tests, too.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::Problems;
use super::schema::names_a_keyword;
use super::yaml::Node;
use crate::support::judge::Judge;

static SCHEMAS: LazyLock<BTreeMap<&str, Judge>> = LazyLock::new(|| {
    let texts = [
        ("manifest.json", include_str!("../../docs/schemas/manifest.json")),
        ("schema.json", include_str!("../../docs/schemas/schema.json")),
        ("environment-spec.json", include_str!("../../docs/schemas/environment-spec.json")),
        ("service-spec.json", include_str!("../../docs/schemas/service-spec.json")),
    ];
    texts.into_iter().map(|(name, text)| (name, Judge::of(text))).collect()
});

/// Holds a document that was read without a problem against its schema.
pub(super) fn agrees<T>(schema: &str, document: &Node, read: &Result<T, Problems>) {
    if read.is_err() {
        return;
    }
    let value = document.to_value();
    let marks = SCHEMAS[schema].marks(&value);
    let wrong =
        marks.lines().filter(|line| line.trim_start().starts_with("- at ")).any(|line| !of_unknown_keyword(line));
    assert!(!wrong, "docs/schemas/{schema} marks what is read without a problem:\n{value}\n{marks}");
}

/// Whether a mark is about a keyword of a type that the reader passes over.
fn of_unknown_keyword(mark: &str) -> bool {
    mark.trim_start().starts_with("- at '/schema/types/")
        && mark.split_once(": additionalProperties ").is_some_and(|(_, names)| !names_a_keyword(names))
}
