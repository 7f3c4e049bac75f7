//! Why something failed, in one line.

use std::error::Error;

/// The causes of an error from the outermost to the root, each said once; the error itself if it has none.
///
/// AWS's `DisplayErrorContext` would append a dump of the whole structure, which no reader of a log can use.
pub fn causes(error: &dyn Error) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !words.iter().any(|said| said.contains(&text)) {
            words.push(text);
        }
        next = cause.source();
    }
    if words.is_empty() { error.to_string() } else { words.join(": ") }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::causes;

    #[test]
    fn each_cause_is_said_once_and_the_error_itself_only_when_alone() {
        let refused = io::Error::other(io::Error::other("connection refused"));
        assert_eq!(causes(&io::Error::other(refused)), "connection refused");
        let alone = "x".parse::<u8>().unwrap_err();
        assert_eq!(causes(&alone), "invalid digit found in string");
    }
}
