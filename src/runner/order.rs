//! In which order several directories are worked through: what others rest on comes first, and is destroyed last.

use super::Directory;
use crate::domain::Target;

/// Orders them: environments, the components in them, service instances (which read their component's outputs), service
/// pipelines. What is to be destroyed comes after all that is applied, the other way round.
pub fn in_order(mut directories: Vec<Directory>) -> Vec<Directory> {
    let place = |directory: &Directory| {
        let rank = rank(directory);
        (directory.deleted, if directory.deleted { -rank } else { rank })
    };
    directories.sort_by(|a, b| place(a).cmp(&place(b)).then_with(|| a.path.cmp(&b.path)));
    directories.dedup_by(|a, b| a.folder == b.folder);
    directories
}

fn rank(directory: &Directory) -> i8 {
    match directory.target {
        Target::Environment { .. } => 0,
        Target::Component { .. } => 1,
        Target::ServiceInstance { .. } => 2,
        Target::ServicePipeline { .. } => 3,
    }
}

/// Whether `one` can't be begun when `earlier` didn't end well.
pub(super) fn rests_on(one: &Directory, earlier: &Directory) -> bool {
    if one.scope != earlier.scope {
        return false;
    }
    match (one.deleted, earlier.deleted) {
        (false, false) => is_base(earlier, one),
        // A base goes only when all that stood on it is gone, or was updated to do without.
        (true, _) => is_base(one, earlier),
        (false, true) => false,
    }
}

fn is_base(base: &Directory, other: &Directory) -> bool {
    match (&base.target, &other.target) {
        (Target::Environment { name }, Target::ServiceInstance { .. } | Target::Component { .. }) => {
            other.environment.as_ref() == Some(name)
        }
        (Target::Component { .. }, instance @ Target::ServiceInstance { .. }) => {
            base.attached_to.as_ref() == Some(instance)
        }
        (Target::ServiceInstance { service, .. }, Target::ServicePipeline { service: of }) => service == of,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::directory::tests::resource;
    use super::*;

    fn all(deleted: bool) -> [Directory; 4] {
        let mut component = resource("dev/components/q", "component/q", Some("dev"), deleted);
        component.attached_to = Some(Target::ServiceInstance { service: "s".into(), name: "i".into() });
        [
            resource("s/pipeline", "service/s/pipeline", None, deleted),
            resource("dev/s-i", "service/s/service-instance/i", Some("dev"), deleted),
            component,
            resource("dev", "environment/dev", None, deleted),
        ]
    }

    fn paths(directories: &[Directory]) -> Vec<&str> {
        directories.iter().map(|directory| directory.path.as_str()).collect()
    }

    #[test]
    fn bases_come_first_and_are_destroyed_last() {
        let order = ["dev", "dev/components/q", "dev/s-i", "s/pipeline"];
        assert_eq!(paths(&in_order(all(false).to_vec())), order);
        let reverse: Vec<_> = order.into_iter().rev().collect();
        assert_eq!(paths(&in_order(all(true).to_vec())), reverse);
    }

    #[test]
    fn what_is_destroyed_comes_after_what_is_applied_and_nothing_comes_twice() {
        let given_up = resource("dev/components/old", "component/old", Some("dev"), true);
        let instance = all(false)[1].clone();
        let order = in_order(vec![given_up, instance.clone(), instance]);
        assert_eq!(paths(&order), ["dev/s-i", "dev/components/old"]);
    }

    #[test]
    fn a_failure_stops_what_rests_on_it_and_nothing_else() {
        let [pipeline, instance, component, environment] = all(false);
        let other = resource("prod", "environment/prod", None, false);
        assert!(rests_on(&instance, &environment) && rests_on(&component, &environment));
        assert!(rests_on(&instance, &component) && rests_on(&pipeline, &instance));
        assert!(!rests_on(&pipeline, &environment) && !rests_on(&instance, &other) && !rests_on(&other, &instance));
        let [_, gone, _, base] = all(true);
        assert!(rests_on(&base, &gone) && !rests_on(&gone, &base));
    }
}
