//! Proton's comment above a file, and what stands below it.

use crate::estate::Banner;
use crate::renderer;

/// What every wording has in common, of Proton's first years and of its last, for the living and the deleted.
const MANAGED: &str = "managed by AWS Proton";

/// Said of the deleted.
const NO_LONGER: &str = "no longer managed by AWS Proton";

/// The banner, if there is one, and the author's content. Hadron's own words, which stand at the end, go as well.
///
/// Line ends are kept, since a heredoc's are part of the infrastructure; except where the banner itself has CRLF: then a
/// tool changed the whole file on its way here, and the author's ends were LF.
pub(super) fn split(bytes: &[u8], arn: &str) -> (Option<Banner>, Vec<u8>) {
    let Ok(text) = std::str::from_utf8(bytes) else { return (None, bytes.to_vec()) };
    if let Some((banner, body)) = above(text) {
        return (Some(banner), body.into_bytes());
    }
    below(text, arn).unwrap_or_else(|| (None, bytes.to_vec()))
}

fn above(text: &str) -> Option<(Banner, String)> {
    let start = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
    let inside = start.strip_prefix("/*")?;
    let end = inside.find("*/")?;
    let comment = &start[..end + 4];
    if !comment.contains(MANAGED) {
        return None;
    }
    let body = without_line_end(without_line_end(&start[comment.len()..]));
    let body = if comment.contains("\r\n") { body.replace("\r\n", "\n") } else { body.to_owned() };
    let text = comment.replace("\r\n", "\n");
    let deleted = text.contains(NO_LONGER);
    Some((Banner { text, deleted }, body))
}

fn without_line_end(text: &str) -> &str {
    let text = text.trim_start_matches([' ', '\t']);
    text.strip_prefix("\r\n").or_else(|| text.strip_prefix('\n')).unwrap_or(text)
}

/// What Hadron wrote, in a repository that it went on with.
fn below(text: &str, arn: &str) -> Option<(Option<Banner>, Vec<u8>)> {
    renderer::comments(arn).iter().enumerate().find_map(|(index, comment)| {
        let body = text.strip_suffix(comment).or_else(|| text.strip_prefix(comment))?;
        let banner = Banner { text: comment.trim().to_owned(), deleted: index >= 2 };
        Some((Some(banner), body.as_bytes().to_vec()))
    })
}

/// The ARN that a banner names.
pub(super) fn names(banner: &Banner) -> Option<&str> {
    let (_, rest) = banner.text.split_once("see AWS Proton Resource:")?;
    rest.split_whitespace().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:proton:us-east-1:123456789012:environment/dev";

    fn live(is: &str) -> String {
        format!(
            "/*\nThis file is managed by AWS Proton. Any changes made directly to this file will be overwritten the next \
             time AWS Proton performs an update.\n\nTo manage this resource, see AWS Proton Resource: {ARN}\n\nIf the \
             resource is no longer {is}accessible within AWS Proton, it may have been deleted and may require manual \
             cleanup.\n*/\n\n"
        )
    }

    #[test]
    fn every_wording_is_a_banner_and_one_blank_line_goes_with_it() {
        for banner in [live(""), live("is "), live("").replace('\n', "\r\n"), format!("\u{feff}{}", live(""))] {
            let (found, body) = split(format!("{banner}\nlocals {{}}\n").as_bytes(), ARN);
            let found = found.unwrap();
            assert!(!found.deleted);
            assert_eq!(names(&found), Some(ARN));
            assert_eq!(body, b"\nlocals {}\n");
        }
    }

    #[test]
    fn a_deleted_files_banner_says_so() {
        let text = "/*\nThis file is no longer managed by AWS Proton. The associated resource has been deleted in \
                    Proton.\n*/\n\nlocals {}\n";
        let (banner, body) = split(text.as_bytes(), ARN);
        assert!(banner.unwrap().deleted);
        assert_eq!(body, b"locals {}\n");
    }

    #[test]
    fn line_ends_below_an_untouched_banner_are_the_authors() {
        let (_, body) = split(format!("{}a\r\nb\r\n", live("")).as_bytes(), ARN);
        assert_eq!(body, b"a\r\nb\r\n");
        let (_, body) = split(format!("{}a\nb\n", live("")).replace('\n', "\r\n").as_bytes(), ARN);
        assert_eq!(body, b"a\nb\n");
    }

    #[test]
    fn an_authors_own_comment_stays() {
        for text in ["/* the network */\nlocals {}\n", "# managed by AWS Proton\n", "/* unfinished", ""] {
            assert_eq!(split(text.as_bytes(), ARN), (None, text.as_bytes().to_vec()));
        }
    }

    #[test]
    fn hadrons_words_go_too() {
        let [below, _, above, _]: [String; 4] = renderer::comments(ARN).try_into().unwrap();
        let _ = above;
        let (banner, body) = split(format!("locals {{}}\n{below}").as_bytes(), ARN);
        assert_eq!(body, b"locals {}\n");
        assert!(!banner.unwrap().deleted);
    }
}
