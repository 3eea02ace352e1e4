//! What of a cluster is ours, what others have put beside it, and what only its controllers made.

use futures_util::{StreamExt as _, stream};
use serde_json::Value;

use crate::cluster::{Cluster, ClusterError, Served, is_labelled, is_ours, managers};
use crate::plan::MANAGED_BY;

const IN_FLIGHT: usize = 16;

/// Kinds that say nothing about whose a namespace is: they come and go with other objects.
const PASSING: [&str; 5] = ["events", "endpoints", "endpointslices", "leases", "controllerrevisions"];
/// Who else writes into a namespace of ours: Kubernetes itself, and the controllers of the stack under the names of their programs
/// (cert-manager's begin with `cert-manager`). Whoever is not among them counts as a person.
const CONTROLLERS: [&str; 15] = [
    "kube-controller-manager",
    "kube-apiserver",
    "kube-scheduler",
    "kubelet",
    "cloud-controller-manager",
    "aws-cloud-controller-manager",
    "pilot-discovery",
    "activator",
    "autoscaler",
    "controller",
    "webhook",
    "manager",
    "cainjector",
    "net-istio-controller",
    "net-istio-webhook",
];

/// An object, as far as its metadata goes.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// Its kind.
    pub(super) served: Served,
    /// Address.
    pub(super) path: String,
    /// Metadata.
    pub(super) live: Value,
}

impl Item {
    fn new(served: &Served, live: Value) -> Self {
        Self { path: served.path(&live), served: served.clone(), live }
    }

    /// `ConfigMap team/mine`.
    pub(super) fn say(&self) -> String {
        self.served.say(&self.live)
    }

    pub(super) fn text(&self, pointer: &str) -> &str {
        self.live.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    pub(super) fn namespace(&self) -> &str {
        self.text("/metadata/namespace")
    }

    pub(super) fn is_definition(&self) -> bool {
        self.served.plural == "customresourcedefinitions"
    }

    pub(super) fn is_namespace(&self) -> bool {
        self.served.group.is_empty() && self.served.plural == "namespaces"
    }

    /// It goes with the object that owns it.
    fn is_owned(&self) -> bool {
        self.live.pointer("/metadata/ownerReferences").and_then(Value::as_array).is_some_and(|owners| !owners.is_empty())
    }

    /// Every namespace has these.
    fn is_given(&self) -> bool {
        matches!(
            (self.served.plural.as_str(), self.name()),
            ("serviceaccounts", "default") | ("configmaps", "kube-root-ca.crt" | "openshift-service-ca.crt")
        )
    }
}

/// Nobody but controllers wrote it.
pub(super) fn is_made(live: &Value) -> bool {
    let mut writers = managers(live).peekable();
    writers.peek().is_some() && writers.all(|name| CONTROLLERS.contains(&name) || name.starts_with("cert-manager"))
}

/// It carries our label and we applied it: a copy that somebody made of an object of ours carries the label too, and what `sample apply`
/// made is applied by us for somebody.
fn is_placed(live: &Value) -> bool {
    is_labelled(live) && is_ours(live)
}

/// Everything that `up` put there.
pub(super) async fn ours(cluster: &Cluster, served: &[Served]) -> Result<Vec<Item>, ClusterError> {
    let selector = format!("{}={}", MANAGED_BY.0, MANAGED_BY.1);
    let all = listed(cluster, served, None, &selector).await?;
    Ok(all.into_iter().filter(|item| is_placed(&item.live) && !item.is_owned()).collect())
}

/// Objects of these kinds that somebody else made for themselves. What the stack's controllers make of them has an owner; the names of
/// their programs say nothing here, since half of all operators are called `manager`.
pub(super) async fn others(cluster: &Cluster, served: &[Served]) -> Result<Vec<Item>, ClusterError> {
    let all = listed(cluster, served, None, "").await?;
    Ok(all.into_iter().filter(|item| !is_placed(&item.live) && !item.is_owned()).collect())
}

/// What is in a namespace beside ours: what people put there, and what only controllers made.
pub(super) async fn beside(cluster: &Cluster, served: &[Served], namespace: &str) -> Result<(Vec<Item>, Vec<Item>), ClusterError> {
    let of: Vec<Served> = served.iter().filter(|served| served.namespaced && !PASSING.contains(&served.plural.as_str())).cloned().collect();
    let all = listed(cluster, &of, Some(namespace), "").await?;
    let rest = all.into_iter().filter(|item| !is_placed(&item.live) && !item.is_owned() && !item.is_given());
    Ok(rest.partition(|item| !is_made(&item.live)))
}

/// Objects of these kinds. What may not be listed holds nothing of ours.
async fn listed(cluster: &Cluster, served: &[Served], namespace: Option<&str>, selector: &str) -> Result<Vec<Item>, ClusterError> {
    let asked: Vec<_> = served
        .iter()
        .map(|served| async move {
            let collection = namespace.map_or_else(|| served.collection(), |namespace| served.within(namespace));
            (served, cluster.list_metadata(&collection, selector).await)
        })
        .collect();
    let mut asked = stream::iter(asked).buffered(IN_FLIGHT);
    let mut all = Vec::new();
    while let Some((served, answer)) = asked.next().await {
        match answer {
            Ok(items) => all.extend(items.into_iter().map(|live| Item::new(served, live))),
            Err(ClusterError::Api { code: 403 | 405, .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn item(managers: &[&str]) -> Item {
        let served =
            Served { group: String::new(), version: "v1".into(), plural: "secrets".into(), kind: "Secret".into(), namespaced: true };
        let fields: Vec<Value> = managers.iter().map(|name| json!({"manager": name})).collect();
        Item::new(&served, json!({"metadata": {"name": "s", "namespace": "n", "managedFields": fields}}))
    }

    /// A Secret of a controller goes with its namespace; one that somebody looked after, or of which nobody knows who made it, does not.
    #[test]
    fn what_only_controllers_wrote_is_nobodys() {
        let made = |managers: &[&str]| is_made(&item(managers).live);
        assert!(made(&["cert-manager-certificates-issuing"]) && made(&["webhook", "kube-controller-manager"]));
        assert!(!made(&["webhook", "kubectl-edit"]) && !made(&["helm"]) && !made(&[]));
        assert_eq!(item(&[]).path, "/api/v1/namespaces/n/secrets/s");
    }
}
