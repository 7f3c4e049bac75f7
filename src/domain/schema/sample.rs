//! Values that a schema accepts, where nobody has given any.

use serde_json::{Map, Number, Value, json};

use super::check::MOST_VALUES;
use super::shape::InputShape;
use super::types::{Count, Others, Shape, Type};
use super::{InputType, Schema};

/// What a text is tried to be; the first that the rules let through is taken.
const TEXTS: [&str; 22] = [
    "example",
    "Example1",
    "example.com",
    "10.0.0.0/16",
    "10.0.0.0/24",
    "10.0.0.1",
    "us-east-1",
    "us-east-1a",
    "/example",
    "/",
    "1",
    "80",
    "1.0.0",
    "v1",
    "example/example",
    "https://example.com",
    "someone@example.com",
    "arn:aws:iam::123456789012:role/example",
    "123456789012",
    "t3.micro",
    "2026-01-01",
    "example=1",
];

impl Schema {
    /// Inputs that this schema accepts: the defaults, and an example of each required input that has none. A text under a
    /// pattern that no example fits is one that the schema refuses; its author has to give it.
    pub fn sample(&self, which: InputType) -> Map<String, Value> {
        let mut left = MOST_VALUES;
        match self.shape(which).map(|shape| sample(shape.declared(), &mut left)) {
            Some(Value::Object(map)) => map,
            _ => Map::new(),
        }
    }
}

impl InputShape {
    /// A value that this shape accepts; see [`Schema::sample`].
    pub fn sample(&self) -> Value {
        sample(self.declared(), &mut MOST_VALUES.clone())
    }
}

fn sample(declared: &Type, left: &mut usize) -> Value {
    *left = left.saturating_sub(1);
    if let Some(default) = &declared.default {
        return default.clone();
    }
    if let Some(choice) = declared.choices.as_ref().and_then(|choices| choices.first()) {
        return choice.clone();
    }
    match &declared.shape {
        Shape::Boolean => json!(false),
        Shape::Text { length, pattern } => {
            let fits = |text: &&str| pattern.as_ref().is_none_or(|pattern| pattern.matches(text));
            let long = TEXTS.iter().copied().filter(fits).find(|text| within(*length, text.chars().count()));
            json!(long.map_or_else(|| of_length(*length), str::to_owned))
        }
        Shape::Number { integer, minimum, maximum, multiple_of } => {
            let least = minimum.as_ref().and_then(|bound| Some((bound.value.as_f64()?, bound.exclusive)));
            let most = maximum.as_ref().and_then(|bound| bound.value.as_f64());
            number(*integer, least, most, multiple_of.as_ref().and_then(Number::as_f64))
        }
        Shape::Array { items, count, .. } => {
            let least = count.least.unwrap_or(0).min(100);
            let item = items.as_ref().filter(|_| *left > 0);
            (0..least).map(|_| item.map_or(json!("example"), |item| sample(item, left))).collect()
        }
        Shape::Object { properties, required, others } => {
            let mut map = Map::new();
            for (name, declared) in properties {
                if *left > 0 && (declared.default.is_some() || required.contains(name)) {
                    map.insert(name.clone(), sample(declared, left));
                }
            }
            // A name that is required but described by `additionalProperties` only.
            if let Others::Of(declared) = others {
                for name in required.iter().filter(|name| !properties.iter().any(|(known, _)| known == *name)) {
                    map.insert(name.clone(), sample(declared, left));
                }
            }
            Value::Object(map)
        }
    }
}

fn within(count: Count, length: usize) -> bool {
    let length = u64::try_from(length).unwrap_or(u64::MAX);
    count.least.is_none_or(|least| length >= least) && count.most.is_none_or(|most| length <= most)
}

/// A text of a length that is let in, where none of the examples is.
fn of_length(count: Count) -> String {
    let length = count.least.unwrap_or(0).max(count.most.unwrap_or(7).min(7)).min(10_000);
    "example".chars().cycle().take(usize::try_from(length).unwrap_or_default()).collect()
}

fn number(integer: bool, least: Option<(f64, bool)>, most: Option<f64>, step: Option<f64>) -> Value {
    let step_up = if integer { 1.0 } else { 0.5 };
    let from = match least {
        Some((least, true)) => least + step_up,
        Some((least, false)) => least,
        None => most.map_or(1.0, |most| most.min(1.0)),
    };
    let value = match step {
        Some(step) => (from / step).ceil() * step,
        None if integer => from.ceil(),
        None => from,
    };
    #[expect(clippy::cast_possible_truncation, reason = "a whole number, or one beyond what an integer holds anyway")]
    if value.fract() == 0.0 { json!(value as i64) } else { json!(value) }
}

#[cfg(test)]
mod tests {
    use crate::domain::{BundleKind, InputType, Schema};

    #[test]
    fn a_sample_is_something_that_the_schema_accepts() {
        let text = r#"schema:
  format: { openapi: "3.0.0" }
  environment_input_type: In
  types:
    In:
      type: object
      required: [cidr, size, zones, nested, short, half, step, kind]
      properties:
        cidr: { type: string, pattern: "^([0-9]{1,3}\\.){3}[0-9]{1,3}/[0-9]{1,2}$" }
        size: { type: integer, minimum: 3, maximum: 5 }
        zones: { type: array, items: { type: string, pattern: "^[a-z-]+$" }, minItems: 2 }
        nested: { type: object, required: [on], properties: { on: { type: boolean }, off: { type: boolean } } }
        short: { type: string, maxLength: 3 }
        half: { type: number, minimum: 0, exclusiveMinimum: true, maximum: 1 }
        step: { type: integer, minimum: 1, multipleOf: 5 }
        kind: { type: string, enum: [b, a] }
        optional: { type: string }
        given: { type: integer, default: 80 }
"#;
        let schema = Schema::parse(text, BundleKind::Environment, false, false).unwrap();
        let sample = schema.sample(InputType::Environment);
        assert_eq!(schema.resolve(InputType::Environment, &sample).unwrap(), sample);
        assert_eq!(sample["cidr"], "10.0.0.0/16");
        assert!(!sample.contains_key("optional"));
        assert_eq!(schema.place(InputType::Environment, "given"), Some((18, 9)));
    }
}
