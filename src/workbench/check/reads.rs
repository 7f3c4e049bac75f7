//! Files that the code reads: they must travel with the bundle.

use super::{at, calls};
use crate::domain::{Part, nearest};
use crate::workbench::finding::Report;
use crate::workbench::module::Module;

/// Warns of each that isn't there. It is no error, since a site's overlay may bring it.
pub(super) fn check(part: &Part, module: &Module, within: &str, report: &mut Report) {
    for read in &module.reads {
        let from = if read.of_module { within } else { "" };
        let place = calls::folder(from, &format!("./{}", read.path)).and_then(Result::ok);
        if place.as_ref().is_some_and(|place| part.files.contains_key(place)) {
            continue;
        }
        let remedy = match place.and_then(|place| nearest(&place, part.files.keys().map(String::as_str))) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("put it below {}/: only that travels with the bundle", part.folder),
        };
        let message = format!("the file {} isn't in the bundle", read.path);
        report.warn("file", at(part, &read.spot, message, remedy));
    }
}
