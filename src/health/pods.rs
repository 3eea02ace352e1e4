//! Why a workload is not ready: what its pods and events say, and whether waiting can help.

use serde_json::Value;

use crate::cluster::{Cluster, ClusterError};

/// What stands in the way of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The failure rule's ID.
    pub id: &'static str,
    /// What was seen.
    pub saw: String,
    /// Waiting does not cure it.
    pub terminal: bool,
    /// What to do.
    pub hint: &'static str,
}

/// Looks at the pods of a selector and names the worst trouble, or what they are doing.
pub async fn explain(cluster: &Cluster, namespace: &str, selector: &str) -> Result<Option<Trouble>, ClusterError> {
    let pods = cluster.list(&format!("/api/v1/namespaces/{namespace}/pods"), selector).await?;
    let mut found: Vec<Trouble> =
        pods.iter().filter(|pod| pod.pointer("/metadata/deletionTimestamp").is_none()).filter_map(trouble).collect();
    found.sort_by_key(|trouble| !trouble.terminal);
    Ok(found.into_iter().next())
}

/// The trouble of one pod.
pub fn trouble(pod: &Value) -> Option<Trouble> {
    let name = pod.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("pod");
    let statuses = ["/status/initContainerStatuses", "/status/containerStatuses"]
        .iter()
        .filter_map(|pointer| pod.pointer(pointer).and_then(Value::as_array))
        .flatten();
    let mut mild = None;
    for status in statuses {
        let container = status.get("name").and_then(Value::as_str).unwrap_or("container");
        let image = status.get("image").and_then(Value::as_str).unwrap_or("its image");
        let text = |pointer: &str| status.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let (reason, message) = (text("/state/waiting/reason"), text("/state/waiting/message"));
        if let Some(trouble) = waiting(name, container, image, reason, message, status) {
            if trouble.terminal {
                return Some(trouble);
            }
            mild = mild.or(Some(trouble));
        } else if status.get("ready") == Some(&Value::Bool(false)) && status.pointer("/state/running").is_some() {
            mild = mild.or(Some(Trouble {
                id: "NOT_READY",
                saw: format!("pod {name}: {container} runs but is not ready yet"),
                terminal: false,
                hint: "",
            }));
        }
    }
    mild.or_else(|| unscheduled(name, pod))
}

fn waiting(pod: &str, container: &str, image: &str, reason: &str, message: &str, status: &Value) -> Option<Trouble> {
    let lower = message.to_ascii_lowercase();
    let make = |id, terminal, hint, saw: String| Some(Trouble { id, saw, terminal, hint });
    match reason {
        "ErrImagePull" | "ImagePullBackOff" if lower.contains("toomanyrequests") || lower.contains("rate limit") => make(
            "IMAGE_RATE_LIMIT",
            true,
            "log in to the registry, or use `quickstart up --bundle FILE`",
            format!("pod {pod}: {image}: pull rate limit reached"),
        ),
        "ErrImagePull" | "ImagePullBackOff" if lower.contains("no match for platform") => {
            make("IMAGE_ARCH", true, "this image does not exist for this machine's architecture", format!("pod {pod}: {image}: {message}"))
        }
        "ErrImagePull" | "ImagePullBackOff" if lower.contains("not found") && !lower.contains("no such host") => make(
            "IMAGE_NOT_FOUND",
            true,
            "check the image's name, or use a bundle that holds it",
            format!("pod {pod}: {image} does not exist"),
        ),
        "ErrImagePull" | "ImagePullBackOff" | "ErrImageNeverPull" => make(
            "IMAGE_PULL",
            false,
            "is the registry reachable from the node? offline: `quickstart up --bundle FILE`",
            format!("pod {pod}: cannot pull {image}: {}", first_line(message)),
        ),
        "InvalidImageName" => make("IMAGE_NOT_FOUND", true, "check the image's name", format!("pod {pod}: {image}: {message}")),
        "CrashLoopBackOff" => {
            let last = |pointer: &str| status.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
            if last("/lastState/terminated/reason") == "OOMKilled" {
                return make(
                    "OOM_KILLED",
                    true,
                    "give the container engine more memory",
                    format!("pod {pod}: {container} was killed: out of memory"),
                );
            }
            let code = status.pointer("/lastState/terminated/exitCode").and_then(Value::as_i64).unwrap_or_default();
            make(
                "CRASH_LOOP",
                false,
                "`kubectl logs --previous` holds its last words",
                format!("pod {pod}: {container} ends with code {code} again and again"),
            )
        }
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" if lower.contains("exec format error") => {
            make("IMAGE_ARCH", true, "this image is for another architecture", format!("pod {pod}: {image}: exec format error"))
        }
        "CreateContainerConfigError" => {
            make("SECRET_MISSING", false, "a Secret or ConfigMap that it names is not there", format!("pod {pod}: {}", first_line(message)))
        }
        "" => None,
        other => make(
            "NOT_READY",
            false,
            "",
            format!("pod {pod}: {container} {other}{}{}", if message.is_empty() { "" } else { ": " }, first_line(message)),
        ),
    }
}

