//! Messages for the refusals that `s3s` sends without one: AWS's clients would say "Unknown".

use http::header::CONTENT_LENGTH;
use http::{HeaderValue, Response};
use s3s::Body;

/// S3's own sense in our words, by error code.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
const MESSAGES: &[(&str, &str)] = &[
    (
        "InvalidBucketName",
        "no bucket can have this name: 3 to 63 lower-case letters, digits, dots and hyphens, and none that Hadron uses \
         itself",
    ),
    ("SignatureDoesNotMatch", "the signature is wrong; check the secret access key"),
    ("AccessDenied", "the request is not signed"),
    ("MethodNotAllowed", "this can't be done to this resource"),
    ("InvalidRange", "the range begins beyond the end of the object"),
    ("KeyTooLongError", "the key is longer than 1024 bytes"),
    ("MalformedXML", "the body isn't the XML that this request needs"),
    ("InvalidURI", "no bucket and key can be read from the path"),
];

/// Of any other code, since clients look into the message without asking whether there is one.
const ANY: &str = "the request was refused; the code says why";

/// The same answer, its error with a message.
pub(super) fn explain(mut response: Response<Body>) -> Response<Body> {
    let Some(text) = response.body().bytes().and_then(|bytes| with_message(std::str::from_utf8(&bytes).ok()?)) else {
        return response;
    };
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
    *response.body_mut() = Body::from(text);
    response
}

fn with_message(xml: &str) -> Option<String> {
    if xml.contains("<Message>") {
        return None;
    }
    let (before, rest) = xml.split_once("<Code>")?;
    let (code, after) = rest.split_once("</Code>")?;
    let message = MESSAGES.iter().find(|(known, _)| *known == code).map_or(ANY, |(_, message)| message);
    Some(format!("{before}<Code>{code}</Code><Message>{message}</Message>{after}"))
}

#[cfg(test)]
mod tests {
    use super::with_message;

    #[test]
    fn only_an_error_without_a_message_gets_one() {
        let bare = "<Error><Code>MethodNotAllowed</Code></Error>";
        let told = "<Error><Code>MethodNotAllowed</Code><Message>this can't be done to this resource</Message></Error>";
        assert_eq!(with_message(bare).as_deref(), Some(told));
        assert_eq!(with_message(told), None);
        assert_eq!(with_message("<Result/>"), None, "that is no error");
    }

    #[test]
    fn every_code_gets_a_message() {
        for code in ["InvalidRange", "KeyTooLongError", "MalformedXML", "InvalidURI", "Unheard"] {
            let told = with_message(&format!("<Error><Code>{code}</Code></Error>")).unwrap();
            assert_eq!(told.contains(super::ANY), code == "Unheard", "{told}");
        }
    }
}
