//! Text as people and their tools leave it in a repository: byte order marks, line ends, merges that never ended.

use serde_json::Value;

/// What keeps a file from being read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken {
    /// From 1, where known.
    pub(super) line: Option<usize>,
    /// What is wrong, and what to do.
    pub(super) message: String,
}

impl Broken {
    fn new(line: Option<usize>, message: impl Into<String>) -> Self {
        Self { line, message: message.into() }
    }
}

/// Reads JSON; a byte order mark doesn't matter.
///
/// # Errors
/// Leftovers of a merge, no UTF-8, no JSON.
pub(super) fn json(bytes: &[u8]) -> Result<Value, Broken> {
    const RESTORE: &str = "restore the file as Proton wrote it: `git log -p` on it shows every version";
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(Broken::new(None, "is UTF-16: save it as UTF-8"));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()].split(|byte| *byte == b'\n').count();
        Broken::new(Some(line), format!("isn't UTF-8: {RESTORE}"))
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(Broken::new(None, format!("is empty: {RESTORE}")));
    }
    serde_json::from_str(text).map_err(|error| {
        if let Some(line) = marker(text) {
            return Broken::new(Some(line), MERGE);
        }
        let said = error.to_string();
        let said = said.rsplit_once(" at line ").map_or(said.as_str(), |(said, _)| said);
        Broken::new(Some(error.line()), format!("is no valid JSON ({said}): {RESTORE}"))
    })
}

const MERGE: &str = "has leftovers of a merge (<<<<<<<): keep one side and commit that";

/// The line of a merge's first marker.
fn marker(text: &str) -> Option<usize> {
    text.lines().position(|line| line.starts_with("<<<<<<<") || line.starts_with(">>>>>>>")).map(|at| at + 1)
}

/// Leftovers of a merge in code, all three markers of them: one alone could be a heredoc's own text.
pub(super) fn merge_leftover(bytes: &[u8]) -> Option<Broken> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut lines = text.lines().enumerate();
    let (first, _) = lines.find(|(_, line)| line.starts_with("<<<<<<<"))?;
    lines.find(|(_, line)| line.starts_with("======="))?;
    lines.find(|(_, line)| line.starts_with(">>>>>>>"))?;
    Some(Broken::new(Some(first + 1), MERGE))
}

/// A scalar as text, however it was written: versions turn up as `"1"` and as `1`.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// Some names, for a message.
pub(super) fn some(names: &[String]) -> String {
    const SHOWN: usize = 4;
    let mut text = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text += &format!(" and {} more", names.len() - SHOWN);
    }
    text
}
