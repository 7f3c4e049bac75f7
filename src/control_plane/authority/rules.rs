//! Policies, ready to decide.
//!
//! Most of what is asked is decided by role and action alone, and those answers are worked out beforehand: an operation
//! is looked up in the record only if a policy that applies has a condition, or names a principal or a resource.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use cedar_policy::{
    ActionConstraint, Authorizer, Context, Decision, Effect, Entities, Entity, EntityId, EntityTypeName, EntityUid,
    Policy, PolicySet, PrincipalConstraint, Request, ResourceConstraint, RestrictedExpression,
};
use hadron_model::Action;
use hadron_model::hadron::Role;

use super::facts::Resource;
use super::objects::{ObjectAction, ObjectResource};
use super::resources::Kind;
use super::schema::SCHEMA;

/// Something that can be permitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Asked {
    /// An operation of either API.
    Operation(Action),
    /// An action on objects.
    Object(ObjectAction),
}

impl Asked {
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let objects = ObjectAction::ALL.into_iter().map(Self::Object);
        Action::all().map(Self::Operation).chain(objects)
    }

    pub(super) fn uid(self) -> EntityUid {
        match self {
            Self::Operation(Action::Proton(operation)) => uid("Proton::Action", operation.name()),
            Self::Operation(Action::Hadron(operation)) => uid("Hadron::Action", operation.name()),
            Self::Object(action) => uid("S3::Action", action.name()),
        }
    }

    /// As IAM writes it: `proton:CreateService`.
    pub(super) fn iam(self) -> String {
        match self {
            Self::Operation(action) => format!("{}:{}", action.service(), action.name()),
            Self::Object(action) => format!("s3:{}", action.name()),
        }
    }
}

/// Why something isn't permitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No policy permits it.
    Unpermitted,
    /// This one forbids it.
    Forbidden(String),
}

/// What can be said without a look at the resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Beforehand {
    Decided(Result<(), Refusal>),
    DependsOnResource,
}

/// Whoever asks, as policies see it.
#[derive(Debug, Clone)]
pub(super) struct Principal<'p> {
    pub(super) id: &'p str,
    pub(super) arn: &'p str,
    pub(super) account: &'p str,
    pub(super) role: Role,
    pub(super) groups: &'p [String],
    pub(super) environments: &'p [String],
}

/// What surrounds a request, as policies see it.
#[derive(Debug, Clone, Default)]
pub(super) struct Surroundings {
    pub(super) region: String,
    pub(super) source_ip: Option<std::net::IpAddr>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) tag_keys: Vec<String>,
    pub(super) environment_template: Option<String>,
    pub(super) service_template: Option<String>,
    pub(super) role: Option<String>,
}

