//! Which components are on a cluster, and who installed them. Reads only.

use std::fmt;

use futures_util::future::try_join_all;
use serde_json::Value;

use crate::cluster::{Cluster, ClusterError, installer, is_ours, version_of};
use crate::plan::{Adopted, Plan, PlannedComponent};

/// What tells a component wherever it is installed: its first definition, and a label of its controller's Deployment.
struct Sign {
    component: &'static str,
    definition: &'static str,
    selector: &'static str,
}

/// Definitions and labels are those of the upstream manifests and charts.
const SIGNS: [Sign; 4] = [
    Sign { component: "cert-manager", definition: "certificates.cert-manager.io", selector: "app=cert-manager" },
    Sign { component: "istio", definition: "virtualservices.networking.istio.io", selector: "app=istiod" },
    Sign { component: "knative", definition: "revisions.serving.knative.dev", selector: "app.kubernetes.io/name=knative-serving" },
    Sign { component: "kserve", definition: "inferenceservices.serving.kserve.io", selector: "control-plane=kserve-controller-manager" },
];

/// Components that need no settings of ours, each with the API that others need of it: any release that serves it will do.
const USABLE: [(&str, &[&str]); 2] = [
    ("cert-manager", &["/apis/cert-manager.io/v1/certificates", "/apis/cert-manager.io/v1/issuers"]),
    ("metrics-server", &["/apis/metrics.k8s.io/v1beta1/nodes"]),
];

/// A component of the plan, or one that is used as it is, and who installed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Key in the catalog.
    pub component: String,
    /// As people write it.
    pub title: String,
    /// Who installed it.
    pub who: Who,
}

/// Who installed a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// It is not there.
    Absent,
    /// We did.
    Ours,
    /// Somebody else did.
    Theirs(Theirs),
}

/// A component of somebody else's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Theirs {
    /// Who.
    pub by: String,
    /// Which version, where it says one.
    pub version: Option<String>,
    /// What was found: `Deployment infra/cert-manager`.
    pub seen: String,
    /// Where it is.
    pub namespace: Option<String>,
    /// It can be used as it is.
    pub usable: bool,
}

impl fmt::Display for Theirs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = self.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
        write!(f, "{}{version} by {}", self.seen, self.by)
    }
}

impl Found {
    /// The same as a component that is used as it is, where it can be.
    pub fn adopted(&self) -> Option<Adopted> {
        let Who::Theirs(Theirs { by, version, namespace: Some(namespace), usable: true, .. }) = &self.who else { return None };
        let (component, title) = (self.component.clone(), self.title.clone());
        Some(Adopted { component, title, version: version.clone(), by: by.clone(), namespace: namespace.clone() })
    }
}

/// Looks for every component of the plan.
///
/// # Errors
/// The cluster cannot be asked.
pub async fn survey(cluster: &Cluster, plan: &Plan) -> Result<Vec<Found>, ClusterError> {
    let planned = plan.components.iter().map(|component| {
        let PlannedComponent { name, title, namespace, deployments, .. } = component;
        let paths = deployments.iter().map(|name| format!("/apis/apps/v1/namespaces/{namespace}/deployments/{name}")).collect();
        look(cluster, name, title, paths)
    });
    let adopted = plan.adopted().iter().map(|adopted| look(cluster, &adopted.component, &adopted.title, Vec::new()));
    try_join_all(planned.chain(adopted)).await
}

async fn look(cluster: &Cluster, name: &str, title: &str, paths: Vec<String>) -> Result<Found, ClusterError> {
    let sign = SIGNS.iter().find(|sign| sign.component == name);
    let deployments = async {
        let mut all = match sign {
            Some(sign) => cluster.list("/apis/apps/v1/deployments", sign.selector).await?,
            None => Vec::new(),
        };
        all.extend(try_join_all(paths.iter().map(|path| cluster.find(path))).await?.into_iter().flatten());
        Ok::<_, ClusterError>(all)
    };
    let definition = async {
        let Some(sign) = sign else { return Ok::<_, ClusterError>(None) };
        cluster.find_metadata(&format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{}", sign.definition)).await
    };
    let (deployments, definition) = tokio::try_join!(deployments, definition)?;
    let usable = !deployments.is_empty() && serves(cluster, name).await?;
    Ok(Found { component: name.to_owned(), title: title.to_owned(), who: who(&deployments, definition.as_ref(), usable) })
}

/// Is everything served that others need of it?
async fn serves(cluster: &Cluster, name: &str) -> Result<bool, ClusterError> {
    let Some((_, collections)) = USABLE.iter().find(|(usable, _)| *usable == name) else { return Ok(false) };
    let served = collections.iter().map(|collection| async move {
        match cluster.serves(collection).await {
            // An API that somebody else serves, and does not.
            Err(ClusterError::Api { .. }) => Ok(false),
            answer => answer,
        }
    });
    Ok(try_join_all(served).await?.into_iter().all(|serves| serves))
}

/// One piece of somebody else's makes all of it somebody else's: what it is told by is its Deployment, else its definition.
fn who(deployments: &[Value], definition: Option<&Value>, usable: bool) -> Who {
    let text = |live: &Value, pointer: &str| live.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    if let Some(live) = deployments.iter().find(|live| !is_ours(live)) {
        let namespace = text(live, "/metadata/namespace");
        return Who::Theirs(Theirs {
            by: installer(live),
            version: version_of(live),
            seen: format!("Deployment {namespace}/{}", text(live, "/metadata/name")),
            namespace: Some(namespace),
            usable,
        });
    }
    match definition {
        Some(live) if !is_ours(live) => Who::Theirs(Theirs {
            by: installer(live),
            version: version_of(live),
            seen: format!("CustomResourceDefinition {}", text(live, "/metadata/name")),
            namespace: None,
            usable: false,
        }),
        None if deployments.is_empty() => Who::Absent,
        _ => Who::Ours,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(manager: &str, name: &str) -> Value {
        json!({"metadata": {"name": name, "namespace": "n", "managedFields": [{"manager": manager}], "labels": {"app.kubernetes.io/version": "v1.2.3"}}})
    }

    #[test]
    fn one_foreign_piece_makes_it_foreign() {
        assert_eq!(who(&[], None, false), Who::Absent);
        assert_eq!(who(&[of("quickstart", "a")], Some(&of("quickstart", "d")), true), Who::Ours);
        let Who::Theirs(theirs) = who(&[of("quickstart", "a"), of("helm", "b")], None, true) else { panic!("one is somebody else's") };
        assert_eq!(theirs.to_string(), "Deployment n/b 1.2.3 by helm");
        let Who::Theirs(theirs) = who(&[], Some(&of("kubectl-create", "d")), true) else { panic!("the definition is somebody else's") };
        assert!(!theirs.usable, "a definition alone serves nobody");
        assert_eq!(theirs.seen, "CustomResourceDefinition d");
    }
}
