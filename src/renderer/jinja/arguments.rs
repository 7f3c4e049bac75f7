//! Python's calling convention: an argument may come by its place or by its name.

use minijinja::value::{ArgType, Kwargs, Rest, ValueOrKwargs, from_args};
use minijinja::{Error, ErrorKind, Value};

/// The arguments of one call, sorted under the names of the parameters.
pub(super) struct Arguments {
    names: &'static [&'static str],
    given: Vec<Option<Value>>,
}

impl Arguments {
    /// Sorts what was given under `names`, which stand in the order of Jinja2's signature.
    ///
    /// # Errors
    /// Too many arguments, a name that isn't a parameter's, one given twice.
    pub(super) fn bind(names: &'static [&'static str], given: Rest<ValueOrKwargs>) -> Result<Self, Error> {
        Self::bind_values(names, &given.into_values())
    }

    /// The same for values as methods get them.
    pub(super) fn bind_values(names: &'static [&'static str], given: &[Value]) -> Result<Self, Error> {
        let (by_place, by_name): (&[Value], Kwargs) = from_args(given)?;
        if by_place.len() > names.len() {
            return Err(refuse(format!("takes at most {} arguments, not {}", names.len(), by_place.len())));
        }
        let mut given: Vec<Option<Value>> = by_place.iter().cloned().map(Some).collect();
        given.resize(names.len(), None);
        for name in by_name.args() {
            let Some(place) = names.iter().position(|known| *known == name) else {
                return Err(refuse(format!("takes no argument `{name}`, only {}", names.join(", "))));
            };
            if given[place].replace(by_name.get(name)?).is_some() {
                return Err(refuse(format!("got the argument `{name}` twice")));
            }
        }
        Ok(Self { names, given })
    }

    /// The argument as it was given, if it was.
    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        let place = self.names.iter().position(|known| *known == name)?;
        self.given[place].as_ref()
    }

    /// The argument as a `T`, or `default` if it wasn't given.
    pub(super) fn get_or<'a, T: ArgType<'a, Output = T>>(&'a self, name: &str, default: T) -> Result<T, Error> {
        self.value(name).map_or(Ok(default), |value| T::from_value(Some(value)))
    }

    /// A count that Jinja2 has no default for.
    pub(super) fn count(&self, name: &str) -> Result<usize, Error> {
        let missing = || Error::new(ErrorKind::MissingArgument, format!("needs the argument `{name}`"));
        usize::from_value(Some(self.value(name).ok_or_else(missing)?))
    }

    /// The truth of an argument; any value has one in Python.
    pub(super) fn flag(&self, name: &str, default: bool) -> bool {
        self.value(name).map_or(default, Value::is_true)
    }

    /// All of them by name, as minijinja's own filters want them.
    pub(super) fn into_kwargs(self) -> Kwargs {
        let named = self.names.iter().copied().zip(self.given);
        named.filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

fn refuse(message: String) -> Error {
    Error::new(ErrorKind::TooManyArguments, message)
}
