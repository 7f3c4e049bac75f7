//! How a target is named on the command line: by its ARN, or as `hadron status` prints it.

use std::str::FromStr;

use super::{Failure, remote};
use crate::domain::{Scope, Target};
use crate::hadron::Client;

/// A target, and where it lies if its ARN was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) target: Target,
    pub(super) scope: Option<Scope>,
}

impl FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("arn:") {
            let (scope, target) = Target::parse(text).map_err(|unknown| unknown.to_string())?;
            return Ok(Self { target, scope: Some(scope) });
        }
        let target = match text.split('/').collect::<Vec<_>>()[..] {
            ["environment", name] => Target::Environment { name: name.into() },
            ["service", service, "instance" | "service-instance", name] | ["instance", service, name] => {
                Target::ServiceInstance { service: service.into(), name: name.into() }
            }
            ["service", service, "pipeline"] | ["pipeline", service] => {
                Target::ServicePipeline { service: service.into() }
            }
            ["component", name] => Target::Component { name: name.into() },
            _ => {
                return Err(
                    "write an ARN, environment/NAME, service/SERVICE/instance/NAME, service/SERVICE/pipeline or \
                            component/NAME"
                        .into(),
                );
            }
        };
        Ok(Self { target, scope: None })
    }
}

impl Named {
    /// The target's ARN; for a short form the server is asked whose account it is.
    pub(super) async fn arn(&self, client: &Client) -> Result<String, Failure> {
        match &self.scope {
            Some(scope) => Ok(self.target.arn(scope)),
            None => Ok(self.target.arn(&client.scope().await.map_err(remote::refused)?)),
        }
    }
}

/// An ARN without what all of them share: `environment/dev`.
pub(super) fn short(arn: &str) -> String {
    Target::parse(arn).map_or_else(|_| arn.to_owned(), |(_, target)| target.resource())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_understood_as_it_is_printed_anywhere() {
        let api = Target::ServiceInstance { service: "pay".into(), name: "api".into() };
        for text in [
            "service/pay/instance/api",
            "service/pay/service-instance/api",
            "instance/pay/api",
            "arn:aws:proton:us-east-1:123456789012:service/pay/service-instance/api",
        ] {
            assert_eq!(text.parse::<Named>().unwrap().target, api, "{text}");
        }
        let pipeline = Target::ServicePipeline { service: "pay".into() };
        for text in ["service/pay/pipeline", "pipeline/pay"] {
            assert_eq!(text.parse::<Named>().unwrap().target, pipeline, "{text}");
        }
        for text in ["", "dev", "service/pay", "environment/a/b", "arn:aws:s3:::bucket"] {
            assert!(text.parse::<Named>().is_err(), "{text}");
        }
    }
}
