//! Whether a minor version may follow another: a spec that was right for the older schema must be right for the newer.
//!
//! <https://docs.aws.amazon.com/proton/latest/userguide/ag-template-versions.html>

use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::Arc;

use super::number::{compare as compare_numbers, is_multiple, same};
use super::rules::Bound;
use super::types::{Count, Others, Shape, Type};
use super::{SCHEMA_FILE, Schema};
use crate::domain::yaml::placed;
use crate::domain::{Problem, Problems};

/// Every change that narrows what the older schema took.
pub(super) fn compare(newer: &Schema, older: &Schema) -> Problems {
    let mut comparison = Comparison { problems: Problems::default(), seen: HashSet::new() };
    for (which, was) in &older.inputs {
        match newer.inputs.get(which) {
            Some(is) => comparison.types(is, was, ""),
            None => comparison.problems.push(Problem::of(
                SCHEMA_FILE,
                format!("`{}` is gone", which.key()),
                "keep it, or register a new major version",
            )),
        }
    }
    comparison.problems
}

struct Comparison {
    problems: Problems,
    /// Pairs of shared types that are compared already, by address: each pair once, however often it is referred to.
    seen: HashSet<(usize, usize)>,
}

impl Comparison {
    fn types(&mut self, is: &Arc<Type>, was: &Arc<Type>, name: &str) {
        if !self.seen.insert((Arc::as_ptr(is).addr(), Arc::as_ptr(was).addr())) {
            return;
        }
        if was.nullable && !is.nullable {
            self.refuse(is, format!("`{name}` may no longer be null"));
        }
        self.choices(is, was, name);
        self.shapes(is, was, name);
    }

    fn choices(&mut self, is: &Type, was: &Type, name: &str) {
        let Some(choices) = &is.choices else { return };
        let Some(before) = &was.choices else {
            return self.refuse(is, format!("`{name}` takes only some values now (enum)"));
        };
        let gone: Vec<String> = before
            .iter()
            .filter(|value| !choices.iter().any(|choice| same(choice, value)))
            .map(ToString::to_string)
            .collect();
        if !gone.is_empty() {
            self.refuse(is, format!("`{name}` no longer takes {}", gone.join(", ")));
        }
    }

    fn shapes(&mut self, is: &Arc<Type>, was: &Arc<Type>, name: &str) {
        match (&is.shape, &was.shape) {
            (Shape::Boolean, Shape::Boolean) => {}
            (Shape::Text { length, pattern }, Shape::Text { length: old_length, pattern: old_pattern }) => {
                self.count(*length, *old_length, "length", is, name);
                let source =
                    |pattern: &Option<_>| pattern.as_ref().map(|p: &super::rules::Pattern| p.source().to_owned());
                if pattern.is_some() && source(pattern) != source(old_pattern) {
                    self.refuse(is, format!("the pattern of `{name}` is new or other than before"));
                }
            }
            (
                Shape::Number { integer, minimum, maximum, multiple_of },
                Shape::Number {
                    integer: old_integer,
                    minimum: old_minimum,
                    maximum: old_maximum,
                    multiple_of: old_step,
                },
            ) => {
                if *integer && !old_integer {
                    self.refuse(is, format!("`{name}` was a number and is an integer now"));
                }
                if narrower(minimum.as_ref(), old_minimum.as_ref(), Ordering::Greater) {
                    self.refuse(is, format!("the minimum of `{name}` was raised"));
                }
                if narrower(maximum.as_ref(), old_maximum.as_ref(), Ordering::Less) {
                    self.refuse(is, format!("the maximum of `{name}` was lowered"));
                }
                let kept = |step| old_step.as_ref().is_some_and(|old| is_multiple(old, step));
                if multiple_of.as_ref().is_some_and(|step| !kept(step)) {
                    self.refuse(is, format!("`multipleOf` of `{name}` is new or other than before"));
                }
            }
            (
                Shape::Array { items, count, unique },
                Shape::Array { items: old_items, count: old_count, unique: old_unique },
            ) => {
                self.count(*count, *old_count, "number of items", is, name);
                if *unique && !old_unique {
                    self.refuse(is, format!("the items of `{name}` must be unique now"));
                }
                match (items, old_items) {
                    (Some(items), Some(old_items)) => self.types(items, old_items, &format!("{name}[]")),
                    (Some(_), None) => self.refuse(is, format!("`{name}` takes only some items now")),
                    (None, _) => {}
                }
            }
            (Shape::Object { .. }, Shape::Object { .. }) => self.objects(is, was, name),
            (now, before) => {
                self.refuse(is, format!("`{name}` was {} and is {} now", before.described(), now.described()));
            }
        }
    }

