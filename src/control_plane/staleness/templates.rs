//! What templates have published.

use std::collections::HashMap;

use hadron_model::hadron::Staleness;

use crate::control_plane::records::{Template, TemplateKind, TemplateVersion, Version, VersionRef};
use crate::control_plane::store::{StoreError, Transaction, Typed};
use crate::domain::Scope;

/// The published versions of every template, looked up once each.
#[derive(Debug, Default)]
pub(super) struct Templates(HashMap<(TemplateKind, String), Published>);

/// What a template recommends, and everything that it has published, the lowest version first.
#[derive(Debug, Default)]
struct Published {
    recommended: Option<Version>,
    versions: Vec<(Version, i64)>,
}

/// How a resource stands to its template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) staleness: Staleness,
    pub(super) recommended: Option<Version>,
    /// Published versions between it and the recommended one, that one included.
    pub(super) behind: i64,
    /// When the first of those was published, in milliseconds since the epoch.
    pub(super) since: Option<i64>,
}

impl Templates {
    /// How what lies on a version stands.
    pub(super) fn standing(
        &mut self,
        tx: &mut dyn Transaction,
        scope: &Scope,
        kind: TemplateKind,
        used: &VersionRef,
    ) -> Result<Standing, StoreError> {
        let key = (kind, used.template.clone());
        if !self.0.contains_key(&key) {
            let published = published(tx, scope, kind, &used.template)?;
            self.0.insert(key.clone(), published);
        }
        Ok(self.0[&key].standing(used.version))
    }
}

impl Published {
    fn standing(&self, used: Version) -> Standing {
        let recommended = self.recommended;
        let ahead = self.versions.iter().filter(|(version, _)| used < *version && Some(*version) <= recommended);
        let (behind, since) = ahead.fold((0, None), |(count, since): (i64, Option<i64>), (_, at)| {
            (count + 1, Some(since.map_or(*at, |since| since.min(*at))))
        });
        Standing { staleness: used.staleness(recommended), recommended, behind, since }
    }
}

fn published(tx: &mut dyn Transaction, scope: &Scope, kind: TemplateKind, name: &str) -> Result<Published, StoreError> {
    let key = Template::key_of(kind, name);
    let recommended = tx.get::<Template>(scope, &key)?.and_then(|template| template.recommended);
    let versions = tx.by_term::<TemplateVersion>(scope, "published", &key)?;
    let versions =
        versions.iter().map(|it| (it.value.version, it.published_at.unwrap_or(it.last_modified_at))).collect();
    Ok(Published { recommended, versions })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_is_what_was_published_up_to_the_recommended_version() {
        let version = |major, minor| Version { major, minor };
        let versions = vec![(version(1, 0), 10), (version(1, 1), 40), (version(1, 2), 20), (version(2, 0), 50)];
        let published = Published { recommended: Some(version(1, 2)), versions };
        let standing = published.standing(version(1, 0));
        // 1.2 came before 1.1 did: since then it is behind.
        assert_eq!((standing.behind, standing.since), (2, Some(20)));
        assert_eq!(standing.staleness, Staleness::BehindMinor);
        let standing = published.standing(version(1, 2));
        assert_eq!((standing.behind, standing.since, standing.staleness), (0, None, Staleness::UpToDate));
        // A draft of a later version was deployed for a try.
        assert_eq!(published.standing(version(3, 0)).staleness, Staleness::UpToDate);
    }
}
