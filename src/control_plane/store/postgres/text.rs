//! Keys that PostgreSQL can hold: its text has no room for NUL, ours has.

use std::borrow::Cow;

/// What stands in for NUL and for itself: followed by itself it means NUL, followed by the next character itself. So
/// escaped text sorts as the text does.
const ESCAPE: char = '\u{1}';
const ITSELF: char = '\u{2}';

/// The text as it is stored.
pub(super) fn stored(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', ESCAPE]) {
        return text.into();
    }
    let mut escaped = String::with_capacity(text.len() + 4);
    for char in text.chars() {
        match char {
            '\0' => escaped.extend([ESCAPE, ESCAPE]),
            ESCAPE => escaped.extend([ESCAPE, ITSELF]),
            other => escaped.push(other),
        }
    }
    escaped.into()
}

/// The text as it was before [`stored`].
pub(super) fn restored(text: String) -> String {
    if !text.contains(ESCAPE) {
        return text;
    }
    let mut restored = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match char {
            ESCAPE if chars.next() == Some(ESCAPE) => restored.push('\0'),
            other => restored.push(other),
        }
    }
    restored
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_text_has_no_nul_comes_back_and_keeps_its_order() {
        let mut texts: Vec<String> = Vec::new();
        for a in ["", "\0", "\u{1}", "\u{2}", "a", "ü"] {
            for b in ["", "\0", "\u{1}", "\u{2}", "\u{3}", "b"] {
                texts.extend(["", "\0", "\u{1}", "x"].map(|c| format!("{a}{b}{c}")));
            }
        }
        texts.sort();
        texts.dedup();
        let mut all: Vec<String> = texts.iter().map(|text| stored(text).into_owned()).collect();
        assert!(all.iter().all(|text| !text.contains('\0')));
        assert!(all.is_sorted());
        all.dedup();
        assert_eq!(all.into_iter().map(restored).collect::<Vec<_>>(), texts);
    }
}
