//! Renders one template as the Jinja2 that Proton ran would: strict about what is missing, without a loader, in bounds.
//!
//! minijinja is close to Jinja2 already; the files here close what gap is left: positional arguments of filters,
//! filters and methods that it lacks, and a few answers of Python. Whether they do is judged by `tests/jinja/cases.json`,
//! a recording of what the real Jinja2 3.1 makes of some five hundred templates. What still differs is marked there.
//!
//! <https://jinja.palletsprojects.com/en/stable/templates/>

mod arguments;
mod checks;
mod context;
mod escape;
mod filters;
mod functions;
mod limits;
mod mentions;
mod methods;
mod operators;
mod problem;
mod proton;

pub(super) use mentions::of as mentions;

use minijinja::machinery::{eval, make_string_output};
use minijinja::value::ValueKind;
use minijinja::{AutoEscape, Environment, Error, Output, State, UndefinedBehavior, Value};

use crate::domain::Problem;

/// Renders `source`, which the bundle calls `file`, with the namespaces of a tfvars document.
///
/// # Errors
/// What the template does wrong, with its line and expression; also when it asks for too much work or text.
pub(super) fn render(file: &str, source: &str, document: &serde_json::Value) -> Result<String, Problem> {
    let source = with_unix_newlines(source);
    let text = on_a_deep_stack(|| run(file, &source, document).map_err(|error| problem::of(file, &source, &error)))
        .unwrap_or_else(|| Err(Problem::of(file, "can't be rendered: there is no memory for it", "")))?;
    if text.len() > limits::LONGEST_TEXT {
        let message =
            format!("the template yields {} bytes, and CloudFormation takes {}", text.len(), limits::LONGEST_TEXT);
        return Err(Problem::of(file, message, "look for a loop that writes too much"));
    }
    Ok(proton::lay_out(&text))
}

/// Runs `work` where lists within lists may be deeper than anybody's own stack, since a stack that overflows takes the
/// whole process along. `None` if the machine can't spare the address space.
fn on_a_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("jinja".to_owned()).stack_size(limits::STACK);
        thread.spawn_scoped(scope, work).ok()?.join().ok()
    })
}

fn run(file: &str, source: &str, document: &serde_json::Value) -> Result<String, Error> {
    let environment = environment();
    let (body, blocks) = operators::compile(file, source)?;
    let mut text = String::new();
    let mut output = make_string_output(&mut text);
    eval(&environment, &body, context::namespaces(document), &blocks, &mut output, AutoEscape::None)?;
    Ok(text)
}

/// Jinja2's environment with all defaults but the undefined: no trimming, no escaping, one last newline dropped.
fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_formatter(format);
    environment.set_unknown_method_callback(methods::call);
    environment.set_fuel(Some(limits::FUEL));
    environment.set_recursion_limit(limits::RECURSION);
    filters::register(&mut environment);
    checks::register(&mut environment);
    functions::register(&mut environment);
    operators::register(&mut environment);
    proton::register(&mut environment);
    environment
}

/// Jinja2 reads every kind of line end as `\n` and writes only that.
fn with_unix_newlines(source: &str) -> String {
    source.replace("\r\n", "\n").replace('\r', "\n")
}