/// Something to decide on.
pub(super) enum What<'w> {
    Resource(&'w Resource),
    Object(&'w ObjectResource),
}

/// A validated set of policies.
#[derive(Debug)]
pub(super) struct Rules {
    /// What may apply to a role's action: far fewer than there are.
    applying: HashMap<(Role, Asked), Arc<PolicySet>>,
    actions: HashMap<Asked, Entity>,
    beforehand: HashMap<(Role, Asked), Beforehand>,
    types: Types,
    /// Whether a site has added policies of its own.
    pub(super) has_site: bool,
}

/// Names that every request needs, parsed once.
#[derive(Debug)]
struct Types {
    kinds: HashMap<Kind, EntityTypeName>,
    key: EntityTypeName,
    role: EntityTypeName,
    bucket: EntityTypeName,
    object: EntityTypeName,
    request_tags: EntityUid,
}

impl Rules {
    /// Takes policies that have been validated.
    pub(super) fn of(set: &PolicySet, has_site: bool) -> Self {
        let known = SCHEMA.action_entities().expect("a test reads the schema's actions");
        let entity = |asked: Asked| Some((asked, known.get(&asked.uid())?.clone()));
        let actions: HashMap<Asked, Entity> = Asked::all().filter_map(entity).collect();
        let (mut beforehand, mut applying) = (HashMap::new(), HashMap::new());
        let mut sets: HashMap<Vec<String>, Arc<PolicySet>> = HashMap::new();
        for role in Role::ALL {
            for (asked, action) in &actions {
                let policies = applying_to(set, &known, *role, &action.uid());
                beforehand.insert((*role, *asked), decide_beforehand(&policies));
                let names = policies.iter().map(|policy| policy.id().to_string()).collect();
                let of_these = || {
                    let these = policies.iter().map(|policy| (*policy).clone());
                    Arc::new(PolicySet::from_policies(these).expect("their names differ"))
                };
                let few = sets.entry(names).or_insert_with(of_these);
                applying.insert((*role, *asked), Arc::clone(few));
            }
        }
        Self { applying, actions, beforehand, types: Types::new(), has_site }
    }

    pub(super) fn beforehand(&self, role: Role, asked: Asked) -> &Beforehand {
        self.beforehand.get(&(role, asked)).unwrap_or(&Beforehand::DependsOnResource)
    }

    /// Decides with everything that is known.
    pub(super) fn decide(
        &self,
        principal: &Principal<'_>,
        asked: Asked,
        what: &What<'_>,
        around: &Surroundings,
    ) -> Result<(), Refusal> {
        match self.answer(principal, asked, what, around) {
            Ok(answer) if answer.decision() == Decision::Allow => {
                // A policy that can't be evaluated is skipped; a forbidding one must not be.
                match answer.diagnostics().errors().next() {
                    None => Ok(()),
                    Some(error) => Err(self.broken(&error.to_string())),
                }
            }
            Ok(answer) => Err(match answer.diagnostics().reason().next() {
                Some(id) => Refusal::Forbidden(id.to_string()),
                None => Refusal::Unpermitted,
            }),
            Err(error) => Err(self.broken(&error)),
        }
    }

    #[expect(clippy::unused_self, reason = "reads as what it is about")]
    fn broken(&self, error: &str) -> Refusal {
        tracing::error!(error, "a policy can't be evaluated, so the request is refused");
        Refusal::Unpermitted
    }

    fn answer(
        &self,
        principal: &Principal<'_>,
        asked: Asked,
        what: &What<'_>,
        around: &Surroundings,
    ) -> Result<cedar_policy::Response, String> {
        let action = self.actions.get(&asked).ok_or("the schema doesn't know the action")?;
        let who = self.types.principal(principal)?;
        let mut entities = vec![action.clone(), self.types.tags(around)?];
        let resource = match what {
            What::Resource(resource) => self.types.resource(resource, &mut entities)?,
            What::Object(object) => self.types.object(object)?,
        };
        let context = self.types.context(around)?;
        let request =
            Request::new(who.uid(), action.uid(), resource.uid(), context, None).map_err(|e| e.to_string())?;
        entities.extend([who, resource]);
        let entities = Entities::from_entities(entities, None).map_err(|error| error.to_string())?;
        let policies = self.applying.get(&(principal.role, asked)).ok_or("the action is unknown")?;
        Ok(Authorizer::new().is_authorized(&request, policies, &entities))
    }
}

impl Types {
    fn new() -> Self {
        Self {
            kinds: Kind::ALL.into_iter().map(|kind| (kind, type_name(kind.name()))).collect(),
            key: type_name("Hadron::Key"),
            role: type_name("Hadron::Role"),
            bucket: type_name("S3::Bucket"),
            object: type_name("S3::Object"),
            request_tags: uid("Hadron::Tags", "request"),
        }
    }

    fn principal(&self, principal: &Principal<'_>) -> Result<Entity, String> {
        let name = principal.arn.rsplit_once('/').map_or(principal.arn, |(_, name)| name);
        let role = principal.role.as_str();
        let attributes = [
            ("id", string(principal.id)),
            ("name", string(name)),
            ("arn", string(principal.arn)),
            ("account", string(principal.account)),
            ("role", string(role)),
            ("groups", strings(principal.groups)),
            ("environments", strings(principal.environments)),
        ];
        entity(named(&self.key, principal.id), attributes, [named(&self.role, role)], &BTreeMap::new())
    }

    /// The resource, with what it lies in beside it.
    fn resource(&self, resource: &Resource, entities: &mut Vec<Entity>) -> Result<Entity, String> {
        let kind = resource.kind();
        let mut attributes = vec![
            ("arn", string(&resource.arn)),
            ("name", string(&resource.name)),
            ("environments", strings(&resource.environments)),
        ];
        let optional = [
            ("owner", &resource.owner),
            ("service", &resource.service),
            ("template", &resource.template),
            ("claimedBy", &resource.claimed_by),
        ];
        attributes.extend(optional.into_iter().filter_map(|(name, value)| Some((name, string(value.as_ref()?)))));
        let mut parents = Vec::new();
        if !kind.parents().is_empty() {
            let prefix = resource.arn.splitn(6, ':').take(5).collect::<Vec<_>>().join(":");
            let environments = resource.environments.iter().map(|name| (Kind::Environment, "environment", name));
            let service = resource.service.iter().map(|name| (Kind::Service, "service", name));
            for (kind, folder, name) in environments.chain(service) {
                let parent = named(&self.kinds[&kind], &format!("{prefix}:{folder}/{name}"));
                entities.push(Entity::new_no_attrs(parent.clone(), [].into()));
                parents.push(parent);
            }
        }
        entity(named(&self.kinds[&kind], &resource.arn), attributes, parents, &resource.tags)
    }

    fn object(&self, object: &ObjectResource) -> Result<Entity, String> {
        let arn = object.arn();
        let mut attributes = vec![
            ("arn", string(&arn)),
            ("account", string(&object.account)),
            ("own", RestrictedExpression::new_bool(object.own)),
        ];
        let Some(key) = &object.key else {
            attributes.push(("name", string(&object.bucket)));
            return entity(named(&self.bucket, &arn), attributes, [], &BTreeMap::new());
        };
        attributes.extend([
            ("name", string(key)),
            ("key", string(key)),
            ("folder", string(object.folder())),
            ("claimed", RestrictedExpression::new_bool(object.claimed)),
        ]);
        let bucket = ObjectResource { bucket: object.bucket.clone(), ..ObjectResource::default() }.arn();
        entity(named(&self.object, &arn), attributes, [named(&self.bucket, &bucket)], &BTreeMap::new())
    }

    fn tags(&self, around: &Surroundings) -> Result<Entity, String> {
        entity(self.request_tags.clone(), [], [], &around.tags)
    }

    fn context(&self, around: &Surroundings) -> Result<Context, String> {
        let mut pairs = vec![
            ("aws:RequestedRegion", string(&around.region)),
            ("aws:RequestTag", RestrictedExpression::new_entity_uid(self.request_tags.clone())),
            ("aws:TagKeys", strings(&around.tag_keys)),
        ];
        if let Some(address) = around.source_ip {
            pairs.push(("aws:SourceIp", RestrictedExpression::new_ip(address.to_string())));
        }
        let optional = [
            ("proton:EnvironmentTemplate", &around.environment_template),
            ("proton:ServiceTemplate", &around.service_template),
            ("hadron:Role", &around.role),
        ];
        pairs.extend(optional.into_iter().filter_map(|(name, value)| Some((name, string(value.as_ref()?)))));
        let pairs = pairs.into_iter().map(|(name, value)| (name.to_owned(), value));
        Context::from_pairs(pairs).map_err(|error| error.to_string())
    }
}

/// The policies that may be about an action of this role's, in the order of their names.
fn applying_to<'s>(set: &'s PolicySet, actions: &Entities, role: Role, action: &EntityUid) -> Vec<&'s Policy> {
    let applies = |policy: &&Policy| may_be(policy, role) && is_about(policy, actions, action);
    let mut applying: Vec<&Policy> = set.policies().filter(applies).collect();
    applying.sort_by_key(|policy| policy.id().to_string());
    applying
}

