//! Reading an answer's headers, which the SDK's outputs don't show.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// Keeps the `x-hadron-…` headers of the last answer to the request that it is attached to.
#[derive(Debug, Clone, Default)]
pub(super) struct AnswerHeaders(Arc<Mutex<BTreeMap<String, String>>>);

impl AnswerHeaders {
    /// A header's text.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// A header's value, when it has one that can be read as such.
    pub(super) fn parse<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.get(name)?.parse().ok()
    }
}

impl Intercept for AnswerHeaders {
    fn name(&self) -> &'static str {
        "AnswerHeaders"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let headers = context.response().headers();
        let ours = headers.iter().filter(|(name, _)| name.starts_with("x-hadron-"));
        let ours = ours.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = ours;
        Ok(())
    }
}
