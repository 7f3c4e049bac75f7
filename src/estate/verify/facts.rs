//! What a resource was told of others, against what is known of them now.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::Difference;
use super::entry::{Entry, Known};
use crate::domain::Target;
use crate::estate::age::Age;
use crate::estate::model::Resource;
use crate::estate::read::VALUES;

/// What has changed since.
pub(super) fn differences(resource: &Resource, entry: &Entry<'_>, known: &Known<'_>) -> Vec<Difference> {
    let facts = Facts { resource, known };
    let values = &resource.values;
    let mut changed = BTreeSet::new();
    match entry {
        Entry::Environment(_) => {}
        Entry::Instance(..) => {
            changed.extend(facts.environment(&values["environment"]));
            changed.extend(facts.component(&values["service_instance"]["components"]["default"]));
        }
        Entry::Component(_) => changed.extend(facts.environment(&values["environment"])),
        Entry::Pipeline(service, _) => {
            let items = values["service_instances"].as_array().map_or(&[][..], Vec::as_slice);
            for item in items {
                changed.extend(facts.instance(&service.name, item));
                changed.extend(facts.environment(&item["environment"]));
            }
            let named: BTreeSet<&str> = items.iter().filter_map(|item| item["name"].as_str()).collect();
            let newer = service.instances.iter().filter(|it| !named.contains(it.name.as_str()));
            changed.extend(newer.map(|it| format!("instance {} has come", it.name)));
        }
    }
    changed.into_iter().map(|text| Difference::of(VALUES, Some(Age::EarlierFacts), text)).collect()
}

struct Facts<'a> {
    resource: &'a Resource,
    known: &'a Known<'a>,
}

impl Facts<'_> {
    fn now(&self, target: &Target) -> Option<Entry<'_>> {
        self.known.target(&self.resource.scope, target)
    }

    fn environment(&self, then: &Value) -> Vec<String> {
        let name = then["name"].as_str().unwrap_or_default();
        let Some(Entry::Environment(now)) = self.now(&Target::Environment { name: name.to_owned() }) else {
            return Vec::new();
        };
        let outputs = others(&then["outputs"], now.outputs.as_ref());
        let mut changed = outputs.then(|| format!("the outputs of environment {name} have changed")).into_iter();
        let account = now.account_id.as_deref().zip(then["account_id"].as_str()).is_some_and(|(now, then)| now != then);
        changed.by_ref().chain(account.then(|| format!("the account of environment {name} has changed"))).collect()
    }

    fn component(&self, then: &Value) -> Option<String> {
        let name = then["name"].as_str()?;
        let now = self.now(&Target::Component { name: name.to_owned() });
        let Some(Entry::Component(now)) = now else { return Some(format!("component {name} has gone")) };
        others(&then["outputs"], now.outputs.as_ref()).then(|| format!("the outputs of component {name} have changed"))
    }

    fn instance(&self, service: &str, then: &Value) -> Vec<String> {
        let name = then["name"].as_str().unwrap_or_default();
        let target = Target::ServiceInstance { service: service.to_owned(), name: name.to_owned() };
        let Some(Entry::Instance(_, now)) = self.now(&target) else {
            return vec![format!("instance {name} has gone, or was not found")];
        };
        let outputs = others(&then["outputs"], now.outputs.as_ref());
        let inputs = then["inputs"].as_object().is_some_and(|then| *then != now.inputs);
        let outputs = outputs.then(|| format!("the outputs of instance {name} have changed"));
        outputs.into_iter().chain(inputs.then(|| format!("the inputs of instance {name} have changed"))).collect()
    }
}

/// Whether outputs that were told are known to be others now.
fn others(then: &Value, now: Option<&Map<String, Value>>) -> bool {
    let (Some(then), Some(now)) = (then.as_object(), now) else { return false };
    then != now
}