/// Works out what role and action alone decide.
fn decide_beforehand(applying: &[&Policy]) -> Beforehand {
    if applying.iter().any(|policy| !is_plain(policy)) && applying.iter().any(|it| it.effect() == Effect::Permit) {
        return Beforehand::DependsOnResource;
    }
    Beforehand::Decided(match applying.iter().find(|policy| policy.effect() == Effect::Forbid) {
        Some(forbids) if is_plain(forbids) => Err(Refusal::Forbidden(forbids.id().to_string())),
        _ if applying.iter().any(|policy| policy.effect() == Effect::Permit) => Ok(()),
        _ => Err(Refusal::Unpermitted),
    })
}

/// Whether a policy may be about someone of this role.
fn may_be(policy: &Policy, role: Role) -> bool {
    let role_of = |other: &EntityUid| other.type_name().to_string() != "Hadron::Role" || *other == role_uid(role);
    match policy.principal_constraint() {
        PrincipalConstraint::In(group) | PrincipalConstraint::IsIn(_, group) => role_of(&group),
        _ => true,
    }
}

fn is_about(policy: &Policy, actions: &Entities, action: &EntityUid) -> bool {
    match policy.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(only) => only == *action,
        ActionConstraint::In(groups) => {
            groups.iter().any(|group| group == action || actions.is_ancestor_of(group, action))
        }
    }
}

/// Whether role and action say it all.
fn is_plain(policy: &Policy) -> bool {
    let anyone = matches!(policy.principal_constraint(), PrincipalConstraint::Any | PrincipalConstraint::Is(_));
    let by_role = match policy.principal_constraint() {
        PrincipalConstraint::In(group) | PrincipalConstraint::IsIn(_, group) => {
            group.type_name().to_string() == "Hadron::Role"
        }
        _ => anyone,
    };
    by_role && !policy.has_non_scope_constraint() && policy.resource_constraint() == ResourceConstraint::Any
}

fn role_uid(role: Role) -> EntityUid {
    uid("Hadron::Role", role.as_str())
}

fn uid(type_name_: &str, id: &str) -> EntityUid {
    named(&type_name(type_name_), id)
}

fn named(type_name: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(type_name.clone(), EntityId::new(id))
}

fn type_name(name: &str) -> EntityTypeName {
    name.parse().expect("a name of ours is a name of Cedar's")
}

fn string(text: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(text.to_owned())
}

fn strings<'s>(texts: impl IntoIterator<Item = &'s String>) -> RestrictedExpression {
    RestrictedExpression::new_set(texts.into_iter().map(|text| string(text)))
}

fn entity<'a>(
    uid: EntityUid,
    attributes: impl IntoIterator<Item = (&'a str, RestrictedExpression)>,
    parents: impl IntoIterator<Item = EntityUid>,
    tags: &BTreeMap<String, String>,
) -> Result<Entity, String> {
    let attributes = attributes.into_iter().map(|(name, value)| (name.to_owned(), value));
    let tags = tags.iter().map(|(key, value)| (key.clone(), string(value)));
    Entity::new_with_tags(uid, attributes, parents, tags).map_err(|error| error.to_string())
}
