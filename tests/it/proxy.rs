//! A proxy in the environment is for the world outside, never for 127.0.0.1.

use crate::small::Machine;

/// kube and reqwest both take HTTPS_PROXY for 127.0.0.1 unless they are told otherwise: the cluster was "unreachable" in every office.
#[tokio::test]
async fn a_proxy_is_not_used_for_this_machine() {
    let mut machine = Machine::new().await;
    for name in ["HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy", "ALL_PROXY"] {
        machine.env(name, "http://127.0.0.1:1");
    }
    machine.up(&[]).await.expect(0);
    machine.quickstart(&["status", "--probe"]).await.expect(0);
    machine.quickstart(&["predict"]).await.expect(0);
    let seen = machine.kind.environment();
    let none = seen.iter().find(|line| line.starts_with("NO_PROXY=")).unwrap_or_else(|| panic!("{seen:?}"));
    for place in ["127.0.0.1", "localhost", ".svc", "10.96.0.0/16", "10.244.0.0/16"] {
        assert!(none.contains(place), "the node itself would send {place} to the proxy: {none}");
    }
    assert!(seen.iter().any(|line| line == "HTTPS_PROXY=http://127.0.0.1:1"), "the node needs the proxy for images: {seen:?}");
    machine.quickstart(&["down"]).await.expect(0);
}
