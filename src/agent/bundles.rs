//! Where bundles lie for a Proton that doesn't tell, and the bundle of a component, which lies nowhere.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use crate::domain::{Problems, pack_component};
use crate::objects::ObjectUri;

/// What an address may leave open.
const PLACEHOLDERS: [&str; 4] = ["{template}", "{version}", "{major}", "{minor}"];

/// The address of every bundle: `s3://BUCKET/{template}/{version}.tar.gz`. `{version}` is `{major}.{minor}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleLocation {
    /// The bucket, which run records go to as well.
    pub(super) bucket: String,
    key: String,
}

/// Text that can't say where each version's bundle lies.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}; write it like s3://BUCKET/{{template}}/{{version}}.tar.gz")]
pub struct NotABundleLocation {
    problem: String,
}

impl FromStr for BundleLocation {
    type Err = NotABundleLocation;

    fn from_str(text: &str) -> Result<Self, NotABundleLocation> {
        let refuse = |problem: String| Err(NotABundleLocation { problem });
        let Ok(ObjectUri { bucket, key }) = text.parse() else { return refuse("that is no object's address".into()) };
        if bucket.contains(['{', '}']) {
            return refuse("the bucket must be one for all templates".into());
        }
        let rest = PLACEHOLDERS.iter().fold(key.clone(), |rest, known| rest.replace(known, ""));
        if rest.contains(['{', '}']) {
            return refuse(format!("the placeholders are {}", PLACEHOLDERS.join(", ")));
        }
        if !key.contains("{template}") || !(key.contains("{version}") || key.contains("{major}")) {
            return refuse("several bundles would share that address".into());
        }
        Ok(Self { bucket, key })
    }
}

impl fmt::Display for BundleLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

impl BundleLocation {
    /// Where the bundle of a template's version lies.
    pub(super) fn of(&self, (name, major, minor): &(String, String, String)) -> ObjectUri {
        let values = [name.clone(), format!("{major}.{minor}"), major.clone(), minor.clone()];
        let fill = |key: String, (open, value): (&&str, &String)| key.replace(open, value);
        ObjectUri::new(&self.bucket, PLACEHOLDERS.iter().zip(&values).fold(self.key.clone(), fill))
    }
}

/// A component's template file as a bundle. Its manifest was given when it was created and is in no answer of the API,
/// so it is concluded from the file, of which a component has exactly one.
///
/// # Errors
/// What is wrong with the file.
pub(super) fn component_bundle(template_file: &str) -> Result<Vec<u8>, Problems> {
    let (file, engine, language) = match Kind::of(template_file) {
        Kind::CloudFormation => ("cloudformation.yaml", "jinja", "cloudformation"),
        Kind::TerraformJson => ("component.tf.json", "hcl", "terraform"),
        Kind::Terraform => ("component.tf", "hcl", "terraform"),
    };
    let manifest = format!(
        "infrastructure:\n  templates:\n    - file: \"{file}\"\n      rendering_engine: {engine}\n      \
         template_language: {language}\n"
    );
    pack_component(&manifest, template_file)
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Terraform,
    TerraformJson,
    CloudFormation,
}

impl Kind {
    fn of(text: &str) -> Self {
        let sections = ["AWSTemplateFormatVersion", "Resources"];
        if text.trim_start().starts_with('{') {
            // With Jinja in it, a template may be no JSON yet.
            let stack = match serde_json::from_str::<Value>(text) {
                Ok(document) => sections.iter().any(|section| document.get(section).is_some()),
                Err(_) => sections.iter().any(|section| text.contains(&format!("\"{section}\""))),
            };
            return if stack { Self::CloudFormation } else { Self::TerraformJson };
        }
        let begins = |line: &str, section: &str| {
            let line = line.trim_start_matches(['"', '\'']);
            let rest = line.strip_prefix(section).map(|rest| rest.trim_start_matches(['"', '\'']).trim_start());
            rest.is_some_and(|rest| rest.starts_with(':'))
        };
        let stack = text.lines().any(|line| sections.iter().any(|section| begins(line, section)));
        // Terraform may hold such a text as a string of many lines.
        if stack && hcl::parse(text).is_err() { Self::CloudFormation } else { Self::Terraform }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_of_each_template_has_its_address() {
        let of = |text: &str| {
            let location: BundleLocation = text.parse().unwrap();
            assert_eq!(location.to_string(), text);
            location.of(&("web".into(), "1".into(), "12".into())).to_string()
        };
        assert_eq!(of("s3://b/{template}/{version}.tar.gz"), "s3://b/web/1.12.tar.gz");
        assert_eq!(of("s3://b/t/v{major}/{template}-{minor}.zip"), "s3://b/t/v1/web-12.zip");
    }

    #[test]
    fn a_location_that_bundles_would_share_is_refused() {
        for (text, word) in [
            ("/bundles/{template}/{version}", "no object's address"),
            ("s3://{template}/{version}", "the bucket"),
            ("s3://b/{template}/{vesion}", "{template}, {version}, {major}, {minor}"),
            ("s3://b/{template}.zip", "share"),
            ("s3://b/{version}.zip", "share"),
        ] {
            let error = text.parse::<BundleLocation>().unwrap_err().to_string();
            assert!(error.contains(word) && error.contains("s3://BUCKET/{template}/{version}.tar.gz"), "{error}");
        }
    }

    #[test]
    fn a_components_language_is_read_from_its_file() {
        let heredoc = "resource \"x\" \"y\" {\n  body = <<EOT\nResources:\n  A: {}\nEOT\n}\n";
        for (text, kind) in [
            ("output \"a\" {\n  value = 1\n}\n", Kind::Terraform),
            (heredoc, Kind::Terraform),
            ("{\"output\": {\"a\": {\"value\": \"Resources\"}}}", Kind::TerraformJson),
            ("AWSTemplateFormatVersion: '2010-09-09'\nResources: {}\n", Kind::CloudFormation),
            ("# a queue\n\"Resources\" :\n  Queue:\n    Type: AWS::SQS::Queue\n", Kind::CloudFormation),
            ("{\"Resources\": {}}", Kind::CloudFormation),
            ("{\"Resources\": {{% if environment.name %}{% endif %}}}", Kind::CloudFormation),
        ] {
            assert_eq!(Kind::of(text), kind, "{text}");
        }
        assert!(component_bundle("output \"a\" {\n  value = 1\n}\n").is_ok());
        assert!(component_bundle("Resources:\n  Queue:\n    Type: AWS::SQS::Queue\n").is_ok());
        assert!(component_bundle("{\"output\": {\"a\": {\"value\": 1}}}").is_ok());
    }
}
