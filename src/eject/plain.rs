//! A rendered directory as its team would have written it by hand.

use crate::domain::{Files, Target};
use crate::renderer;

/// Proton's note of a deployment, which means nothing without Proton.
const METADATA: &str = ".proton/deployment-metadata.json";

/// Terraform merges it over any backend block of the author's own, also where there is none.
///
/// <https://developer.hashicorp.com/terraform/language/files/override>
const BACKEND: &str = "backend_override.tf";

/// Where a root's state lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatePlace {
    /// A bucket.
    S3 {
        /// Its name.
        bucket: String,
        /// The key within it.
        key: String,
        /// Its region.
        region: String,
        /// Another S3 than Amazon's.
        endpoint: Option<String>,
        /// The role that reads and writes it, if it isn't whoever runs Terraform.
        role: Option<String>,
    },
    /// `terraform.tfstate` beside the code.
    Beside,
}

/// The folder of a target's root. Each kind has one of its own, so that no two names meet.
pub fn folder(target: &Target) -> String {
    match target {
        Target::Environment { name } => format!("environments/{name}"),
        Target::ServiceInstance { service, name } => format!("services/{service}/instances/{name}"),
        Target::ServicePipeline { service } => format!("services/{service}/pipeline"),
        Target::Component { name } => format!("components/{name}"),
    }
}

/// Takes out of rendered files what only says that somebody else writes them.
pub fn plain(files: Files, arn: &str) -> Files {
    let comments = renderer::comments(arn);
    let unsigned = |bytes: Vec<u8>| match String::from_utf8(bytes) {
        Ok(text) => comments.iter().fold(text, |text, comment| text.replace(comment, "")).into_bytes(),
        Err(error) => error.into_bytes(),
    };
    let kept = files.into_iter().filter(|(path, _)| path != METADATA);
    kept.map(|(path, bytes)| {
        let bytes = if path.strip_suffix(".tf").is_some() { unsigned(bytes) } else { bytes };
        (path, bytes)
    })
    .collect()
}

/// The file that says where the state lies; none where Terraform's own default is meant and the author says nothing else.
pub fn backend(place: &StatePlace) -> (String, Vec<u8>) {
    let block = match place {
        StatePlace::S3 { bucket, key, region, endpoint, role } => {
            let block = s3(bucket, key, region, endpoint.as_deref());
            let assumed =
                |role: &String| hcl::Attribute::new("assume_role", hcl::expression!({ "role_arn" = (role.as_str()) }));
            hcl::Block {
                body: block.body.into_iter().chain(role.as_ref().map(assumed).map(Into::into)).collect(),
                ..block
            }
        }
        StatePlace::Beside => hcl::Block::builder("backend").add_label("local").build(),
    };
    let terraform = hcl::Block::builder("terraform").add_block(block).build();
    let text = hcl::to_string(&hcl::Body::builder().add_block(terraform).build()).expect("a body can be written");
    (BACKEND.to_owned(), text.into_bytes())
}

fn s3(bucket: &str, key: &str, region: &str, endpoint: Option<&str>) -> hcl::Block {
    let block = hcl::Block::builder("backend").add_label("s3");
    let block = block.add_attribute(("bucket", bucket)).add_attribute(("key", key)).add_attribute(("region", region));
    let block = block.add_attribute(("use_lockfile", true));
    let Some(endpoint) = endpoint else { return block.build() };
    // Checks that only Amazon can answer.
    let checks = [
        "use_path_style",
        "skip_credentials_validation",
        "skip_requesting_account_id",
        "skip_region_validation",
        "skip_metadata_api_check",
    ];
    let block = checks.into_iter().fold(block, |block, check| block.add_attribute((check, true)));
    block.add_attribute(("endpoints", hcl::expression!({ "s3" = (endpoint) }))).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_is_plain_hcl() {
        let place = StatePlace::S3 {
            bucket: "tfstate".into(),
            key: "environments/dev/terraform.tfstate".into(),
            region: "us-east-1".into(),
            endpoint: None,
            role: None,
        };
        let (name, text) = backend(&place);
        assert_eq!(name, "backend_override.tf");
        insta::assert_snapshot!(String::from_utf8(text).unwrap(), @r#"
        terraform {
          backend "s3" {
            bucket = "tfstate"
            key = "environments/dev/terraform.tfstate"
            region = "us-east-1"
            use_lockfile = true
          }
        }
        "#);
        let (_, text) = backend(&StatePlace::Beside);
        assert!(String::from_utf8(text).unwrap().contains("backend \"local\" {"));
    }

    #[test]
    fn our_words_are_taken_out_and_the_authors_stay() {
        let arn = "arn:aws:proton:us-east-1:123456789012:environment/dev";
        let words = renderer::comments(arn);
        let files = Files::from([
            ("main.tf".to_owned(), format!("# mine\n{}", words[0]).into_bytes()),
            ("proton.environment.variables.tf".to_owned(), format!("{}variable \"x\" {{}}\n", words[1]).into_bytes()),
            (METADATA.to_owned(), b"{}".to_vec()),
        ]);
        let plain = plain(files, arn);
        let text = |name: &str| String::from_utf8(plain[name].clone()).unwrap();
        assert_eq!((plain.len(), text("main.tf")), (2, "# mine\n".to_owned()));
        assert_eq!(text("proton.environment.variables.tf"), "variable \"x\" {}\n");
    }
}
