//! What must be known of a `CloudFormation` template: its parameters and outputs.
//!
//! Read from the parser's events, so that tags like `!Ref` mean nothing and no depth of nesting can hurt.

use saphyr_parser::{Event, Parser, ScanError};

use crate::domain::Problem;

/// The names that a template declares.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outline {
    pub(super) parameters: Vec<Parameter>,
    pub(super) outputs: Vec<Output>,
}

/// One declared parameter.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) has_default: bool,
}

/// One declared output; a stack lacks it while its condition is false.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Output {
    pub(super) name: String,
    pub(super) has_condition: bool,
}

/// Reads a rendered template, which is YAML or its subset JSON.
///
/// # Errors
/// Text that is no YAML, or that isn't a mapping with resources.
pub(super) fn read(file: &str, text: &str) -> Result<Outline, Problem> {
    let mut reader = Reader::default();
    for event in Parser::new_from_str(text) {
        let (event, _) = event.map_err(|error| invalid(file, text, &error))?;
        reader.take(&event);
    }
    if !reader.has_resources {
        let remedy = "a template needs a mapping `Resources` at its top level";
        return Err(Problem::of(file, "renders to no CloudFormation template", remedy));
    }
    Ok(reader.outline)
}

fn invalid(file: &str, text: &str, error: &ScanError) -> Problem {
    let mark = error.marker();
    let line = text.lines().nth(mark.line().saturating_sub(1)).unwrap_or_default().trim();
    let message = format!("renders to invalid YAML: {} in line {} of the result: {line}", error.info(), mark.line());
    Problem::of(file, message, "check how far the expressions there indent what they write, and quote what they insert")
}

#[derive(Default)]
struct Reader {
    outline: Outline,
    has_resources: bool,
    open: Vec<Open>,
}

/// A list or mapping that hasn't ended.
enum Open {
    List,
    Mapping {
        /// The key whose value comes next.
        key: Option<String>,
    },
}

impl Reader {
    fn take(&mut self, event: &Event<'_>) {
        match event {
            Event::Scalar(text, ..) => match self.open.last_mut() {
                Some(Open::Mapping { key: key @ None }) => {
                    *key = Some(text.to_string());
                    self.note_key();
                }
                _ => self.value_ends(),
            },
            Event::Alias(_) => self.value_ends(),
            Event::MappingStart(..) => {
                self.has_resources |= self.keys().as_deref() == Some(&["Resources"]);
                self.open.push(Open::Mapping { key: None });
            }
            Event::SequenceStart(..) => self.open.push(Open::List),
            Event::MappingEnd | Event::SequenceEnd => {
                self.open.pop();
                self.value_ends();
            }
            _ => {}
        }
    }

    /// A value has been read whole: the mapping around it waits for its next key. A value in a key's place is none of ours.
    fn value_ends(&mut self) {
        if let Some(Open::Mapping { key }) = self.open.last_mut() {
            *key = if key.is_some() { None } else { Some(String::new()) };
        }
    }

    fn note_key(&mut self) {
        let Some(keys) = self.keys() else { return };
        match keys[..] {
            ["Outputs", name] => {
                let output = Output { name: name.to_owned(), has_condition: false };
                self.outline.outputs.push(output);
            }
            ["Outputs", _, "Condition"] => {
                if let Some(output) = self.outline.outputs.last_mut() {
                    output.has_condition = true;
                }
            }
            ["Parameters", name] => {
                let parameter = Parameter { name: name.to_owned(), has_default: false };
                self.outline.parameters.push(parameter);
            }
            ["Parameters", _, "Default"] => {
                if let Some(parameter) = self.outline.parameters.last_mut() {
                    parameter.has_default = true;
                }
            }
            _ => {}
        }
    }

    /// The keys from the top down to here, if they are few and no list lies between.
    fn keys(&self) -> Option<Vec<&str>> {
        if self.open.len() > 3 {
            return None;
        }
        self.open
            .iter()
            .map(|open| match open {
                Open::Mapping { key } => key.as_deref(),
                Open::List => None,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn parameters_and_outputs_are_found_among_cloudformations_tags() {
        let text = "Parameters:\n  ProtonEnvironmentName:\n    Type: String\n  Size: {Type: Number, Default: 2}\n\
            Resources:\n  Vpc:\n    Type: AWS::EC2::VPC\n    Properties:\n      CidrBlock: !Select [0, !Cidr [!Ref X, 2]]\n      Tags:\n        - Key: !Sub '${A}'\n\
            Outputs:\n  VpcId:\n    Value: !GetAtt Vpc.Id\n    Export: {Name: !Sub 'x'}\n  Other: {Condition: C, Value: {Ref: Vpc}}\n";
        insta::assert_debug_snapshot!(read("t", text).unwrap(), @r#"
        Outline {
            parameters: [
                Parameter {
                    name: "ProtonEnvironmentName",
                    has_default: false,
                },
                Parameter {
                    name: "Size",
                    has_default: true,
                },
            ],
            outputs: [
                Output {
                    name: "VpcId",
                    has_condition: false,
                },
                Output {
                    name: "Other",
                    has_condition: true,
                },
            ],
        }
        "#);
    }

    #[test]
    fn json_is_read_too() {
        let outline = read("t", r#"{"Resources": {"A": {"Outputs": {"No": 1}}}, "Outputs": {"Yes": {"Value": [1]}}}"#);
        assert_eq!(outline.unwrap().outputs[0].name, "Yes");
    }

    #[test]
    fn what_is_no_template_is_refused() {
        insta::assert_snapshot!(read("t", "Resources:\n  A: x\n B: y\n").unwrap_err(), @"t: renders to invalid YAML: while parsing a block mapping, did not find expected key in line 3 of the result: B: y (check how far the expressions there indent what they write, and quote what they insert)");
        insta::assert_snapshot!(read("t", "just text").unwrap_err(), @"t: renders to no CloudFormation template (a template needs a mapping `Resources` at its top level)");
        insta::assert_snapshot!(read("t", "").unwrap_err(), @"t: renders to no CloudFormation template (a template needs a mapping `Resources` at its top level)");
    }

    #[test]
    fn deep_nesting_costs_no_stack() {
        let deep = format!("Resources: {{A: {}}}", "[".repeat(100_000));
        read("t", &deep).unwrap_err();
    }
}
