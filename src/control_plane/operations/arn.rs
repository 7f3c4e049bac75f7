//! The ARNs that new resources get.

use std::fmt;

use crate::control_plane::wire::ProtonError;
use crate::domain::Scope;

/// The longest ARN that Proton's own operations take.
const LONGEST: usize = 200;

/// The ARN of a resource that is about to be created.
///
/// # Errors
/// `ValidationException` for an ARN over 200 characters: it could be neither tagged nor notified, since the model's
/// `Arn` shape ends there.
pub(crate) fn arn_of_new(scope: &Scope, resource: impl fmt::Display) -> Result<String, ProtonError> {
    let arn = scope.arn(resource);
    if arn.chars().count() <= LONGEST {
        return Ok(arn);
    }
    Err(ProtonError::validation(format!(
        "The resource's ARN would have {} characters, more than the {LONGEST} that can be tagged and notified: {arn}. \
         Choose shorter names",
        arn.chars().count()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_of_200_characters_is_the_longest() {
        let scope = Scope::new("123456789012", "us-east-1");
        let room = LONGEST - scope.arn("").len();
        assert_eq!(arn_of_new(&scope, "x".repeat(room)).unwrap().len(), 200);
        assert!(matches!(arn_of_new(&scope, "x".repeat(room + 1)), Err(ProtonError::Validation(_))));
    }
}
