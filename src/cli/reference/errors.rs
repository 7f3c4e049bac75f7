//! `errors.md`: the exceptions of both APIs, and the messages of deployments, state and stores with their remedies.

use std::collections::BTreeSet;

use regex::Regex;

use super::markdown::{MADE, code, prose, table};
use super::messages::{self, GROUPS};

/// An exception's name, its HTTP status, what it says, and the remedy.
const EXCEPTIONS: &[(&str, u16, &str, &str)] = &[
    (
        "ValidationException",
        400,
        "the input breaks a rule; all problems are told, each with its place",
        "mend what is named; with `no policy allows it` on an operation that declares no AccessDeniedException, see that one",
    ),
    (
        "ConflictException",
        400,
        "the resource's present state forbids it, or somebody else was faster",
        "read the message: it names what stands in the way; a deployment under way must end or be cancelled first, what was \
      imported must be [adopted](../adopting.md)",
    ),
    (
        "ResourceNotFoundException",
        400,
        "what is named isn't there, in this account and region",
        "look at name, account and region: the region of the request's signature counts",
    ),
    ("ServiceQuotaExceededException", 400, "a count is used up", "delete what isn't needed"),
    (
        "AccessDeniedException",
        400,
        "no policy allows it, or one forbids it; the message names it",
        "another key, or another [policy](../policies.md); `hadron policy show` prints the shipped ones",
    ),
    ("ThrottlingException", 400, "too much at once", "repeat later; AWS's clients do by themselves"),
    (
        "InternalServerException",
        500,
        "our own fault, or the record is away for a moment; the message says which",
        "repeat; else the server's log has the cause under the request id",
    ),
    (
        "UnknownOperationException",
        400,
        "no such operation, or one that isn't available",
        "see [operations](operations.md)",
    ),
    (
        "SerializationException",
        400,
        "the body isn't JSON of the right types",
        "mend the request; no SDK sends such a one",
    ),
    (
        "RequestEntityTooLargeException",
        413,
        "the body is too large",
        "a bundle goes through the bucket, not through the API",
    ),
    ("RequestAbortedException", 400, "the body broke off or came too slowly", "repeat"),
    (
        "MissingAuthenticationTokenException",
        400,
        "the request isn't signed",
        "give the client a key: `hadron client install`",
    ),
    ("IncompleteSignatureException", 400, "parts of the signature are missing", "look at proxies that change headers"),
    (
        "InvalidSignatureException",
        400,
        "the signature is wrong, too old, or for another service",
        "look at the secret, and at the clock of both machines: five minutes are the limit",
    ),
    (
        "UnrecognizedClientException",
        400,
        "nobody has this access key, or it was revoked or has expired",
        "`hadron key list` shows the keys, `hadron key create` makes one",
    ),
];

#[test]
fn the_published_errors_are_those_of_the_code() {
    super::published("errors.md", &page());
}

fn page() -> String {
    let mut text = format!("{MADE}# Errors\n\n");
    text += "A command says `error:`, then each cause on a line of its own, then `hint:`, and ends with an \
             [exit code](exit-codes.md). A deployment that failed says so in its status message: `hadron status` and \
             Proton's Get operations show it, with the way on. `…` stands for what differs.\n\n## Exceptions of the API\n\n";
    let rows = EXCEPTIONS
        .iter()
        .map(|(name, status, says, remedy)| [code(name), status.to_string(), (*says).to_owned(), (*remedy).to_owned()]);
    text += &table(["exception", "HTTP", "says", "what to do"], rows);
    text += "\nAn operation that doesn't declare an exception answers it as ValidationException, since SDKs have no type for \
             it there.\n";
    for group in GROUPS {
        text += &format!("\n## {}\n\n{}\n\n", group.heading, group.about);
        let rows = messages::of(group).into_iter().map(|(message, remedy)| [prose(&message), remedy.to_owned()]);
        text += &table(["message", "what to do"], rows);
    }
    text
}

#[test]
fn every_exception_that_the_wire_or_the_model_names_is_on_the_page_and_no_other() {
    let named = Regex::new(r#""([A-Z]\w+Exception)""#).unwrap();
    let mut names: BTreeSet<String> =
        hadron_model::Action::all().flat_map(hadron_model::Action::errors).map(|it| (*it).to_owned()).collect();
    for (path, text) in super::files("src/control_plane/wire", ".rs") {
        if !path.contains("tests") {
            let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
            names.extend(named.captures_iter(code).map(|found| found[1].to_owned()));
        }
    }
    let listed: BTreeSet<String> = EXCEPTIONS.iter().map(|(name, ..)| (*name).to_owned()).collect();
    assert_eq!(listed, names, "left: the page, right: the code");
}
