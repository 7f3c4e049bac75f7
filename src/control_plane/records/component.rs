//! Directly defined components.

use serde::{Deserialize, Serialize};

use super::Progress;
use crate::control_plane::store::{Document, Term};

/// A component: one Terraform or CloudFormation file of a developer's, in an environment, perhaps at an instance.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "Proton's own names")]
pub struct Component {
    pub name: String,
    pub environment: String,
    /// The service and instance it is attached to.
    pub attached_to: Option<(String, String)>,
    pub created_at: i64,
    pub last_modified_at: i64,
    pub description: Option<String>,
    pub manifest: String,
    pub template_file: String,
    pub service_spec: Option<String>,
    pub progress: Progress,
    pub last_client_request_token: Option<String>,
}

impl Document for Component {
    const KIND: &'static str = "component";

    fn key(&self) -> String {
        self.name.clone()
    }

    fn terms(&self) -> Vec<Term> {
        let mut terms = vec![Term::new("environment", &self.environment)];
        if let Some((service, instance)) = &self.attached_to {
            terms.push(Term::new("service", service));
            terms.push(Term::new("instance", format!("{service}/{instance}")));
        }
        terms
    }
}
