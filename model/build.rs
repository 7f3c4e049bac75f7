//! Turns the models of both APIs into Rust: one type a shape, one constraint table a shape, and the trait of all
//! operations.

#![expect(clippy::unwrap_used, reason = "a build script fails by panicking, and cargo shows where")]

use std::fmt::Write as _;
use std::{env, fs, path::Path};

use serde_json::{Map, Value};

/// Members that the model calls required but that Proton itself leaves out until they have a value.
const OMITTED_UNTIL_KNOWN: [&str; 1] = ["lastDeploymentSucceededAt"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    generate("proton", "Proton");
    generate("hadron", "Hadron");
}

/// Writes `<api>.rs` from `<api>-model.json`.
fn generate(api: &str, service: &str) {
    let source = format!("{api}-model.json");
    println!("cargo::rerun-if-changed={source}");
    let model: Value = serde_json::from_str(&fs::read_to_string(source).expect("the model lies beside build.rs"))
        .expect("the model is JSON");
    let shapes = model["shapes"].as_object().expect("shapes");
    let operations = model["operations"].as_object().expect("operations");
    let mut out = String::new();
    // Only errors carry an ErrorMessage, and they are encoded by hand.
    for (name, shape) in shapes.iter().filter(|(name, _)| *name != "ErrorMessage") {
        write_type(&mut out, shapes, name, shape);
        write_table(&mut out, name, shape);
    }
    write_operations(&mut out, operations, &model["commonErrors"]);
    write_trait(&mut out, service, operations);
    let path = Path::new(&env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join(format!("{api}.rs"));
    fs::write(path, out).expect("OUT_DIR is writable");
}

/// The reference of a member: `Shape!` is required, `Shape~` an idempotency token that clients fill in.
fn reference(text: &str) -> (&str, bool) {
    (text.trim_end_matches(['!', '~']), text.ends_with('!'))
}

fn rust_type(shapes: &Map<String, Value>, name: &str) -> String {
    let shape = &shapes[name];
    match shape["type"].as_str().expect("a shape has a type") {
        "string" if shape.get("enum").is_none() => "String".into(),
        "boolean" => "bool".into(),
        "integer" => "i64".into(),
        "timestamp" => "crate::Timestamp".into(),
        "list" => format!("Vec<{}>", rust_type(shapes, shape["of"].as_str().expect("a list has members"))),
        _ => name.into(),
    }
}

fn write_type(out: &mut String, shapes: &Map<String, Value>, name: &str, shape: &Value) {
    if let Some(values) = shape["enum"].as_array() {
        return write_enum(out, name, values);
    }
    let Some(members) = shape["members"].as_object() else { return };
    let traits = "Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize";
    if shape["union"] == true {
        let traits = traits.replace(", serde::Deserialize", "");
        writeln!(out, "#[derive({traits})]\npub enum {name} {{").unwrap();
        for (member, target) in members {
            let (target, _) = reference(target.as_str().unwrap());
            writeln!(
                out,
                "    #[serde(rename = \"{member}\")]\n    {}({}),",
                pascal(member),
                rust_type(shapes, target)
            )
            .unwrap();
        }
        writeln!(out, "}}\n").unwrap();
        return write_union_reader(out, name, members);
    }
    let default = if members.values().all(|m| !reference(m.as_str().unwrap()).1) { ", Default" } else { "" };
    writeln!(out, "#[derive({traits}{default})]\npub struct {name} {{").unwrap();
    for (member, target) in members {
        let (target, required) = reference(target.as_str().unwrap());
        let rust = rust_type(shapes, target);
        if required && !OMITTED_UNTIL_KNOWN.contains(&member.as_str()) {
            writeln!(out, "    #[serde(rename = \"{member}\")]\n    pub {}: {rust},", snake(member)).unwrap();
        } else {
            writeln!(out, "    #[serde(rename = \"{member}\", default, skip_serializing_if = \"Option::is_none\")]")
                .unwrap();
            writeln!(out, "    pub {}: Option<{rust}>,", snake(member)).unwrap();
        }
    }
    writeln!(out, "}}\n").unwrap();
}

/// A union is read from the one member that it knows; serde's own reader would fail on a second one, even a null.
fn write_union_reader(out: &mut String, name: &str, members: &Map<String, Value>) {
    writeln!(out, "impl<'de> serde::Deserialize<'de> for {name} {{").unwrap();
    writeln!(out, "    fn deserialize<D: serde::Deserializer<'de>>(given: D) -> Result<Self, D::Error> {{").unwrap();
    writeln!(out, "        let mut given = serde_json::Map::deserialize(given)?;").unwrap();
    for member in members.keys() {
        writeln!(out, "        if let Some(value) = given.remove({member:?}).filter(|value| !value.is_null()) {{")
            .unwrap();
        writeln!(
            out,
            "            return serde_json::from_value(value).map(Self::{}).map_err(serde::de::Error::custom);\n        }}",
            pascal(member)
        )
        .unwrap();
    }
    writeln!(out, "        Err(serde::de::Error::custom(\"{name} has no member\"))\n    }}\n}}\n").unwrap();
}

fn write_enum(out: &mut String, name: &str, values: &[Value]) {
    let values: Vec<&str> = values.iter().map(|v| v.as_str().unwrap()).collect();
    writeln!(
        out,
        "#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]"
    )
    .unwrap();
    writeln!(out, "pub enum {name} {{").unwrap();
    for value in &values {
        writeln!(out, "    #[serde(rename = \"{value}\")]\n    {},", variant(value)).unwrap();
    }
    writeln!(out, "}}\nimpl {name} {{").unwrap();
    writeln!(out, "    pub const ALL: &'static [Self] = &[{}];", list(&values, |v| format!("Self::{}", variant(v))))
        .unwrap();
    let arms = list(&values, |v| format!("Self::{} => {v:?}", variant(v)));
    writeln!(out, "    pub const fn as_str(self) -> &'static str {{ match self {{ {arms} }} }}\n}}").unwrap();
    writeln!(out, "impl std::fmt::Display for {name} {{ fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {{ f.write_str(self.as_str()) }} }}\n").unwrap();
}

fn write_table(out: &mut String, name: &str, shape: &Value) {
    let bound = |key: &str| shape[key].as_i64().map_or("None".to_owned(), |n| format!("Some({n})"));
    let kind = match shape["type"].as_str().unwrap() {
        "structure" => {
            let members = shape["members"].as_object().unwrap();
            let rows = members.iter().map(|(member, target)| {
                let (target, required) = reference(target.as_str().unwrap());
                format!("Member {{ name: {member:?}, required: {required}, shape: &S_{} }}", screaming(target))
            });
            let rows = rows.collect::<Vec<_>>().join(", ");
            format!("Kind::Structure {{ members: &[{rows}], union: {} }}", shape["union"] == true)
        }
        "list" => {
            let of = screaming(shape["of"].as_str().unwrap());
            format!("Kind::List {{ of: &S_{of}, min: {}, max: {} }}", bound("min"), bound("max"))
        }
        "string" => {
            let pattern = shape["pattern"].as_str().map_or("None".to_owned(), |p| {
                writeln!(out, "static P_{}: Pattern = Pattern::new({p:?});", screaming(name)).unwrap();
                format!("Some(&P_{})", screaming(name))
            });
            let values: Vec<&str> =
                shape["enum"].as_array().into_iter().flatten().map(|v| v.as_str().unwrap()).collect();
            format!(
                "Kind::String {{ min: {}, max: {}, pattern: {pattern}, values: &{values:?} }}",
                bound("min"),
                bound("max")
            )
        }
        "integer" => format!("Kind::Integer {{ min: {}, max: {} }}", bound("min"), bound("max")),
        "boolean" => "Kind::Boolean".into(),
        "timestamp" => "Kind::Timestamp".into(),
        other => panic!("{name}: no table for type {other}"),
    };
    let sensitive = shape["sensitive"] == true;
    writeln!(
        out,
        "static S_{}: Shape = Shape {{ name: {name:?}, sensitive: {sensitive}, kind: {kind} }};",
        screaming(name)
    )
    .unwrap();
}

fn write_operations(out: &mut String, operations: &Map<String, Value>, common: &Value) {
    let names: Vec<&str> = operations.keys().map(String::as_str).collect();
    writeln!(
        out,
        "#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]\npub enum Operation {{ {} }}",
        names.join(", ")
    )
    .unwrap();
    writeln!(
        out,
        "impl Operation {{\n    pub const ALL: &'static [Self] = &[{}];",
        list(&names, |n| format!("Self::{n}"))
    )
    .unwrap();
    writeln!(
        out,
        "    pub const fn name(self) -> &'static str {{ match self {{ {} }} }}",
        list(&names, |n| format!("Self::{n} => {n:?}"))
    )
    .unwrap();
    let table =
        |side: &str| list(&names, |n| format!("Self::{n} => &S_{}", screaming(operations[n][side].as_str().unwrap())));
    writeln!(out, "    pub fn input(self) -> &'static Shape {{ match self {{ {} }} }}", table("in")).unwrap();
    writeln!(out, "    pub fn output(self) -> &'static Shape {{ match self {{ {} }} }}", table("out")).unwrap();
    let errors = list(&names, |n| {
        let own = operations[n]["errors"].as_array().into_iter().flatten();
        let all: Vec<&str> = common.as_array().unwrap().iter().chain(own).map(|e| e.as_str().unwrap()).collect();
        format!("Self::{n} => &{all:?}")
    });
    writeln!(out, "    pub const fn errors(self) -> &'static [&'static str] {{ match self {{ {errors} }} }}").unwrap();
    let reads: Vec<&str> = names.iter().copied().filter(|name| is_read(name, &operations[*name])).collect();
    let reads = reads.iter().map(|name| format!("Self::{name}")).collect::<Vec<_>>().join(" | ");
    writeln!(out, "    pub const fn reads(self) -> bool {{ matches!(self, {reads}) }}\n}}\n").unwrap();
}

/// Whether an operation changes nothing: Proton's are called so, ours say so.
fn is_read(name: &str, operation: &Value) -> bool {
    operation["reads"] == true || name.starts_with("Get") || name.starts_with("List")
}

fn write_trait(out: &mut String, service: &str, operations: &Map<String, Value>) {
    writeln!(out, "/// All operations; one without a body answers that it is unknown.\npub trait {service}: Sync {{")
        .unwrap();
    writeln!(out, "    /// What an operation may know of its request besides the input.\n    type Call: Send;")
        .unwrap();
    writeln!(
        out,
        "    /// How an operation fails.\n    type Error: From<Unimplemented> + From<serde_json::Error> + Send;"
    )
    .unwrap();
    let mut arms = String::new();
    for (name, operation) in operations {
        let (method, input, output) =
            (snake(name), operation["in"].as_str().unwrap(), operation["out"].as_str().unwrap());
        writeln!(out, "    fn {method}(&self, call: &mut Self::Call, input: {input}) -> impl Future<Output = Result<{output}, Self::Error>> + Send {{").unwrap();
        writeln!(
            out,
            "        let _ = (call, input);\n        async {{ Err(Unimplemented(Operation::{name}.name()).into()) }}\n    }}"
        )
        .unwrap();
        writeln!(arms, "        Operation::{name} => {{ let input = serde_json::from_value(input)?; Ok(serde_json::to_vec(&Box::pin(service.{method}(call, input)).await?)?) }}").unwrap();
    }
    writeln!(out, "}}\n").unwrap();
    writeln!(
        out,
        "/// Runs one operation on input that has passed [`check`](crate::check), and returns its output as JSON text."
    )
    .unwrap();
    writeln!(out, "pub async fn dispatch<P: {service}>(service: &P, call: &mut P::Call, operation: Operation, input: serde_json::Value) -> Result<Vec<u8>, P::Error> {{\n    match operation {{\n{arms}    }}\n}}").unwrap();
}

fn list<'a>(items: &[&'a str], show: impl Fn(&'a str) -> String) -> String {
    items.iter().map(|item| show(item)).collect::<Vec<_>>().join(", ")
}

/// `lastModifiedAt` becomes `last_modified_at`; a Rust keyword gets its raw form.
fn snake(name: &str) -> String {
    let mut out = String::new();
    for (index, letter) in name.char_indices() {
        if letter.is_ascii_uppercase() && index > 0 {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    if out == "type" { "r#type".into() } else { out }
}

fn screaming(name: &str) -> String {
    snake(name).trim_start_matches("r#").to_ascii_uppercase()
}

fn pascal(name: &str) -> String {
    name[..1].to_ascii_uppercase() + &name[1..]
}

/// `IN_PROGRESS` becomes `InProgress`, `deploymentStatus` `DeploymentStatus`, `read-only` `ReadOnly`.
fn variant(value: &str) -> String {
    if value.chars().any(|c| c.is_ascii_lowercase()) {
        return value.split('-').map(pascal).collect();
    }
    value.split('_').map(|word| word[..1].to_owned() + &word[1..].to_ascii_lowercase()).collect()
}
