//! CreateEnvironmentTemplate and CreateServiceTemplate.

use hadron_model::Tag;

use super::{DRAFT, detail, noun};
use crate::control_plane::operations::arn::arn_of_new;
use crate::control_plane::operations::{encryption_key, history, tags};
use crate::control_plane::plane::Plane;
use crate::control_plane::records::{Template, TemplateKind};
use crate::control_plane::store::{ALL, Document, StoreError, Transaction, Typed};
use crate::control_plane::wire::{Call, ProtonError};
use crate::domain::Scope;

/// How many templates of both kinds an account may have in a region.
///
/// <https://docs.aws.amazon.com/proton/latest/userguide/ag-limits.html>
const MOST: usize = 1000;

/// What a new template is asked to be.
#[derive(Debug, Clone)]
pub(crate) struct NewTemplate {
    pub(crate) kind: TemplateKind,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) display_name: Option<String>,
    pub(crate) encryption_key: Option<String>,
    pub(crate) customer_managed: bool,
    pub(crate) tags: Option<Vec<Tag>>,
}

/// Creates a template without versions.
pub(crate) async fn create(plane: &Plane, call: &Call, new: NewTemplate) -> Result<Template, ProtonError> {
    encryption_key::accept(plane, new.encryption_key.as_deref())?;
    let (scope, now) = (call.scope.clone(), call.now);
    plane
        .store
        .write(move |tx| {
            let template = new.template(now);
            let arn = arn_of_new(&scope, template.key())?;
            if tx.get::<Template>(&scope, &template.key())?.is_some() {
                let what = noun(new.kind);
                return Err(ProtonError::conflict(format!("{what} {} already exists", new.name)));
            }
            if count(tx, &scope)? >= MOST {
                return Err(ProtonError::quota(format!("An account can have at most {MOST} templates in a region")));
            }
            tx.add(&scope, &template)?;
            let managed = [("aws:proton:account", scope.account.as_str())];
            tags::create_tags(tx, &scope, &arn, new.tags.as_deref(), &managed)?;
            history::append(tx, &scope, &arn, None, DRAFT, &detail(&template.name), now)?;
            Ok(template)
        })
        .await
}

impl NewTemplate {
    fn template(&self, now: i64) -> Template {
        Template {
            kind: self.kind,
            name: self.name.clone(),
            created_at: now,
            last_modified_at: now,
            description: self.description.clone(),
            display_name: self.display_name.clone().or_else(|| Some(self.name.clone())),
            encryption_key: self.encryption_key.clone(),
            customer_managed: self.customer_managed,
            recommended: None,
        }
    }
}

fn count(tx: &mut dyn Transaction, scope: &Scope) -> Result<usize, StoreError> {
    tx.count(scope, Template::KIND, (ALL, ""), MOST)
}
