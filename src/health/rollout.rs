//! Deployments and conditions, judged as kubectl judges them.

use serde_json::Value;

use crate::plan::Verdict;

/// `kubectl rollout status`: the controller has seen this generation, all replicas are new, and all are available. And one thing more:
/// a Deployment of the stack that somebody scaled to 0 is not ready.
pub fn deployment(object: &Value) -> Verdict {
    let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64);
    let desired = number("/spec/replicas").unwrap_or(1);
    if desired == 0 {
        return Verdict::Pending("it was scaled to 0".into());
    }
    let (updated, available) = (number("/status/updatedReplicas").unwrap_or(0), number("/status/availableReplicas").unwrap_or(0));
    let total = number("/status/replicas").unwrap_or(0);
    if number("/status/observedGeneration").unwrap_or(0) < number("/metadata/generation").unwrap_or(1) {
        return Verdict::Pending("its newest change has not been seen by the controller yet".into());
    }
    if let Some(condition) = condition(object, "ReplicaFailure").filter(|c| c.0 == "True") {
        return Verdict::Pending(condition.1);
    }
    if updated < desired {
        return Verdict::Pending(format!("{updated} of {desired} pods created"));
    }
    if total > updated {
        return Verdict::Pending(format!("{} old pods still end", total.saturating_sub(updated)));
    }
    if available < desired {
        return Verdict::Pending(format!("{available} of {desired} pods available"));
    }
    Verdict::Ready
}

/// A DaemonSet whose pods are Ready on every node that is to have one; before its controller has seen it, it wants none.
pub fn daemon_set(object: &Value) -> Verdict {
    let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
    let (desired, ready) = (number("/status/desiredNumberScheduled"), number("/status/numberReady"));
    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    if number("/status/observedGeneration") < number("/metadata/generation") || desired == 0 {
        return Verdict::Pending(format!("DaemonSet {name} has not been seen by its controller yet"));
    }
    if ready < desired { Verdict::Pending(format!("DaemonSet {name}: {ready} of {desired} pods ready")) } else { Verdict::Ready }
}

/// Status and message of a condition.
pub fn condition(object: &Value, kind: &str) -> Option<(String, String)> {
    let conditions = object.pointer("/status/conditions")?.as_array()?;
    let found = conditions.iter().find(|condition| condition.get("type").and_then(Value::as_str) == Some(kind))?;
    let text = |key: &str| found.get(key).and_then(Value::as_str).unwrap_or_default();
    let message = if text("message").is_empty() { text("reason") } else { text("message") };
    Some((text("status").to_owned(), message.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_daemon_set_is_ready_where_it_is_wanted() {
        let make = |observed: i64, desired: i64, ready: i64| {
            json!({"metadata": {"generation": 1, "name": "kube-proxy"},
                   "status": {"observedGeneration": observed, "desiredNumberScheduled": desired, "numberReady": ready}})
        };
        assert_eq!(daemon_set(&make(1, 2, 2)), Verdict::Ready);
        for object in [make(0, 0, 0), make(1, 0, 0), make(1, 2, 1), json!({"metadata": {"generation": 1}})] {
            assert!(matches!(daemon_set(&object), Verdict::Pending(_)), "{object}");
        }
    }

    #[test]
    fn a_rollout_ends_only_when_the_new_generation_is_available() {
        let make = |observed: i64, updated: i64, total: i64, available: i64| {
            json!({"metadata": {"generation": 2}, "spec": {"replicas": 1},
                   "status": {"observedGeneration": observed, "updatedReplicas": updated, "replicas": total, "availableReplicas": available}})
        };
        assert_eq!(deployment(&make(2, 1, 1, 1)), Verdict::Ready);
        // Scaled to 0, a webhook was "ready" for ever, and every `up` skipped it (seen on the real cluster).
        let mut zero = make(2, 0, 0, 0);
        zero["spec"]["replicas"] = json!(0);
        assert_eq!(deployment(&zero), Verdict::Pending("it was scaled to 0".into()));
        for object in [make(1, 1, 1, 1), make(2, 0, 1, 1), make(2, 1, 2, 1), make(2, 1, 1, 0)] {
            assert!(matches!(deployment(&object), Verdict::Pending(_)), "{object}");
        }
    }
}
