//! What an API server serves: every collection that can be listed and deleted from.

use futures_util::{StreamExt as _, stream};
use serde::Deserialize;
use serde_json::Value;

use super::{Cluster, ClusterError};

/// Requests in flight.
const IN_FLIGHT: usize = 16;

/// A kind of objects as the server serves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// Empty for the core group.
    pub group: String,
    /// The version that the server prefers.
    pub version: String,
    /// As it stands in addresses.
    pub plural: String,
    /// As it stands in manifests.
    pub kind: String,
    /// Has a namespace.
    pub namespaced: bool,
}

impl Served {
    /// Address of all its objects, in all namespaces.
    pub fn collection(&self) -> String {
        format!("{}/{}", self.root(), self.plural)
    }

    /// Address of its objects in one namespace.
    pub fn within(&self, namespace: &str) -> String {
        format!("{}/namespaces/{namespace}/{}", self.root(), self.plural)
    }

    fn root(&self) -> String {
        if self.group.is_empty() { format!("/api/{}", self.version) } else { format!("/apis/{}/{}", self.group, self.version) }
    }

    /// Address of one of its objects.
    pub fn path(&self, live: &Value) -> String {
        let text = |pointer: &str| live.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let collection = if self.namespaced { self.within(text("/metadata/namespace")) } else { self.collection() };
        format!("{collection}/{}", text("/metadata/name"))
    }

    /// One of its objects for people: `ConfigMap team/mine`.
    pub fn say(&self, live: &Value) -> String {
        let text = |pointer: &str| live.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
        if namespace.is_empty() { format!("{} {name}", self.kind) } else { format!("{} {namespace}/{name}", self.kind) }
    }
}

#[derive(Debug, Default, Deserialize)]
struct Groups {
    #[serde(default)]
    groups: Vec<Group>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    preferred_version: Preferred,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Preferred {
    group_version: String,
}

#[derive(Debug, Default, Deserialize)]
struct Resources {
    #[serde(default)]
    resources: Vec<ApiResource>,
}

#[derive(Debug, Deserialize)]
struct ApiResource {
    name: String,
    namespaced: bool,
    kind: String,
    #[serde(default)]
    verbs: Vec<String>,
}

impl Cluster {
    /// Every collection that can be listed and deleted from, in each group's preferred version; and the groups that did not answer, as
    /// that of an APIService whose pods are gone.
    ///
    /// # Errors
    /// The list of groups, or the core group, cannot be read.
    pub async fn served(&self) -> Result<(Vec<Served>, Vec<String>), ClusterError> {
        let groups: Groups = read(self.get("/apis").await?);
        let mut versions = vec![String::from("v1")];
        versions.extend(groups.groups.into_iter().map(|group| group.preferred_version.group_version));
        let asked: Vec<_> = versions
            .into_iter()
            .map(|version| async move {
                let path = if version.contains('/') { format!("/apis/{version}") } else { format!("/api/{version}") };
                (self.get(&path).await, version)
            })
            .collect();
        let mut asked = stream::iter(asked).buffered(IN_FLIGHT);
        let (mut served, mut silent) = (Vec::new(), Vec::new());
        while let Some((answer, version)) = asked.next().await {
            match answer {
                Ok(list) => served.extend(of_version(&version, read(list))),
                Err(error) if version.contains('/') && (error.is_transient() || error.is_not_found()) => silent.push(version),
                Err(error) => return Err(error),
            }
        }
        Ok((served, silent))
    }
}

/// An answer in another shape counts as an empty one.
fn read<T: serde::de::DeserializeOwned + Default>(value: Value) -> T {
    serde_json::from_value(value).unwrap_or_default()
}

fn of_version(version: &str, list: Resources) -> impl Iterator<Item = Served> {
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    let (group, version) = (group.to_owned(), version.to_owned());
    let can = |resource: &ApiResource, verb: &str| resource.verbs.iter().any(|known| known == verb);
    let wanted = move |resource: &ApiResource| !resource.name.contains('/') && can(resource, "list") && can(resource, "delete");
    list.resources.into_iter().filter(wanted).map(move |resource| Served {
        group: group.clone(),
        version: version.clone(),
        plural: resource.name,
        kind: resource.kind,
        namespaced: resource.namespaced,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn subresources_and_reviews_are_no_collections() {
        let all = ["get", "list", "delete"];
        let list = json!({"resources": [
            {"name": "deployments", "namespaced": true, "kind": "Deployment", "verbs": all},
            {"name": "deployments/scale", "namespaced": true, "kind": "Scale", "verbs": ["get"]},
            {"name": "tokenreviews", "namespaced": false, "kind": "TokenReview", "verbs": ["create"]},
        ]});
        let found: Vec<Served> = of_version("apps/v1", read(list)).collect();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].collection(), "/apis/apps/v1/deployments");
        let live = json!({"metadata": {"name": "a", "namespace": "n"}});
        assert_eq!(
            (found[0].path(&live).as_str(), found[0].say(&live).as_str()),
            ("/apis/apps/v1/namespaces/n/deployments/a", "Deployment n/a")
        );
        assert_eq!(of_version("v1", read(json!({"kind": "odd"}))).count(), 0);
    }
}
