//! What kind of value an input is, told from the values that were seen.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// A type, as far as values tell one.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) enum Kind {
    /// No value was seen, or only null.
    #[default]
    Unknown,
    Boolean,
    Integer,
    Number,
    Text,
    List(Box<Seen>),
    Map(Fields),
    /// Values that no type of a schema takes together, by their names.
    Mixed(BTreeSet<&'static str>),
}

/// What was seen of one input, property or item.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Seen {
    pub(super) kind: Kind,
    /// Null was among the values.
    pub(super) nullable: bool,
    /// The first value that was seen.
    pub(super) example: Option<Value>,
}

/// What was seen of the properties of one map.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Fields {
    /// How many maps were seen.
    pub(super) witnesses: usize,
    by_name: BTreeMap<String, Field>,
}

/// One property.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Field {
    pub(super) seen: Seen,
    /// In how many maps it was.
    pub(super) given: usize,
    /// Its place among the others.
    order: usize,
}

impl Kind {
    /// What a schema calls it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Unknown => "nothing",
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Text => "string",
            Self::List(_) => "array",
            Self::Map(_) => "object",
            Self::Mixed(_) => "any",
        }
    }

    fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Unknown,
            Value::Bool(_) => Self::Boolean,
            // A schema's integer would turn 80.0 into 80, and what was deployed was 80.0.
            Value::Number(number) if number.is_f64() => Self::Number,
            Value::Number(_) => Self::Integer,
            Value::String(_) => Self::Text,
            Value::Array(items) => {
                let items = items.iter().map(|item| Seen { example: None, ..Seen::of(item) });
                Self::List(Box::new(items.fold(Seen::default(), Seen::join)))
            }
            Value::Object(map) => Self::Map(Fields::of(map)),
        }
    }

    /// The narrowest kind that takes the values of both.
    fn join(self, other: Self) -> Self {
        match (self, other) {
            (Self::Unknown, kind) | (kind, Self::Unknown) => kind,
            (Self::Integer, Self::Number) | (Self::Number, Self::Integer) => Self::Number,
            (Self::List(a), Self::List(b)) => Self::List(Box::new(a.join(*b))),
            (Self::Map(a), Self::Map(b)) => Self::Map(a.join(b)),
            (a, b) if a == b => a,
            (a, b) => Self::Mixed(a.names().into_iter().chain(b.names()).collect()),
        }
    }

    fn names(self) -> BTreeSet<&'static str> {
        match self {
            Self::Mixed(names) => names,
            kind => BTreeSet::from([kind.name()]),
        }
    }

    /// Whether somewhere in it values are mixed.
    pub(super) fn is_mixed(&self) -> bool {
        match self {
            Self::Mixed(_) => true,
            Self::List(items) => items.kind.is_mixed(),
            Self::Map(fields) => fields.by_name.values().any(|field| field.seen.kind.is_mixed()),
            _ => false,
        }
    }

    pub(super) fn is_scalar(&self) -> bool {
        matches!(self, Self::Unknown | Self::Boolean | Self::Integer | Self::Number | Self::Text)
    }
}

impl Seen {
    /// One value.
    pub(super) fn of(value: &Value) -> Self {
        Self {
            kind: Kind::of(value),
            nullable: value.is_null(),
            example: Some(value.clone()).filter(|it| !it.is_null()),
        }
    }

    /// Of both.
    #[must_use]
    pub(super) fn join(self, other: Self) -> Self {
        Self {
            kind: self.kind.join(other.kind),
            nullable: self.nullable || other.nullable,
            example: self.example.or(other.example),
        }
    }
}

impl Fields {
    /// One map.
    pub(super) fn of(map: &Map<String, Value>) -> Self {
        let field = |(order, (name, value)): (usize, (&String, &Value))| {
            (name.clone(), Field { seen: Seen::of(value), given: 1, order })
        };
        Self { witnesses: 1, by_name: map.iter().enumerate().map(field).collect() }
    }

    /// Of both; the names of the second come behind those of the first.
    #[must_use]
    pub(super) fn join(mut self, other: Self) -> Self {
        self.witnesses += other.witnesses;
        let known = self.by_name.values().map(|field| field.order + 1).max().unwrap_or(0);
        for (name, field) in other.by_name {
            let own =
                self.by_name.entry(name).or_insert_with(|| Field { order: known + field.order, ..Field::default() });
            own.seen = std::mem::take(&mut own.seen).join(field.seen);
            own.given += field.given;
        }
        self
    }

    pub(super) fn get(&self, name: &str) -> Option<&Field> {
        self.by_name.get(name)
    }

    /// By name and in the order in which the values had them.
    pub(super) fn in_order(&self) -> Vec<(&str, &Field)> {
        let mut fields: Vec<(&str, &Field)> = self.by_name.iter().map(|(name, field)| (name.as_str(), field)).collect();
        fields.sort_by_key(|(_, field)| field.order);
        fields
    }

    /// Whether a property was in every map.
    pub(super) fn always(&self, field: &Field) -> bool {
        self.witnesses > 0 && field.given == self.witnesses
    }

    /// The one kind of all values where the names differ from map to map: then the names are data, not properties.
    pub(super) fn values_of_free_names(&self) -> Option<Seen> {
        let differ = self.by_name.values().any(|field| !self.always(field));
        let all = self.by_name.values().map(|field| Seen { example: None, ..field.seen.clone() });
        let joined = all.fold(Seen::default(), Seen::join);
        (differ && joined.kind.is_scalar() && joined.kind != Kind::Unknown).then_some(joined)
    }
}
