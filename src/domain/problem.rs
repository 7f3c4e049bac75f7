//! What is wrong with something that a person wrote, where it stands, and how to put it right.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One mistake in a bundle or a spec.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The path inside the bundle (`schema/schema.yaml`), or the name of the argument (`spec`).
    pub file: String,
    /// Counted from 1; absent where the whole file is meant.
    pub line: Option<usize>,
    /// Counted from 1, in characters.
    pub column: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it; empty when the message says it all.
    pub remedy: String,
}

impl Problem {
    /// A problem of a whole file.
    pub fn of(file: impl Into<String>, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { file: file.into(), line: None, column: None, message: message.into(), remedy: remedy.into() }
    }

    /// The same problem at a line and column, both counted from 1.
    #[must_use]
    pub fn at(self, line: usize, column: usize) -> Self {
        Self { line: Some(line), column: Some(column), ..self }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        for part in [self.line, self.column].into_iter().flatten() {
            write!(f, ":{part}")?;
        }
        write!(f, ": {}", self.message)?;
        if self.remedy.is_empty() { Ok(()) } else { write!(f, " ({})", self.remedy) }
    }
}

/// Every mistake of a document at once, so that its author needs one round and not one per mistake.
///
/// As an error it holds at least one problem; as the answer of a comparison it may be empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds one problem.
    pub fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// Adds all problems of another check.
    pub fn append(&mut self, other: Problems) {
        self.0.extend(other.0);
    }

    /// The value of a step, or `None` with its problems noted here, so that the next step can go on looking.
    pub fn note<T>(&mut self, step: Result<T, Problems>) -> Option<T> {
        step.map_err(|problems| self.append(problems)).ok()
    }

    /// The same problems as a reader meets them: by file, line and column.
    #[must_use]
    pub fn in_order(mut self) -> Self {
        self.0.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        self
    }

    /// The value if nothing is wrong.
    ///
    /// # Errors
    /// These problems, when there are any.
    pub fn unless_any<T>(self, value: impl FnOnce() -> T) -> Result<T, Problems> {
        if self.is_empty() { Ok(value()) } else { Err(self) }
    }

    /// The text for a field of at most `limit` characters: whole problems as far as they fit, then how many are left.
    pub fn within(&self, limit: usize) -> String {
        let mut text = String::new();
        for (done, problem) in self.0.iter().enumerate() {
            let line = problem.to_string();
            let rest = format!("\n… and {} more", self.0.len() - done);
            if text.chars().count() + line.chars().count() + 1 + rest.chars().count() > limit {
                let text = if done == 0 { line } else { text + &rest };
                return text.chars().take(limit).collect();
            }
            if done > 0 {
                text.push('\n');
            }
            text.push_str(&line);
        }
        text
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// The known name that a mistyped one was probably meant to be.
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = given.to_lowercase();
    let farthest = (given.chars().count() / 3).max(2);
    known
        .into_iter()
        .map(|name| (strsim::osa_distance(&given, &name.to_lowercase()), name))
        .filter(|&(distance, _)| distance <= farthest)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_and_a_far_one_is_not() {
        let known = ["vpc_cidr", "task_cpu", "task_memory"];
        assert_eq!(nearest("vpcCidr", known), Some("vpc_cidr"));
        assert_eq!(nearest("task_cup", known), Some("task_cpu"));
        assert_eq!(nearest("colour", known), None);
    }

    #[test]
    fn a_problem_reads_as_file_line_column_message_and_remedy() {
        let problem = Problem::of("spec", "port is no integer", "write 80 without quotes").at(3, 9);
        assert_eq!(problem.to_string(), "spec:3:9: port is no integer (write 80 without quotes)");
        assert_eq!(Problem::of("spec", "is empty", "").to_string(), "spec: is empty");
    }

    #[test]
    fn a_limited_text_keeps_whole_problems_and_counts_the_rest() {
        let problems = Problems((0..10).map(|n| Problem::of("f", format!("mistake {n}"), "")).collect());
        let text = problems.within(60);
        assert_eq!(text, "f: mistake 0\nf: mistake 1\nf: mistake 2\n… and 7 more");
        assert!(problems.within(5).chars().count() <= 5);
        assert_eq!(problems.within(5000), problems.to_string());
    }
}