    fn objects(&mut self, is: &Arc<Type>, was: &Arc<Type>, name: &str) {
        let (
            Shape::Object { properties, required, others },
            Shape::Object { properties: old_properties, required: old_required, others: old_others },
        ) = (&is.shape, &was.shape)
        else {
            return;
        };
        let join = |property: &str| if name.is_empty() { property.to_owned() } else { format!("{name}.{property}") };
        for (property, before) in old_properties {
            match properties.iter().find(|(known, _)| known == property) {
                Some((_, now)) => self.types(now, before, &join(property)),
                None => match others {
                    Others::Refused => self.refuse(is, format!("`{}` was removed", join(property))),
                    Others::Of(now) => self.types(now, before, &join(property)),
                    Others::Any => {}
                },
            }
        }
        let declared = |properties: &[(String, Arc<Type>)], name: &str| {
            properties.iter().find(|(known, _)| known == name).map(|(_, declared)| declared.clone())
        };
        for property in required {
            let now = declared(properties, property);
            let has_default = |declared: &Option<Arc<Type>>| declared.as_ref().is_some_and(|it| it.default.is_some());
            let was_needed = old_required.contains(property) && !has_default(&declared(old_properties, property));
            if !has_default(&now) && !was_needed {
                let message = format!("`{}` must be given now, and it has no default", join(property));
                self.refuse(now.as_ref().unwrap_or(is), message);
            }
        }
        for (property, now) in properties.iter().filter(|(name, _)| declared(old_properties, name).is_none()) {
            match old_others {
                // Every type takes less than anything.
                Others::Any => {
                    let message =
                        format!("`{}` could be anything and is {} now", join(property), now.shape.described());
                    self.refuse(now, message);
                }
                Others::Of(before) => self.types(now, before, &join(property)),
                Others::Refused => {}
            }
        }
        match (others, old_others) {
            (Others::Refused, Others::Any | Others::Of(_)) => {
                self.refuse(is, format!("{} takes no other properties any more", object(name)));
            }
            (Others::Of(now), Others::Of(before)) => self.types(now, before, &join("*")),
            (Others::Of(now), Others::Any) => {
                self.refuse(now, format!("{} takes only some other properties now", object(name)));
            }
            _ => {}
        }
    }

    fn count(&mut self, is: Count, was: Count, of: &str, declared: &Type, name: &str) {
        if is.least.is_some_and(|least| least > was.least.unwrap_or(0)) {
            self.refuse(declared, format!("the least {of} of `{name}` was raised"));
        }
        if is.most.is_some_and(|most| was.most.is_none_or(|before| most < before)) {
            self.refuse(declared, format!("the greatest {of} of `{name}` was lowered"));
        }
    }

    fn refuse(&mut self, declared: &Type, message: String) {
        let remedy = "undo it, or register a new major version";
        self.problems.push(placed(Problem::of(SCHEMA_FILE, message, remedy), declared.at));
    }
}

/// Whether a bound moved in the direction that leaves fewer numbers.
fn narrower(is: Option<&Bound>, was: Option<&Bound>, direction: Ordering) -> bool {
    match (is, was) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(is), Some(was)) => match compare_numbers(&is.value, &was.value) {
            Ordering::Equal => is.exclusive && !was.exclusive,
            order => order == direction,
        },
    }
}

fn object(name: &str) -> String {
    if name.is_empty() { "the input type".into() } else { format!("`{name}`") }
}
