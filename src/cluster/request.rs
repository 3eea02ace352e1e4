//! The handful of requests that an installer needs, on raw JSON.

use std::collections::BTreeSet;

use http::Request;
use serde_json::Value;
use tokio::time::timeout;

use super::{Cluster, ClusterError, connect::REQUEST_TIMEOUT};

/// Who owns the fields that we apply.
pub const FIELD_MANAGER: &str = "quickstart";

/// The part of an answer that an apply needs; from a server that sends the whole object (a CRD of KServe's is 700 KB) the rest is read over.
#[derive(Debug, serde::Deserialize)]
struct Versioned {
    metadata: ResourceVersion,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceVersion {
    #[serde(default)]
    resource_version: String,
    #[serde(default)]
    deletion_timestamp: Option<String>,
}

/// A list of which only names matter.
#[derive(Debug, serde::Deserialize)]
struct Names {
    /// `null` where there is none: so an API server 1.34 writes an empty list of a custom resource's metadata.
    #[serde(default)]
    items: Option<Vec<Item>>,
}

#[derive(Debug, serde::Deserialize)]
struct Item {
    metadata: Name,
}

#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Name {
    name: String,
    #[serde(default)]
    deletion_timestamp: Option<String>,
}

/// Metadata alone, or the whole from a server that cannot (kubernetes.io/docs/reference/using-api/api-concepts, "Metadata-only fetches").
const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";
const NAMES: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

