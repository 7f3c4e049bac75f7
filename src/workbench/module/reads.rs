//! Which files of the bundle the expressions of a file read.

use hcl_edit::Span;
use hcl_edit::expr::{Conditional, Expression, FuncCall};
use hcl_edit::template::Element;
use hcl_edit::visit::{self, Visit};

use super::{Module, Places, Read, Spot};

/// Functions that read the file that their first argument names.
///
/// <https://developer.hashicorp.com/terraform/language/functions/file>
const READERS: [&str; 9] = [
    "file",
    "templatefile",
    "filebase64",
    "filemd5",
    "filesha1",
    "filesha256",
    "filesha512",
    "filebase64sha256",
    "filebase64sha512",
];

/// A file that is read by a path that is written out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileRead {
    pub(crate) spot: Spot,
    /// As it is written, behind `path.module` or `path.root`.
    pub(crate) path: String,
    /// Whether it lies in the module's folder; else in the root's, where Terraform works.
    pub(crate) of_module: bool,
}

pub(super) fn file(module: &mut Module, text: &Read) {
    let places = Places::new(&text.path, &text.text);
    let mut walk = Walk { places: &places, maybe: 0, found: Vec::new() };
    walk.visit_body(&text.body);
    module.reads.append(&mut walk.found);
}

struct Walk<'t> {
    places: &'t Places<'t>,
    /// How many conditions and `try` lie around: what is in them may never be read.
    maybe: usize,
    found: Vec<FileRead>,
}

impl Visit for Walk<'_> {
    fn visit_conditional(&mut self, conditional: &Conditional) {
        self.maybe += 1;
        visit::visit_conditional(self, conditional);
        self.maybe -= 1;
    }

    fn visit_func_call(&mut self, call: &FuncCall) {
        let name = call.name.name.as_str();
        let tolerant = matches!(name, "try" | "can");
        self.maybe += usize::from(tolerant);
        if self.maybe == 0
            && call.name.namespace.is_empty()
            && READERS.contains(&name)
            && let Some(named) = call.args.get(0)
            && let Some((path, of_module)) = written(named)
        {
            self.found.push(FileRead { spot: self.places.spot(named.span()), path, of_module });
        }
        visit::visit_func_call(self, call);
        self.maybe -= usize::from(tolerant);
    }
}

/// A path that is written out: `"x"`, `"${path.module}/x"`, `"${path.root}/x"`.
fn written(expression: &Expression) -> Option<(String, bool)> {
    if let Some(path) = expression.as_str() {
        return (!path.starts_with('/')).then(|| (path.to_owned(), false));
    }
    let Expression::StringTemplate(template) = expression else { return None };
    let mut elements = template.iter();
    let (Some(Element::Interpolation(first)), Some(Element::Literal(rest)), None) =
        (elements.next(), elements.next(), elements.next())
    else {
        return None;
    };
    let of_module = match first.expr.to_string().trim() {
        "path.module" => true,
        "path.root" => false,
        _ => return None,
    };
    Some((rest.strip_prefix('/')?.to_owned(), of_module))
}
