//! Pods whose own state says that waiting does not help: the stage fails at once, under the rule's name.

use crate::{
    rules::three_lines,
    small::Machine,
    support::{sandbox::Output, workloads::Trouble},
};

/// `up` on a new machine on which istiod's pod is in this state; `log` is what its container wrote.
async fn up(trouble: Trouble, log: &str) -> Output {
    let machine = Machine::new().await;
    machine.server.world().logs.insert("discovery".into(), log.into());
    machine.server.trouble("istio-system/istiod", trouble);
    machine.up(&[]).await
}

/// An image for another processor, one that does not exist, a memory limit: the pod, the container and its last words are told.
#[tokio::test]
async fn a_pod_that_cannot_start() {
    let missing = "rpc error: code = NotFound desc = failed to pull and unpack image \"docker.io/istio/pilot:1.99\": not found";
    let (crash, pull, memory) = tokio::join!(
        up(Trouble::crash_loop("Error", 255), "exec /usr/local/bin/pilot-discovery: exec format error\n"),
        up(Trouble::image_pull(missing), ""),
        up(Trouble::crash_loop("OOMKilled", 137), "info: starting\n"),
    );
    let told = three_lines(&crash, 4, "IMAGE_ARCH");
    assert!(told.cause.contains("istiod") && told.cause.contains("exec format error"), "{told:?}");
    assert!(told.hint.contains("architecture"), "{told:?}");
    let told = three_lines(&pull, 4, "IMAGE_NOT_FOUND");
    assert!(told.cause.contains("istio/pilot:1.99"), "{told:?}");
    let told = three_lines(&memory, 4, "OOM_KILLED");
    assert!(told.cause.contains("discovery was killed: out of memory"), "{told:?}");
    assert!(told.hint.contains("memory"), "{told:?}");
}
