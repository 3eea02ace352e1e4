//! `doctor`: exit codes and forms; what each check finds is tested beside it.

use crate::small::Machine;

/// A machine that can do it, and one that cannot.
#[tokio::test]
async fn it_tells_whether_this_machine_can_do_it() {
    let mut machine = Machine::new().await;
    let report = machine.quickstart(&["doctor", "-o", "json"]).await;
    assert!(report.json().is_object(), "{}", report.text());
    machine.env("DOCKER_HOST", "unix:///nowhere/docker.sock");
    let report = machine.quickstart(&["doctor"]).await.expect(3);
    assert!(report.stdout.contains("unix:///nowhere/docker.sock"), "{}", report.text());
    assert!(
        machine.server.requests().is_empty() && machine.kind.calls().iter().all(|call| call.starts_with("version")),
        "it changes nothing"
    );
}

/// `--list` names every error ID once.
#[tokio::test]
async fn it_lists_the_ids() {
    let machine = Machine::new().await;
    let list = machine.quickstart(&["doctor", "--list"]).await.expect(0);
    for id in ["IMAGE_RATE_LIMIT", "PORT_BUSY", "CLUSTER_FOREIGN", "BUNDLE_DAMAGED", "GATEWAY_404"] {
        assert!(list.stdout.contains(id), "{id} is missing:\n{}", list.stdout);
    }
}
