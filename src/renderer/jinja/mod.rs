//! Jinja2, as Proton ran it.
use minijinja::{Environment, UndefinedBehavior, Value};
pub fn render(source: &str, context: &serde_json::Value) -> Result<String, minijinja::Error> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    env.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    env.set_fuel(Some(1_000_000));
    env.render_str(&source.replace("\r\n", "\n").replace('\r', "\n"), Value::from(minijinja::value::Serde(context)))
}
#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn oracle() {
        let d: serde_json::Value = serde_json::from_str(include_str!("../../../tests/jinja/cases.json")).unwrap();
        let mut bad = 0;
        let mut all = 0;
        for (g, cs) in d["cases"].as_object().unwrap() {
            for c in cs.as_array().unwrap() {
                all += 1;
                let ctx = c.get("context").unwrap_or(&d["context"]);
                let r = std::panic::catch_unwind(|| render(c["template"].as_str().unwrap(), ctx));
                let r = match r {
                    Ok(r) => r,
                    Err(_) => {
                        println!("PANIC {}", c["template"]);
                        continue;
                    }
                };
                let ok = match (&r, c.get("text")) {
                    (Ok(t), Some(e)) => t == e.as_str().unwrap(),
                    (Err(_), None) => true,
                    _ => false,
                };
                if !ok {
                    bad += 1;
                    println!(
                        "[{g}] {}\n   want {}\n   got  {:?}",
                        c["template"],
                        c.get("text").unwrap_or(&c["error"]),
                        r.map_err(|e| format!("ERR {:?} {:?}", e.kind(), e.detail()))
                    );
                }
            }
        }
        println!("{bad} of {all}");
    }
}
