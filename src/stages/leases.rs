//! Leases of holders that have ended without giving them back: nobody waits a minute for them to run out.
//!
//! A controller that was killed with its node comes back under a new identity and waits until the old one's time is over: 60 s in Knative
//! (`lease-duration` of ConfigMap config-leader-election) and cert-manager. Until then no address of a pod reaches Knative's Services.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::cluster::{Cluster, ClusterError};

const LEASES: &str = "/apis/coordination.k8s.io/v1/leases";
/// The kubelets' own: their age tells whether a node lives.
const OF_NODES: &str = "kube-node-lease";

/// How often holders on their way out are looked for, and the time between.
const LOOKS: u32 = 40;
const PAUSE: Duration = Duration::from_millis(250);

/// Deletes leases that were renewed last before `since` (RFC 3339), when everything that could hold one was started anew; answers how many.
pub(super) async fn release_older(cluster: &Cluster, since: &str) -> Result<usize, ClusterError> {
    let Ok(since) = since.parse::<Timestamp>() else { return Ok(0) };
    release(cluster, |lease| renewed(lease).is_some_and(|renewed| renewed < since)).await
}

/// Deletes leases that pods of these Deployments held, which are gone; answers how many.
pub async fn release_of(cluster: &Cluster, deployments: &[&str]) -> Result<usize, ClusterError> {
    release(cluster, |lease| {
        let holder = lease.pointer("/spec/holderIdentity").and_then(Value::as_str).unwrap_or_default();
        deployments.iter().any(|name| holder.strip_prefix(name).is_some_and(|rest| rest.starts_with('-')))
    })
    .await
}

/// Deletes leases of one namespace whose holders are pods that have gone, as soon as those on their way out have. KServe's controller does not
/// give its lease back when it ends, and the next one does nothing for 15 s (seen on the real cluster after a change of its template).
pub(super) async fn release_gone(cluster: &Cluster, namespace: &str) -> Result<(), ClusterError> {
    for _ in 0..LOOKS {
        let pods = cluster.list(&format!("/api/v1/namespaces/{namespace}/pods"), "").await?;
        let mut leaving = false;
        for lease in cluster.list(&format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"), "").await? {
            let text = |pointer: &str| lease.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            let holder = text("/spec/holderIdentity").split('_').next().unwrap_or_default();
            match pods.iter().find(|pod| pod.pointer("/metadata/name").and_then(Value::as_str) == Some(holder)) {
                Some(pod) => leaving |= pod.pointer("/metadata/deletionTimestamp").is_some(),
                None if holder.is_empty() => {}
                None => {
                    let name = text("/metadata/name");
                    cluster.delete(&format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{name}")).await?;
                }
            }
        }
        if !leaving {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

async fn release(cluster: &Cluster, is_stale: impl Fn(&Value) -> bool) -> Result<usize, ClusterError> {
    let mut released = 0;
    for lease in cluster.list(LEASES, "").await? {
        let text = |pointer: &str| lease.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
        if namespace != OF_NODES && is_stale(&lease) {
            cluster.delete(&format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{name}")).await?;
            released += 1;
        }
    }
    Ok(released)
}

fn renewed(lease: &Value) -> Option<Timestamp> {
    lease.pointer("/spec/renewTime")?.as_str()?.parse().ok()
}
