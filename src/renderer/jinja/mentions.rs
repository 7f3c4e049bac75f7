//! What a template speaks of, found without rendering it: `environment.inputs.port` and where it stands.

use std::collections::BTreeMap;

use minijinja::machinery::ast::{CallArg, Expr, Macro, Stmt};
use minijinja::machinery::{Span, parse};
use minijinja::syntax::SyntaxConfig;

use super::problem;
use crate::domain::Problem;
use crate::renderer::{Mention, Step};

/// Names that every template has: Jinja2's own functions.
const BUILT_IN: [&str; 11] =
    ["range", "dict", "namespace", "debug", "cycler", "joiner", "lipsum", "self", "loop", "caller", "super"];

/// Every path that a template reads.
///
/// # Errors
/// A mistake of syntax.
pub(in crate::renderer) fn of(file: &str, source: &str) -> Result<Vec<Mention>, Problem> {
    let source = super::with_unix_newlines(source);
    let walk = || {
        let template =
            parse(&source, file, SyntaxConfig::default()).map_err(|error| problem::of(file, &source, &error))?;
        let mut walk = Walk { source: &source, bound: vec![BTreeMap::new()], guarded: 0, found: Vec::new() };
        walk.statement(&template);
        Ok(walk.found)
    };
    super::on_a_deep_stack(walk)
        .unwrap_or_else(|| Err(Problem::of(file, "can't be read: there is no memory for it", "")))
}

struct Walk<'s> {
    source: &'s str,
    /// Names that the template itself gives, innermost last, and the paths that they stand for.
    bound: Vec<BTreeMap<String, Option<Vec<Step>>>>,
    /// How many `default`, `is defined` and conditions are around.
    guarded: usize,
    found: Vec<Mention>,
}

impl<'s> Walk<'s> {
    fn statement(&mut self, statement: &Stmt<'s>) {
        match statement {
            Stmt::Template(template) => self.body(&template.children),
            Stmt::EmitExpr(emit) => self.expression(&emit.expr),
            Stmt::ForLoop(each) => {
                let items = self.path(&each.iter).map(|path| [path, vec![Step::Any]].concat());
                self.expression_iterated(&each.iter);
                self.bound.push(BTreeMap::new());
                self.bind(&each.target, items.as_deref());
                each.filter_expr.iter().for_each(|filter| self.expression(filter));
                self.body(&each.body);
                self.bound.pop();
                self.scoped(&each.else_body);
            }
            Stmt::IfCond(condition) => {
                self.guard(|walk| walk.expression(&condition.expr));
                // What is asked about first may well be missing otherwise.
                self.guard(|walk| {
                    walk.body(&condition.true_body);
                    walk.body(&condition.false_body);
                });
            }
            Stmt::WithBlock(with) => {
                self.bound.push(BTreeMap::new());
                for (target, value) in &with.assignments {
                    self.assign(target, value);
                }
                self.body(&with.body);
                self.bound.pop();
            }
            Stmt::Set(set) => self.assign(&set.target, &set.expr),
            Stmt::SetBlock(set) => {
                self.scoped(&set.body);
                self.bind(&set.target, None);
            }
            Stmt::AutoEscape(escape) => self.scoped(&escape.body),
            Stmt::FilterBlock(filter) => {
                self.expression(&filter.filter);
                self.scoped(&filter.body);
            }
            Stmt::Block(block) => self.scoped(&block.body),
            Stmt::Macro(declared) => self.declare(declared),
            Stmt::CallBlock(call) => {
                self.expression(&call.call.expr);
                self.arguments(&call.call.args);
                self.declare(&call.macro_decl);
            }
            Stmt::Do(call) => {
                self.expression(&call.call.expr);
                self.arguments(&call.call.args);
            }
            // The renderer refuses the rest: templates that load others.
            _ => {}
        }
    }

