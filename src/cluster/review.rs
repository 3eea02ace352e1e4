//! "May I?": SelfSubjectAccessReview (kubernetes.io/docs/reference/access-authn-authz/authorization, "Checking API access").

use serde_json::{Value, json};

use super::{Cluster, ClusterError};

/// What one wants to do, in RBAC's words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Access {
    /// `create`, `patch`, … or `*`.
    pub verb: &'static str,
    /// Empty for the core group.
    pub group: String,
    /// Plural, or `*`; with a subresource as `pods/portforward`.
    pub resource: String,
    /// `None`: in all namespaces, or the kind has none.
    pub namespace: Option<String>,
}

impl Access {
    /// Everything, as `cluster-admin` may.
    pub fn everything() -> Self {
        Self { verb: "*", group: "*".into(), resource: "*".into(), namespace: None }
    }

    /// `deployments.apps in istio-system`.
    pub fn of_what(&self) -> String {
        let group = if self.group.is_empty() { String::new() } else { format!(".{}", self.group) };
        let place = self.namespace.as_ref().map(|namespace| format!(" in {namespace}")).unwrap_or_default();
        format!("{}{group}{place}", self.resource)
    }
}

impl Cluster {
    /// May this user do that?
    pub async fn may(&self, access: &Access) -> Result<bool, ClusterError> {
        let (resource, subresource) = access.resource.split_once('/').unwrap_or((&access.resource, ""));
        let mut attributes = json!({"verb": access.verb, "group": access.group, "resource": resource});
        if !subresource.is_empty() {
            attributes["subresource"] = json!(subresource);
        }
        if let Some(namespace) = &access.namespace {
            attributes["namespace"] = json!(namespace);
        }
        let body =
            json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": attributes}});
        let what = format!("ask whether {} {} is allowed", access.verb, access.of_what());
        let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        let answer: Value = self.send(what, "POST", path, "application/json", body.to_string().into_bytes()).await?;
        Ok(answer.pointer("/status/allowed").and_then(Value::as_bool).unwrap_or(false))
    }
}
