//! What an apply would do to a cluster, object by object: the API server is asked, nothing is stored.

use futures_util::{StreamExt as _, stream};
use serde::Serialize;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::apply;
use crate::catalog::{NeverClaimed, Object, RestMap, differing, embedded};
use crate::cluster::{Cluster, ClusterError, is_ours, manager};
use crate::error::Failure;
use crate::health::interrupted;

/// Requests in flight: a dry run asks every webhook.
const IN_FLIGHT: usize = 8;
/// What the server keeps count with, and what controllers report: no difference to anybody.
const ITS_OWN: [&str; 5] = ["managedFields", "resourceVersion", "generation", "creationTimestamp", "uid"];

/// An object of the plan, and what is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// `Kind namespace/name`.
    pub object: String,
    /// How the two compare.
    #[serde(flatten)]
    pub difference: Difference,
}

/// How an object of the plan and the cluster's compare.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Difference {
    /// `up` would change nothing.
    Same,
    /// `up` would change these fields.
    Changed {
        /// Such as `spec.replicas`.
        fields: Vec<String>,
    },
    /// `up` would make it.
    Missing,
    /// Somebody else made it, and we never applied anything to it.
    Foreign {
        /// Under which name they wrote it.
        by: String,
    },
    /// The server did not say what would become of it.
    Unknown {
        /// Its words.
        message: String,
    },
}

/// Compares objects with the cluster, in their order.
///
/// # Errors
/// The server cannot be asked; an answer about one object is none, see [`Difference::Unknown`].
pub async fn compare(cluster: &Cluster, objects: &[Object], rest: &RestMap, cancel: &CancellationToken) -> Result<Vec<Compared>, Failure> {
    let claimed = embedded::never_claimed()?;
    let asked: Vec<_> = objects.iter().map(|object| one(cluster, object, rest, &claimed)).collect();
    let mut asked = stream::iter(asked).buffered(IN_FLIGHT);
    let mut compared = Vec::new();
    loop {
        let next = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(interrupted()),
            next = asked.next() => next,
        };
        match next {
            Some(one) => compared.push(one?),
            None => return Ok(compared),
        }
    }
}

async fn one(cluster: &Cluster, object: &Object, rest: &RestMap, claimed: &NeverClaimed) -> Result<Compared, Failure> {
    let path = rest.path(object)?;
    let difference = match asked(cluster, object, &path, claimed).await {
        Ok(difference) => difference,
        Err(error @ ClusterError::Api { .. }) => Difference::Unknown { message: error.to_string() },
        Err(error) => return Err(error.into()),
    };
    Ok(Compared { object: object.to_string(), difference })
}

async fn asked(cluster: &Cluster, object: &Object, path: &str, claimed: &NeverClaimed) -> Result<Difference, ClusterError> {
    let Some(mut live) = cluster.find(path).await? else { return Ok(Difference::Missing) };
    if live.pointer("/metadata/deletionTimestamp").is_some() {
        return Ok(Difference::Missing);
    }
    let body = apply::body(claimed, object, Some(&live));
    // The server keeps no note of whoever sets no field at all, as of a bare namespace.
    if !is_ours(&live) && sets_fields(&body) {
        return Ok(Difference::Foreign { by: manager(&live).unwrap_or("somebody").to_owned() });
    }
    let mut then = cluster.dry_run_apply(path, body).await?;
    comparable(&mut live);
    comparable(&mut then);
    let fields = differing(&live, &then);
    Ok(if fields.is_empty() { Difference::Same } else { Difference::Changed { fields } })
}

/// Does it say more than which object it is?
fn sets_fields(body: &[u8]) -> bool {
    let Ok(Value::Object(body)) = serde_json::from_slice(body) else { return true };
    let name = |key: &String| key == "name" || key == "namespace";
    body.iter().any(|(key, value)| match key.as_str() {
        "apiVersion" | "kind" => false,
        "metadata" => value.as_object().is_none_or(|metadata| !metadata.keys().all(name)),
        _ => true,
    })
}

fn comparable(object: &mut Value) {
    if let Some(object) = object.as_object_mut() {
        object.remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|key, _| !ITS_OWN.contains(&key.as_str()));
    }
}