fn format(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    if value.kind() == ValueKind::String && *state.auto_escape() == AutoEscape::None {
        return minijinja::escape_formatter(out, state, value);
    }
    let text = functions::text(value)?;
    let escaped = *state.auto_escape() == AutoEscape::Html && !value.is_safe();
    out.write_str(&if escaped { escape::html(&text) } else { text }).map_err(Error::from)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::render;

    /// Both the wanted and the real outcome of a recorded case; a refusal is `None`.
    fn outcome(case: &Value, shared: &Value) -> (Option<String>, Option<String>, String) {
        let template = case["template"].as_str().expect("a template");
        let context = case.get("context").unwrap_or(shared);
        let ours = render("t", template, context);
        let why = ours.as_ref().err().map(ToString::to_string).unwrap_or_default();
        (case["text"].as_str().map(str::to_owned), ours.ok(), why)
    }

    #[test]
    fn every_recorded_template_comes_out_as_jinja2_had_it() {
        let recorded: Value = serde_json::from_str(include_str!("../../../tests/jinja/cases.json")).unwrap();
        let mut wrong = Vec::new();
        let mut compared = 0;
        for (group, cases) in recorded["cases"].as_object().unwrap() {
            for case in cases.as_array().unwrap() {
                let (theirs, ours, why) = outcome(case, &recorded["context"]);
                // A known difference that is gone must lose its mark.
                let expected_to_agree = case.get("differs").is_none();
                if (theirs == ours) != expected_to_agree {
                    wrong.push(format!("[{group}] {}\n  theirs {theirs:?}\n  ours   {ours:?} {why}", case["template"]));
                }
                compared += 1;
            }
        }
        assert!(wrong.is_empty(), "{} of {compared}:\n{}", wrong.len(), wrong.join("\n"));
        assert!(compared > 500, "only {compared} cases were recorded");
    }

    fn refusal(template: &str) -> String {
        render("cloudformation.yaml", template, &json!({"environment": {"name": "dev"}})).unwrap_err().to_string()
    }

    #[test]
    fn a_missing_leaf_is_named_with_its_line_and_expression() {
        insta::assert_snapshot!(refusal("a: 1\nb: {{ environment.outputs.Vpc }}\n"), @"cloudformation.yaml:2:18: `environment.outputs` is undefined (correct its name, pass the input, or pipe it to default(…))");
        insta::assert_snapshot!(refusal("a: 1\n\n  b: {{ environment.nmae }}\n"), @"cloudformation.yaml:3:9: `environment.nmae` is undefined (correct its name, pass the input, or pipe it to default(…))");
        insta::assert_snapshot!(refusal("{% for x in y %}{% endfor %}"), @"cloudformation.yaml:1:13: `y` is undefined (correct its name, pass the input, or pipe it to default(…))");
    }

    #[test]
    fn mistakes_of_syntax_are_named_with_their_line() {
        insta::assert_snapshot!(refusal("a\n{% if x %}"), @"cloudformation.yaml:2:9: unexpected end of input, expected end of block, in `%}` (close each {{ by }} and each {% by %}, and if, for and macro by their end)");
        insta::assert_snapshot!(refusal("a\n{{ 'x' | nope }}"), @"cloudformation.yaml:2:10: filter nope is unknown (correct its name: there are those of Jinja2 and Proton's own)");
        insta::assert_snapshot!(refusal("{{ 'x' | center(1, 2) }}"), @"cloudformation.yaml:1:10: takes at most 1 arguments, not 2, in `center(1, 2)`");
        insta::assert_snapshot!(refusal("{{ 'x' | indent(wdth=2) }}"), @"cloudformation.yaml:1:10: takes no argument `wdth`, only width, first, blank, in `indent(wdth=2)`");
        insta::assert_snapshot!(refusal("{{ [1] | random }}"), @"cloudformation.yaml:1:10: `random` isn't allowed: a deployment must be repeatable");
        insta::assert_snapshot!(refusal("{% set l = [] %}{{ l.append(1) }}"), @"cloudformation.yaml:1:21: a list can't be changed in place; keep it in a namespace() and set it anew: {% set ns.all = ns.all + [item] %}, or dict(ns.all, key=value), in `.append(1)`");
        insta::assert_snapshot!(refusal("{{ 3 % 'x' }}"), @"cloudformation.yaml:1:4: number % string has no meaning, in `3 % 'x'`");
        insta::assert_snapshot!(refusal("{% include 'other' %}"), @"cloudformation.yaml:1:4: a template can't include or extend another, in `include 'other'` (put everything into the one file that the manifest names)");
    }

    #[test]
    fn a_template_that_asks_for_too_much_is_stopped() {
        for bomb in [
            "{% for a in range(10**9) %}{% endfor %}",
            "{% for a in range(99999) %}{% for b in range(99999) %}{{ b }}{% endfor %}{% endfor %}",
            "{{ 'x' * 10**9 }}",
            "{{ [1] * 10**9 }}",
            "{{ range(10**9) | list | length }}",
            "{{ 'x' | center(10**9) }}",
            "{{ 'x' | indent(10**9, true) }}",
            "{{ 'x'.ljust(10**9) }}",
            "{{ 'x'.zfill(10**9) }}",
            "{{ '{:>999999999}'.format('x') }}",
            "{{ '%999999999d' | format(1) }}",
            "{{ ('a' * 100000).replace('a', 'b' * 100000) }}",
            "{{ ('a' * 100000) | replace('a', 'b' * 100000) }}",
            "{{ ('b' * 100000).join('a' * 100000) }}",
            "{{ 2 ** 10000000 }}",
            "{{ 'x\ty'.expandtabs(10**9) }}",
            "{{ [1] | batch(10**9, 'x') | list }}",
            "{{ [1] | tojson(10**9) }}",
            "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
            "{% set ns = namespace(x='x') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
            "{{ ([1] * 100000) * 100000 }}",
            "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
            "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x | tojson }}",
            "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x | pprint }}",
            "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
            "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x ~ '' }}",
            "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x | string }}",
            "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x|join }}",
            "{% for i in range(20000) %}{{ 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' }}{% endfor %}",
        ] {
            let answer = render("t", bomb, &json!({}));
            assert!(answer.is_err(), "{bomb} came through");
        }
        insta::assert_snapshot!(refusal("{% for a in range(99999) %}\n{% for b in range(99999) %}{% endfor %}{% endfor %}"), @"cloudformation.yaml:2: the template asks for too much work (look for an endless loop, a huge range or a text that is multiplied)");
        insta::assert_snapshot!(refusal("{{ 'x' * 2000000 }}"), @"cloudformation.yaml: the template yields 2000000 bytes, and CloudFormation takes 1048576 (look for a loop that writes too much)");
    }

    #[test]
    fn deep_nesting_takes_nobody_along() {
        let wrap = "| batch(1) ".repeat(24);
        for (levels, deeper) in [(90_000, "[ns.x]"), (90_000, "{'a': ns.x}"), (13_300, &format!("ns.x {wrap}"))] {
            for usage in ["{{ ns.x }}", "{{ ns.x | tojson }}", "{{ ns.x | pprint }}", "{{ ns.x == [[1]] }}"] {
                let nested =
                    format!("{{% for i in range({levels}) %}}{{% set ns.x = {deeper} %}}{{% endfor %}}{usage}");
                // Whether it comes out or is refused: the process is still there to say so.
                drop(render("t", &format!("{{% set ns = namespace(x=[1]) %}}{nested}"), &json!({})));
            }
        }
    }
}
