//! As much of a state as is needed to hold it against a run's journal: whose it is, how new, and which objects it knows.
//!
//! Version 4 of the format, which every Terraform since 0.12 and every OpenTofu writes. Attributes other than `id` are
//! neither read nor kept, since among them are secrets.

use serde::Deserialize;
use serde_json::Value;

use super::TerraformError;

/// A state, in short.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// Which history it belongs to.
    pub lineage: String,
    /// How far that history has come.
    pub serial: u64,
    /// Every managed object, deposed ones too.
    pub objects: Vec<StateObject>,
}

/// An object that a state knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateObject {
    /// The address of its instance, such as `module.net["a b"].aws_subnet.public[0]`.
    pub address: String,
    /// Its type, such as `aws_subnet`.
    pub kind: String,
    /// The provider's identifier of it.
    pub id: Option<String>,
    /// Whether a newer object has taken its address, and it only waits to be destroyed.
    pub deposed: bool,
}

impl State {
    /// Reads a state file. What `state pull` prints where there is no state yet is `None`: nothing at all, or, by some
    /// backends, a state without a lineage that holds nothing. Terraform gives each state that it writes a lineage.
    ///
    /// # Errors
    /// [`TerraformError::State`] when it is something else.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, TerraformError> {
        if bytes.trim_ascii().is_empty() {
            return Ok(None);
        }
        let file: StateFile = serde_json::from_slice(bytes).map_err(TerraformError::State)?;
        if file.lineage.is_empty() && file.resources.is_empty() {
            return Ok(None);
        }
        let objects = file.resources.into_iter().filter(|resource| resource.mode == "managed");
        let objects = objects.flat_map(WireResource::objects).collect();
        Ok(Some(Self { lineage: file.lineage, serial: file.serial, objects }))
    }

    /// The object that an address stands for now.
    pub fn current(&self, address: &str) -> Option<&StateObject> {
        self.objects.iter().find(|object| !object.deposed && object.address == address)
    }

    /// Whether an object of this type and id is known at any address, deposed or not.
    pub fn knows(&self, kind: &str, id: &str) -> bool {
        self.objects.iter().any(|object| object.kind == kind && object.id.as_deref() == Some(id))
    }
}

#[derive(Deserialize)]
struct StateFile {
    lineage: String,
    serial: u64,
    #[serde(default)]
    resources: Vec<WireResource>,
}

#[derive(Deserialize)]
struct WireResource {
    mode: String,
    #[serde(default)]
    module: Option<String>,
    #[serde(rename = "type")]
    kind: String,
    name: String,
    #[serde(default)]
    instances: Vec<WireInstance>,
}

#[derive(Deserialize)]
struct WireInstance {
    #[serde(default)]
    index_key: Value,
    #[serde(default)]
    deposed: Option<String>,
    #[serde(default)]
    attributes: WireAttributes,
}

#[derive(Default, Deserialize)]
struct WireAttributes {
    #[serde(default)]
    id: Value,
}

impl WireResource {
    fn objects(self) -> impl Iterator<Item = StateObject> {
        let Self { module, kind, name, instances, .. } = self;
        let module = module.map_or_else(String::new, |module| format!("{module}."));
        instances.into_iter().map(move |instance| StateObject {
            // Keys are shown as JSON shows them, which is how Terraform writes them too.
            address: match &instance.index_key {
                Value::Null => format!("{module}{kind}.{name}"),
                key => format!("{module}{kind}.{name}[{key}]"),
            },
            kind: kind.clone(),
            id: match instance.attributes.id {
                Value::String(id) if !id.is_empty() => Some(id),
                Value::Number(id) => Some(id.to_string()),
                _ => None,
            },
            deposed: instance.deposed.is_some_and(|key| !key.is_empty()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPLACED: &[u8] = include_bytes!("../../tests/fixtures/terraform/1.11/replaced.tfstate");

    #[test]
    fn every_managed_object_is_found_by_the_address_that_terraform_gives_it() {
        let state = State::parse(REPLACED).unwrap().unwrap();
        assert_eq!(state.lineage, "8f1cfa4e-1c1f-7be6-9a4c-4f1f5a0b6a34");
        let found: Vec<_> = state.objects.iter().map(|object| (object.address.as_str(), object.deposed)).collect();
        assert_eq!(
            found,
            [
                ("aws_sqs_queue.a", false),
                ("aws_sqs_queue.a", true),
                ("aws_sqs_queue.n[0]", false),
                ("aws_sqs_queue.n[0]", true),
                ("aws_sqs_queue.n[1]", false),
                ("aws_sqs_queue.n[1]", true),
                (r#"module.m["x"].aws_iam_role.r"#, false),
                (r#"module.m["y z"].aws_iam_role.r"#, false),
            ]
        );
        assert!(state.current("aws_sqs_queue.a").unwrap().id.as_ref().unwrap().contains("/b-"));
        assert!(state.knows("aws_iam_role", "r-20261123041308537800000007") && !state.knows("aws_sqs_queue", "r-2"));
    }

    #[test]
    fn no_state_yet_is_none_and_what_is_no_state_is_an_error() {
        assert_eq!(State::parse(b"\n").unwrap(), None);
        let of_bucket =
            br#"{"version": 4, "serial": 0, "lineage": "", "outputs": {}, "resources": [], "check_results": null}"#;
        assert_eq!(State::parse(of_bucket).unwrap(), None);
        assert!(matches!(State::parse(b"{\"serial\": 1}"), Err(TerraformError::State(_))));
    }
}