fn unscheduled(name: &str, pod: &Value) -> Option<Trouble> {
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array)?;
    let condition = conditions.iter().find(|c| c.get("type").and_then(Value::as_str) == Some("PodScheduled"))?;
    if condition.get("status").and_then(Value::as_str) != Some("False") {
        return None;
    }
    let message = condition.get("message").and_then(Value::as_str).unwrap_or("not scheduled");
    let saw = format!("pod {name}: {message}");
    let (id, hint) = if message.contains("Insufficient cpu") {
        ("INSUFFICIENT_CPU", "give the container engine more CPUs, or remove other InferenceServices")
    } else if message.contains("Insufficient memory") {
        ("INSUFFICIENT_MEMORY", "give the container engine more memory, or remove other InferenceServices")
    } else {
        return Some(Trouble { id: "NOT_SCHEDULED", saw, terminal: false, hint: "" });
    };
    Some(Trouble { id, saw, terminal: true, hint })
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(240).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn waiting_pod(reason: &str, message: &str) -> Value {
        json!({"metadata": {"name": "p"}, "status": {"containerStatuses": [
            {"name": "c", "image": "i:1", "ready": false, "state": {"waiting": {"reason": reason, "message": message}}}]}})
    }

    #[test]
    fn a_pull_that_cannot_succeed_is_terminal_and_a_network_fault_is_not() {
        let limit = trouble(&waiting_pod("ImagePullBackOff", "429: toomanyrequests: You have reached your pull rate limit")).unwrap();
        assert_eq!((limit.id, limit.terminal), ("IMAGE_RATE_LIMIT", true));
        let gone = trouble(&waiting_pod("ErrImagePull", "rpc error: code = NotFound: docker.io/x/y:1: not found")).unwrap();
        assert_eq!((gone.id, gone.terminal), ("IMAGE_NOT_FOUND", true));
        let network = trouble(&waiting_pod("ErrImagePull", "dial tcp: lookup quay.io: no such host")).unwrap();
        assert!(!network.terminal, "{network:?}");
    }

    /// "0/1 nodes are available: 1 Insufficient cpu" (kn-plugin-quickstart#359: found only after a long wait).
    #[test]
    fn a_pod_that_fits_nowhere_is_named_at_once() {
        let pod = json!({"metadata": {"name": "p"}, "status": {"conditions": [
            {"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available: 1 Insufficient cpu."}]}});
        assert_eq!(trouble(&pod).unwrap().id, "INSUFFICIENT_CPU");
    }

    #[test]
    fn a_healthy_pod_has_no_trouble() {
        let pod = json!({"metadata": {"name": "p"}, "status": {"conditions": [{"type": "PodScheduled", "status": "True"}],
            "containerStatuses": [{"name": "c", "ready": true, "state": {"running": {}}}]}});
        assert_eq!(trouble(&pod), None);
    }
}
