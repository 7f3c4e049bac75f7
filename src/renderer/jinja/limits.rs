//! How much a template may ask for.
//!
//! CloudFormation takes no template over 1 MiB, so more text than that is useless. The fuel is many times what
//! a template of that size burns: enough for any honest loop, gone within seconds in an endless one.

use minijinja::{Error, ErrorKind, State};

/// What minijinja may burn: one for each instruction and for each 64 bytes that it makes.
pub(super) const FUEL: u64 = 1_000_000;

/// How deeply macros and recursive loops may nest; each level costs stack.
pub(super) const RECURSION: usize = 100;

/// Bytes of stack. What the fuel can nest at most, some hundred thousand lists in each other, is written and dropped by
/// recursion; pages that nobody touches cost nothing.
pub(super) const STACK: usize = 1024 * 1024 * 1024;

/// Bytes of text that a template may yield.
///
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>
pub(super) const LONGEST_TEXT: usize = 1024 * 1024;

/// Bytes that one filter or method may make at once.
pub(super) const LARGEST_VALUE: usize = 2 * LONGEST_TEXT;

/// Pays for a value of about `bytes`, before it is made.
pub(super) fn afford(state: &State<'_, '_>, bytes: usize) -> Result<(), Error> {
    if bytes > LARGEST_VALUE {
        return Err(Error::from(ErrorKind::OutOfFuel));
    }
    state.consume_fuel(bytes as u64 / 64)
}
