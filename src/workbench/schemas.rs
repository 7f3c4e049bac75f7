//! What an editor knows of the files that people write: JSON Schemas of draft 7, which the YAML and TOML servers of
//! editors read best, published in `docs/schemas`.

/// Every schema: the name of its file, and its text.
pub fn all() -> &'static [(&'static str, &'static str)] {
    &[
        ("environment-spec.json", include_str!("../../docs/schemas/environment-spec.json")),
        ("hadron.json", include_str!("../../docs/schemas/hadron.json")),
        ("manifest.json", include_str!("../../docs/schemas/manifest.json")),
        ("schema.json", include_str!("../../docs/schemas/schema.json")),
        ("service-spec.json", include_str!("../../docs/schemas/service-spec.json")),
        ("test.json", include_str!("../../docs/schemas/test.json")),
    ]
}

#[cfg(test)]
mod tests;
