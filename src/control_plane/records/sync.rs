//! What is to be synced from Git, and what stands in its way.

use hadron_model::BlockerStatus;
use serde::{Deserialize, Serialize};

use super::{RepositoryRef, Template, TemplateKind};
use crate::control_plane::store::{Document, Term};

/// Where a template's versions come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Proton's own names")]
pub struct TemplateSyncConfig {
    pub kind: TemplateKind,
    pub template: String,
    pub repository: RepositoryRef,
    pub branch: String,
    pub subdirectory: Option<String>,
}

/// Where the specs of a service's instances come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Proton's own names")]
pub struct ServiceSyncConfig {
    pub service: String,
    pub repository: RepositoryRef,
    pub branch: String,
    /// The Proton Ops file.
    pub file_path: String,
}

/// The term that lists the configurations of a repository.
pub const OF_REPOSITORY: &str = "repository";

impl Document for TemplateSyncConfig {
    const KIND: &'static str = "template_sync_config";

    fn key(&self) -> String {
        Template::key_of(self.kind, &self.template)
    }

    fn terms(&self) -> Vec<Term> {
        vec![Term::new(OF_REPOSITORY, self.repository.to_string())]
    }
}

impl Document for ServiceSyncConfig {
    const KIND: &'static str = "service_sync_config";

    fn key(&self) -> String {
        self.service.clone()
    }

    fn terms(&self) -> Vec<Term> {
        vec![Term::new(OF_REPOSITORY, self.repository.to_string())]
    }
}

/// What keeps a service, or one of its instances, from being synced: someone changed it by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Proton's own names")]
pub struct SyncBlocker {
    pub id: String,
    pub service: String,
    /// None where the whole service is blocked.
    pub instance: Option<String>,
    pub status: BlockerStatus,
    pub created_at: i64,
    pub created_reason: String,
    /// Key and value of each context.
    pub contexts: Vec<(String, String)>,
    pub resolved_at: Option<i64>,
    pub resolved_reason: Option<String>,
}

impl SyncBlocker {
    /// The term that lists what blocks a service or an instance, oldest first; see [`Self::subject`].
    pub const OF_SUBJECT: &'static str = "subject";

    /// The term that lists what blocks a service or any of its instances.
    pub const OF_SERVICE: &'static str = "service";

    /// The value of [`Self::OF_SUBJECT`].
    pub fn subject(service: &str, instance: Option<&str>) -> String {
        instance.map_or_else(|| service.to_owned(), |instance| format!("{service}/{instance}"))
    }
}

impl Document for SyncBlocker {
    const KIND: &'static str = "sync_blocker";

    fn key(&self) -> String {
        self.id.clone()
    }

    fn terms(&self) -> Vec<Term> {
        let subject = Self::subject(&self.service, self.instance.as_deref());
        let order = format!("{:020}", self.created_at);
        vec![Term::new(Self::OF_SUBJECT, subject).sorted_by(order), Term::new(Self::OF_SERVICE, &self.service)]
    }
}
