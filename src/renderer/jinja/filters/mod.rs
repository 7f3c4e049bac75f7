//! Jinja2's filters where minijinja's take other arguments, answer otherwise or aren't there.

mod collections;
mod json;
mod numbers;
mod text;
mod wrap;

use minijinja::Environment;

pub(super) fn register(environment: &mut Environment<'_>) {
    collections::register(environment);
    json::register(environment);
    numbers::register(environment);
    text::register(environment);
    environment.add_filter("wordwrap", wrap::wordwrap);
}