impl Cluster {
    pub(super) async fn send<T: serde::de::DeserializeOwned>(
        &self,
        what: String,
        method: &str,
        path: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> Result<T, ClusterError> {
        self.asked(what, method, path, (content_type, "application/json"), body).await
    }

    /// `types`: of the body, and of the answer that is wanted.
    async fn asked<T: serde::de::DeserializeOwned>(
        &self,
        what: String,
        method: &str,
        path: &str,
        types: (&str, &str),
        body: Vec<u8>,
    ) -> Result<T, ClusterError> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", types.0)
            .header("accept", types.1)
            .body(body)
            .map_err(|error| ClusterError::Transport { what: what.clone(), message: error.to_string() })?;
        match timeout(REQUEST_TIMEOUT, self.requests.request::<T>(request)).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(ClusterError::from_kube(&what, &error)),
            Err(_) => Err(ClusterError::Timeout { what, seconds: REQUEST_TIMEOUT.as_secs() }),
        }
    }

    /// An object or a list.
    pub async fn get(&self, path: &str) -> Result<Value, ClusterError> {
        self.send(format!("get {}", short(path)), "GET", path, "application/json", Vec::new()).await
    }

    /// A text, such as the end of a log.
    pub async fn text(&self, path: &str) -> Result<String, ClusterError> {
        let what = format!("get {}", short(path));
        let request = Request::builder()
            .uri(path)
            .body(Vec::new())
            .map_err(|error| ClusterError::Transport { what: what.clone(), message: error.to_string() })?;
        match timeout(REQUEST_TIMEOUT, self.requests.request_text(request)).await {
            Ok(Ok(text)) => Ok(text),
            Ok(Err(error)) => Err(ClusterError::from_kube(&what, &error)),
            Err(_) => Err(ClusterError::Timeout { what, seconds: REQUEST_TIMEOUT.as_secs() }),
        }
    }

    /// An object, or `None` where there is none.
    pub async fn find(&self, path: &str) -> Result<Option<Value>, ClusterError> {
        match self.get(path).await {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// An object's metadata, or `None` where there is none: a definition of KServe's is 700 KB.
    pub async fn find_metadata(&self, path: &str) -> Result<Option<Value>, ClusterError> {
        let types = ("application/json", METADATA);
        match self.asked::<Value>(format!("get {}", short(path)), "GET", path, types, Vec::new()).await {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The metadata of a collection's objects; none where the collection is not served. `selector` in kubectl's form, or empty.
    pub async fn list_metadata(&self, collection: &str, selector: &str) -> Result<Vec<Value>, ClusterError> {
        let path = if selector.is_empty() { collection.to_owned() } else { format!("{collection}?labelSelector={}", escape(selector)) };
        let types = ("application/json", NAMES);
        match self.asked::<Value>(format!("list {}", short(collection)), "GET", &path, types, Vec::new()).await {
            Ok(mut list) => Ok(match list.get_mut("items").map(Value::take) {
                Some(Value::Array(items)) => items,
                _ => Vec::new(),
            }),
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// The items of a list; `selector` in kubectl's form, or empty.
    pub async fn list(&self, path: &str, selector: &str) -> Result<Vec<Value>, ClusterError> {
        let path = if selector.is_empty() { path.to_owned() } else { format!("{path}?labelSelector={}", escape(selector)) };
        let mut list = self.get(&path).await?;
        Ok(match list.get_mut("items").map(Value::take) {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        })
    }

    /// Names of a collection's objects that stay: one that is being deleted is as good as gone. None where the collection is not served.
    /// Asks for metadata alone: a list of whole objects can be megabytes.
    pub async fn names(&self, collection: &str) -> Result<BTreeSet<String>, ClusterError> {
        let list = self.asked::<Names>(format!("list {}", short(collection)), "GET", collection, ("application/json", NAMES), Vec::new());
        match list.await {
            Ok(list) => {
                let staying = list
                    .items
                    .unwrap_or_default()
                    .into_iter()
                    .map(|item| item.metadata)
                    .filter(|metadata| metadata.deletion_timestamp.is_none());
                Ok(staying.map(|metadata| metadata.name).collect())
            }
            Err(error) if error.is_not_found() => Ok(BTreeSet::new()),
            Err(error) => Err(error),
        }
    }

    /// Server-side apply of JSON; answers the object's resourceVersion, which stays when nothing changed.
    pub async fn apply(&self, path: &str, body: Vec<u8>) -> Result<String, ClusterError> {
        let uri = format!("{path}?fieldManager={FIELD_MANAGER}&force=true");
        let types = ("application/apply-patch+yaml", METADATA);
        let now: Versioned = self.asked(format!("apply {}", short(path)), "PATCH", &uri, types, body).await?;
        Ok(now.metadata.resource_version)
    }

    /// The same as a dry run; answers what the object would be.
    pub async fn dry_run_apply(&self, path: &str, body: Vec<u8>) -> Result<Value, ClusterError> {
        let uri = format!("{path}?fieldManager={FIELD_MANAGER}&force=true&dryRun=All");
        self.send(format!("dry run on {}", short(path)), "PATCH", &uri, "application/apply-patch+yaml", body).await
    }

    /// An object's resourceVersion, or `None` where there is none. One that is being deleted is a conflict that passes: what is applied
    /// to it goes with it.
    pub async fn find_version(&self, path: &str) -> Result<Option<String>, ClusterError> {
        match self.asked::<Versioned>(format!("get {}", short(path)), "GET", path, ("application/json", METADATA), Vec::new()).await {
            Ok(now) if now.metadata.deletion_timestamp.is_some() => Err(ClusterError::being_deleted(path)),
            Ok(now) => Ok(Some(now.metadata.resource_version)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Is this collection served? Reads no more than one of its objects.
    pub async fn serves(&self, collection: &str) -> Result<bool, ClusterError> {
        let uri = format!("{collection}?limit=1");
        match self.send::<serde::de::IgnoredAny>(format!("list {}", short(collection)), "GET", &uri, "application/json", Vec::new()).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Creates an object under another manager's name than ours: it is somebody else's, and only put back.
    pub async fn create(&self, collection: &str, body: &Value, manager: &str) -> Result<(), ClusterError> {
        let uri = format!("{collection}?fieldManager={manager}");
        let what = format!("create in {}", short(collection));
        self.send::<serde::de::IgnoredAny>(what, "POST", &uri, "application/json", encode(body)).await.map(drop)
    }

    /// Creates the object of this path in our name; one that somebody made in this moment is as good.
    pub async fn create_ours(&self, path: &str, body: Vec<u8>) -> Result<(), ClusterError> {
        let collection = path.rsplit_once('/').map_or(path, |(collection, _)| collection);
        let uri = format!("{collection}?fieldManager={FIELD_MANAGER}");
        let what = format!("create {}", short(path));
        match self.asked::<Versioned>(what, "POST", &uri, ("application/json", METADATA), body).await {
            Err(error) if !error.already_exists() => Err(error),
            _ => Ok(()),
        }
    }

    /// Deletes an object, what it owns in the background; answers false where there is none.
    pub async fn delete(&self, path: &str) -> Result<bool, ClusterError> {
        self.delete_within(path, None).await
    }

    /// The same with a bound, in seconds, on how long pods may take to end.
    pub async fn delete_within(&self, path: &str, grace: Option<u32>) -> Result<bool, ClusterError> {
        let grace = grace.map(|seconds| format!("&gracePeriodSeconds={seconds}")).unwrap_or_default();
        let uri = format!("{path}?propagationPolicy=Background{grace}");
        match self.send::<serde::de::IgnoredAny>(format!("delete {}", short(path)), "DELETE", &uri, "application/json", Vec::new()).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A merge patch.
    pub async fn merge(&self, path: &str, body: &Value) -> Result<(), ClusterError> {
        let uri = format!("{path}?fieldManager={FIELD_MANAGER}");
        let what = format!("change {}", short(path));
        self.send::<serde::de::IgnoredAny>(what, "PATCH", &uri, "application/merge-patch+json", encode(body)).await.map(drop)
    }

    /// A server-side dry run of a create: admission is asked, nothing is stored.
    pub async fn dry_run_create(&self, collection: &str, body: &Value) -> Result<Value, ClusterError> {
        let uri = format!("{collection}?fieldManager={FIELD_MANAGER}&dryRun=All");
        self.send(format!("dry run on {}", short(collection)), "POST", &uri, "application/json", encode(body)).await
    }

    /// A server-side dry run of a merge patch.
    pub async fn dry_run_patch(&self, path: &str, body: &Value) -> Result<Value, ClusterError> {
        let uri = format!("{path}?fieldManager={FIELD_MANAGER}&dryRun=All");
        self.send(format!("dry run on {}", short(path)), "PATCH", &uri, "application/merge-patch+json", encode(body)).await
    }

    /// Writes an annotation, so that controllers look at the object again: one that failed for long looks minutes later by itself.
    pub async fn touch(&self, path: &str) -> Result<(), ClusterError> {
        let now = jiff::Timestamp::now().to_string();
        self.merge(path, &serde_json::json!({"metadata": {"annotations": {"quickstart/looked-at": now}}})).await
    }

    /// The API server's version, `v1.34.3`.
    pub async fn version(&self) -> Result<String, ClusterError> {
        let value: Value = self.get("/version").await?;
        Ok(value.get("gitVersion").and_then(Value::as_str).unwrap_or("unknown").to_owned())
    }

    /// A byte stream to a port of a pod, through the API server.
    pub async fn port_forward(&self, namespace: &str, pod: &str, port: u16) -> Result<kube::api::Portforwarder, ClusterError> {
        let what = format!("port-forward to {namespace}/{pod}:{port}");
        let pods: kube::Api<k8s_openapi::api::core::v1::Pod> = kube::Api::namespaced(self.streams.clone(), namespace);
        match timeout(REQUEST_TIMEOUT, pods.portforward(pod, &[port])).await {
            Ok(Ok(forwarder)) => Ok(forwarder),
            Ok(Err(error)) => Err(ClusterError::from_kube(&what, &error)),
            Err(_) => Err(ClusterError::Timeout { what, seconds: REQUEST_TIMEOUT.as_secs() }),
        }
    }
}

fn encode(body: &Value) -> Vec<u8> {
    body.to_string().into_bytes()
}

fn short(path: &str) -> String {
    let path = path.split('?').next().unwrap_or(path);
    path.trim_start_matches("/api/v1/").trim_start_matches("/apis/").to_owned()
}

fn escape(selector: &str) -> String {
    selector.replace('%', "%25").replace('=', "%3D").replace(',', "%2C").replace(' ', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A namespace without InferenceServices was an API server that does not answer: "invalid type: null, expected a sequence".
    #[test]
    fn an_empty_list_of_metadata_has_no_items_at_all() {
        for text in [r#"{"items": null}"#, "{}", r#"{"items": []}"#] {
            assert!(serde_json::from_str::<Names>(text).unwrap().items.unwrap_or_default().is_empty(), "{text}");
        }
    }
}
