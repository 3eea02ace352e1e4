//! After a node was started again its objects tell the past until the kubelet has reported: what is older than the node is not true.

use jiff::Timestamp;
use serde_json::Value;

use super::{pods, rollout};
use crate::cluster::{Cluster, ClusterError};
use crate::plan::Verdict;

/// Green once every running container is younger than its node, and the static pods are Ready.
pub(super) async fn since(cluster: &Cluster, since: &str) -> Result<Verdict, ClusterError> {
    let Ok(since) = since.parse::<Timestamp>() else { return Ok(Verdict::Ready) };
    Ok(judge(&cluster.list("/api/v1/pods", "").await?, since))
}

fn judge(all: &[Value], since: Timestamp) -> Verdict {
    let stale: Vec<&str> = all.iter().filter(|pod| is_stale(pod, since)).map(pods::name).collect();
    if let Some(first) = stale.first() {
        return Verdict::Pending(match stale.len() {
            1 => format!("pod {first} has not started again yet"),
            count => format!("{count} pods have not started again yet, such as {first}"),
        });
    }
    let control_plane = |pod: &&Value| pod.pointer("/metadata/labels/tier").and_then(Value::as_str) == Some("control-plane");
    let waits = all.iter().filter(control_plane).find(|pod| rollout::condition(pod, "Ready").is_none_or(|(status, _)| status != "True"));
    match waits {
        Some(pod) => Verdict::Pending(format!("pod {} is not Ready yet", pods::name(pod))),
        None => Verdict::Ready,
    }
}

/// A container is said to run since before its node did. Times of containers have whole seconds.
fn is_stale(pod: &Value, since: Timestamp) -> bool {
    if pod.pointer("/metadata/deletionTimestamp").is_some() {
        return false;
    }
    let containers = pod.pointer("/status/containerStatuses").and_then(Value::as_array);
    containers.into_iter().flatten().any(|container| {
        let started = container.pointer("/state/running/startedAt").and_then(Value::as_str);
        started.and_then(|started| started.parse::<Timestamp>().ok()).is_some_and(|started| started.as_second() < since.as_second())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(name: &str, started: &str, ready: &str) -> Value {
        json!({"metadata": {"name": name, "labels": {"tier": "control-plane"}},
               "status": {"containerStatuses": [{"state": {"running": {"startedAt": started}}}], "conditions": [{"type": "Ready", "status": ready}]}})
    }

    /// After a restart of the engine every Deployment was still Available for half a minute: the API server repeated what it knew.
    #[test]
    fn a_pod_that_is_older_than_its_node_is_of_the_past() {
        let since = "2026-11-21T12:00:00.7Z".parse().unwrap();
        let fresh = pod("etcd", "2026-11-21T12:00:00Z", "True");
        assert_eq!(judge(&[fresh.clone(), json!({"metadata": {"name": "pending"}})], since), Verdict::Ready);
        let stale = pod("istiod", "2026-11-21T11:59:59Z", "True");
        let Verdict::Pending(saw) = judge(&[fresh, stale.clone(), stale], since) else { panic!() };
        assert_eq!(saw, "2 pods have not started again yet, such as istiod");
        let unready = pod("kube-apiserver", "2026-11-21T12:00:01Z", "False");
        assert_eq!(judge(&[unready], since), Verdict::Pending("pod kube-apiserver is not Ready yet".into()));
    }
}
