//! Our own headers on stock requests, and those of the answers, which the SDK's outputs don't show.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextMut,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// Adds `x-hadron-…` headers to the request that it is attached to, after it was signed.
///
/// They aren't under the signature because a signed header that is missing breaks it: a proxy that drops what it doesn't
/// know would turn an endpoint that could do without into one that refuses us. Nothing is lost by it. The headers carry
/// no authority of their own: who may claim, and whose an epoch is, depends on the access key that signed the request.
#[derive(Debug, Clone)]
pub(super) struct OurHeaders(Vec<(&'static str, String)>);

impl OurHeaders {
    pub(super) fn new(headers: Vec<(&'static str, String)>) -> Self {
        Self(headers)
    }
}

impl Intercept for OurHeaders {
    fn name(&self) -> &'static str {
        "OurHeaders"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let headers = context.request_mut().headers_mut();
        for (name, value) in &self.0 {
            headers.try_insert(*name, value.clone())?;
        }
        Ok(())
    }
}

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
