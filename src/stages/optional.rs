//! Objects for somebody else's controllers, such as a ServiceMonitor for the Prometheus Operator: sent only where their kind is served.

use crate::catalog::{Object, RestMap};
use crate::cluster::Cluster;
use crate::error::Failure;

/// The annotation of such objects.
const WHERE_SERVED: &str = "quickstart/where-served";

/// The objects, without those whose kind this cluster does not serve and need not.
///
/// # Errors
/// The cluster does not answer.
pub async fn served(cluster: &Cluster, rest: &RestMap, objects: Vec<Object>) -> Result<Vec<Object>, Failure> {
    let mut kept = Vec::with_capacity(objects.len());
    for object in objects {
        let optional = object.body.pointer("/metadata/annotations").is_some_and(|annotations| annotations.get(WHERE_SERVED).is_some());
        if !optional || cluster.serves(&rest.collection(&object.gvk, object.namespace.as_deref(), WHERE_SERVED)?).await? {
            kept.push(object);
        }
    }
    Ok(kept)
}
