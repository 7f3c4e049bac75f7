//! What differs between two texts, line by line, as a reader of `diff -u` knows it.

use std::fmt::Write as _;

/// Lines shown before and after what differs.
const AROUND: usize = 2;

/// The most cells of the table that is filled for a comparison: texts that differ in more are shown one after the other.
const MOST_CELLS: usize = 4_000_000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Both,
    Expected,
    Found,
}

/// The lines that differ, `-` as expected and `+` as found; empty for equal texts.
pub fn differences(expected: &str, found: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (expected.split('\n').collect(), found.split('\n').collect());
    let lines = aligned(&old, &new);
    let mut out = String::new();
    let mut skipped = false;
    for (at, (side, line)) in lines.iter().enumerate() {
        let near = lines[at.saturating_sub(AROUND)..lines.len().min(at + AROUND + 1)].iter();
        if near.into_iter().all(|(side, _)| *side == Side::Both) {
            skipped = true;
            continue;
        }
        if std::mem::take(&mut skipped) {
            out.push_str("  …\n");
        }
        let sign = match side {
            Side::Both => ' ',
            Side::Expected => '-',
            Side::Found => '+',
        };
        writeln!(out, "{sign} {line}").expect("text takes text");
    }
    out
}

/// Both texts in one, with the longest sequence of lines that they share.
fn aligned<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<(Side, &'a str)> {
    let same = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let (old_rest, new_rest) = (&old[same..], &new[same..]);
    let same_end = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(a, b)| a == b).count();
    let (old_middle, new_middle) = (&old_rest[..old_rest.len() - same_end], &new_rest[..new_rest.len() - same_end]);
    let mut lines: Vec<_> = old[..same].iter().map(|line| (Side::Both, *line)).collect();
    lines.extend(middle(old_middle, new_middle));
    lines.extend(old_rest[old_rest.len() - same_end..].iter().map(|line| (Side::Both, *line)));
    lines
}

fn middle<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<(Side, &'a str)> {
    let one_after_the_other = || {
        let removed = old.iter().map(|line| (Side::Expected, *line));
        removed.chain(new.iter().map(|line| (Side::Found, *line))).collect()
    };
    if old.len().saturating_mul(new.len()) > MOST_CELLS {
        return one_after_the_other();
    }
    // The length of the longest common sequence of what follows each pair of lines.
    let mut longest = vec![vec![0_u32; new.len() + 1]; old.len() + 1];
    for a in (0..old.len()).rev() {
        for b in (0..new.len()).rev() {
            longest[a][b] =
                if old[a] == new[b] { longest[a + 1][b + 1] + 1 } else { longest[a + 1][b].max(longest[a][b + 1]) };
        }
    }
    let (mut a, mut b, mut lines) = (0, 0, Vec::new());
    while a < old.len() || b < new.len() {
        if a < old.len() && b < new.len() && old[a] == new[b] {
            lines.push((Side::Both, old[a]));
            (a, b) = (a + 1, b + 1);
        } else if b == new.len() || (a < old.len() && longest[a + 1][b] >= longest[a][b + 1]) {
            lines.push((Side::Expected, old[a]));
            a += 1;
        } else {
            lines.push((Side::Found, new[b]));
            b += 1;
        }
    }
    lines
}
