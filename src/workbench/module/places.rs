//! From offsets to lines and columns.

use std::ops::Range;

use super::Spot;

/// The lines of a text.
pub(in crate::workbench) struct Places<'t> {
    path: &'t str,
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Places<'t> {
    pub(in crate::workbench) fn new(path: &'t str, text: &'t str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { path, text, starts }
    }

    /// Where a span begins; the file's beginning where there is none.
    pub(in crate::workbench) fn spot(&self, span: Option<Range<usize>>) -> Spot {
        let (line, column) = self.at(span.map_or(0, |span| span.start));
        Spot { path: self.path.to_owned(), line, column }
    }

    /// Line and column, counted from 1, the column in characters.
    pub(in crate::workbench) fn at(&self, offset: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let before = self.text.get(self.starts[line - 1]..offset).unwrap_or_default();
        (line, before.chars().count() + 1)
    }
}