    fn body(&mut self, body: &[Stmt<'s>]) {
        for statement in body {
            self.statement(statement);
        }
    }

    fn scoped(&mut self, body: &[Stmt<'s>]) {
        self.bound.push(BTreeMap::new());
        self.body(body);
        self.bound.pop();
    }

    fn guard(&mut self, work: impl FnOnce(&mut Self)) {
        self.guarded += 1;
        work(self);
        self.guarded -= 1;
    }

    fn declare(&mut self, declared: &Macro<'s>) {
        self.name(declared.name, None);
        self.bound.push(BTreeMap::new());
        declared.args.iter().for_each(|argument| self.bind(argument, None));
        declared.defaults.iter().for_each(|default| self.expression(default));
        self.body(&declared.body);
        self.bound.pop();
    }

    fn assign(&mut self, target: &Expr<'s>, value: &Expr<'s>) {
        let path = self.path(value);
        // A name for a whole is no use of the whole.
        if path.is_some() {
            self.expression_iterated(value);
        } else {
            self.expression(value);
        }
        self.bind(target, path.as_deref());
    }

    fn bind(&mut self, target: &Expr<'s>, path: Option<&[Step]>) {
        match target {
            Expr::Var(name) => self.name(name.id, path.map(<[Step]>::to_vec)),
            Expr::List(list) => list.items.iter().for_each(|item| self.bind(item, None)),
            Expr::Tuple(tuple) => tuple.items.iter().for_each(|item| self.bind(item, None)),
            _ => {}
        }
    }

    fn name(&mut self, name: &str, path: Option<Vec<Step>>) {
        if let Some(innermost) = self.bound.last_mut() {
            innermost.insert(name.to_owned(), path);
        }
    }

    /// The path of an expression that is nothing but names, and known from the top.
    fn path(&self, expression: &Expr<'s>) -> Option<Vec<Step>> {
        match expression {
            Expr::Var(variable) => match self.bound.iter().rev().find_map(|names| names.get(variable.id)) {
                Some(path) => path.clone(),
                None if BUILT_IN.contains(&variable.id) => None,
                None => Some(vec![Step::Name(variable.id.to_owned())]),
            },
            Expr::GetAttr(get) => {
                self.path(&get.expr).map(|path| [path, vec![Step::Name(get.name.to_owned())]].concat())
            }
            Expr::GetItem(get) => {
                let step = match get.subscript_expr.as_const() {
                    Some(value) => value.as_str().map_or(Step::Any, |name| Step::Name(name.to_owned())),
                    None => Step::Any,
                };
                self.path(&get.expr).map(|path| [path, vec![step]].concat())
            }
            Expr::Filter(filter) if matches!(filter.name, "default" | "d") => self.path(filter.expr.as_ref()?),
            _ => None,
        }
    }

    fn expression_iterated(&mut self, expression: &Expr<'s>) {
        let before = self.found.len();
        self.expression(expression);
        self.found[before..].iter_mut().for_each(|mention| mention.as_whole = false);
    }

    fn expression(&mut self, expression: &Expr<'s>) {
        if let Some(path) = self.path(expression) {
            let mut at = expression;
            if let Expr::Filter(filter) = at {
                self.arguments(&filter.args);
                return self.guard(|walk| filter.expr.iter().for_each(|inner| walk.expression(inner)));
            }
            while let Expr::GetAttr(_) | Expr::GetItem(_) = at {
                at = match at {
                    Expr::GetAttr(get) => &get.expr,
                    Expr::GetItem(get) => {
                        self.expression(&get.subscript_expr);
                        &get.expr
                    }
                    other => other,
                };
            }
            let (line, column) = self.place(at.span());
            return self.found.push(Mention { path, line, column, guarded: self.guarded > 0, as_whole: true });
        }
        match expression {
            Expr::Var(_) | Expr::Const(_) => {}
            Expr::Slice(slice) => {
                self.expression(&slice.expr);
                [&slice.start, &slice.stop, &slice.step].into_iter().flatten().for_each(|part| self.expression(part));
            }
            Expr::UnaryOp(operation) => self.expression(&operation.expr),
            Expr::BinOp(operation) => {
                self.expression(&operation.left);
                self.expression(&operation.right);
            }
            Expr::Compare(compared) => {
                self.expression(&compared.expr);
                compared.ops.iter().for_each(|operand| self.expression(&operand.expr));
            }
            Expr::IfExpr(choice) => self.guard(|walk| {
                walk.expression(&choice.test_expr);
                walk.expression(&choice.true_expr);
                choice.false_expr.iter().for_each(|otherwise| walk.expression(otherwise));
            }),
            Expr::Filter(filter) => {
                let tolerant = matches!(filter.name, "default" | "d");
                if let Some(inner) = &filter.expr {
                    match (tolerant, matches!(filter.name, "length" | "count")) {
                        (true, _) => self.guard(|walk| walk.expression(inner)),
                        (_, true) => self.expression_iterated(inner),
                        _ => self.expression(inner),
                    }
                }
                self.arguments(&filter.args);
            }
            Expr::Test(test) => {
                self.guard(|walk| walk.expression_iterated(&test.expr));
                self.arguments(&test.args);
            }
            Expr::GetAttr(get) => self.expression(&get.expr),
            Expr::GetItem(get) => {
                self.expression(&get.expr);
                self.expression(&get.subscript_expr);
            }
            Expr::Call(call) => {
                // `environment.inputs.items()`: the method is none of the members.
                match &call.expr {
                    Expr::GetAttr(method) => self.expression(&method.expr),
                    other => self.expression(other),
                }
                self.arguments(&call.args);
            }
            Expr::List(list) => list.items.iter().for_each(|item| self.expression(item)),
            Expr::Tuple(tuple) => tuple.items.iter().for_each(|item| self.expression(item)),
            Expr::Map(map) => map.keys.iter().chain(&map.values).for_each(|item| self.expression(item)),
        }
    }

    fn arguments(&mut self, arguments: &[CallArg<'s>]) {
        for argument in arguments {
            let (CallArg::Pos(value)
            | CallArg::Kwarg(_, value)
            | CallArg::PosSplat(value)
            | CallArg::KwargSplat(value)) = argument;
            self.expression(value);
        }
    }

    fn place(&self, span: Span) -> (usize, usize) {
        (span.start_line.into(), problem::column(self.source, span.start_offset as usize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(source: &str) -> Vec<String> {
        let text = |mention: &Mention| {
            let guard = if mention.guarded { "?" } else { "" };
            format!("{}:{} {}{guard}", mention.line, mention.column, mention.name())
        };
        of("t", source).unwrap().iter().map(text).collect()
    }

    #[test]
    fn paths_are_followed_through_the_names_that_a_template_gives() {
        let source = "{% set i = environment.inputs %}\nA: {{ i.port }}\n{% for s in service_instances %}{{ s.inputs['x'] | default(1) }}{{ loop.index }}{% endfor %}";
        assert_eq!(
            found(source),
            [
                "1:12 environment.inputs",
                "2:7 environment.inputs.port",
                "3:13 service_instances",
                "3:36 service_instances[].inputs.x?"
            ]
        );
    }

    #[test]
    fn what_is_asked_about_may_be_missing() {
        let source = "{% if a.b is defined %}{{ a.b }}{% endif %}{{ a.c if a.c else 1 }}{{ a.d.upper() }}";
        assert_eq!(found(source), ["1:7 a.b?", "1:27 a.b?", "1:54 a.c?", "1:47 a.c?", "1:70 a.d"]);
    }

    #[test]
    fn a_mistake_of_syntax_is_told_with_its_place() {
        let problem = of("t", "a\n{{ b. }}").unwrap_err();
        assert_eq!(problem.line, Some(2));
    }
}
