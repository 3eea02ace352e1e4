//! What is wrong with this machine: its engine, kind, the way to the network, files that lie there.

use serde_json::json;

use crate::{
    rules::three_lines,
    small::{Machine, of},
    support::{
        faults::{Fault, FaultKind},
        sandbox::Output,
        tls_proxy::TlsProxy,
    },
};

/// kind's standard error on machines that it does not suit: exit 3 and the way out.
#[tokio::test]
async fn what_kind_says() {
    let docker = "ERROR: failed to create cluster: command \"docker run --name quickstart-control-plane\" failed with error: exit status 125\nCommand Output: docker: Error response from daemon: ";
    for (said, id, hint) in [
        (
            format!("{docker}failed to create inotify instance: too many open files"),
            "INOTIFY_LIMIT",
            "sysctl fs.inotify.max_user_instances",
        ),
        (format!("{docker}Bind for 127.0.0.1:8080 failed: port is already allocated."), "PORT_BUSY", "--port"),
        (format!("{docker}write /var/lib/docker/overlay2/x: no space left on device"), "NO_SPACE", "docker system"),
        (
            format!(
                "{docker}Get \"https://registry-1.docker.io/v2/\": tls: failed to verify certificate: x509: certificate signed by unknown authority"
            ),
            "REGISTRY_TLS",
            "--bundle",
        ),
        (
            "ERROR: failed to create cluster: running kind with rootless provider requires cgroup v2, see https://kind.sigs.k8s.io".into(),
            "CGROUP_UNSUPPORTED",
            "cgroup v2",
        ),
        (
            "ERROR: failed to create cluster: node(s) already exist for a cluster with the name \"quickstart\"".into(),
            "CLUSTER_EXISTS",
            "--name",
        ),
    ] {
        let machine = Machine::new().await;
        machine.kind.fail_create(&said, false);
        let output = machine.up(&["-o", "json"]).await.expect(3);
        let failed = of(&output.events(), "stage_failed")[0]["failure"].clone();
        assert_eq!((&failed["id"], &failed["exit"]), (&json!(id), &json!("prerequisite")), "{failed}");
        assert!(failed["hint"].as_str().is_some_and(|text| text.contains(hint)), "{failed}");
    }
}

/// A crashed kubectl leaves `config.lock`; kind then fails after it has made a whole node. The lock is named.
#[tokio::test]
async fn a_kubeconfig_whose_lock_was_left_behind() {
    let machine = Machine::new().await;
    let lock = machine.state_folder().join("kubeconfig.lock");
    fs_err::create_dir_all(machine.state_folder()).unwrap();
    fs_err::write(&lock, "").unwrap();
    let told = three_lines(&machine.up(&[]).await, 3, "KUBECONFIG_LOCKED");
    assert!(told.cause.contains("kubeconfig.lock") && told.hint.contains("remove"), "{told:?}");
    fs_err::remove_file(&lock).unwrap();
    machine.up(&[]).await.expect(0);
}

/// Older than the API that kind speaks.
#[tokio::test]
async fn an_engine_that_is_too_old() {
    let machine = Machine::new().await;
    let old = json!({"Version": "19.03.15", "ApiVersion": "1.40", "MinAPIVersion": "1.12", "Os": "linux", "Arch": "amd64", "KernelVersion": "4.19"});
    machine.engine.fault(Fault::on("/version", u32::MAX, FaultKind::Answer(200, old)));
    let told = three_lines(&machine.up(&[]).await, 3, "ENGINE_TOO_OLD");
    assert!(told.cause.contains("1.40") && told.hint.contains("20.10"), "{told:?}");
    assert!(machine.kind.calls().iter().all(|call| !call.starts_with("create")));
}

/// `state.json` of a later version: not read half, not overwritten.
#[tokio::test]
async fn a_state_of_a_newer_program() {
    let machine = Machine::new().await;
    fs_err::create_dir_all(machine.state_folder()).unwrap();
    fs_err::write(machine.state_folder().join("state.json"), r#"{"version": 99, "name": "quickstart"}"#).unwrap();
    let told = three_lines(&machine.up(&[]).await, 3, "STATE_NEWER");
    assert!(told.cause.contains("state.json") && told.hint.contains("newer"), "{told:?}");
    assert_eq!(machine.state()["version"], 99);
}

/// `up` without a bundle, behind a proxy of the environment.
async fn behind(proxy: &str, authority: bool) -> Output {
    let mut machine = Machine::new().await;
    machine.env("HTTPS_PROXY", proxy);
    if authority {
        machine.env("SSL_CERT_FILE", &TlsProxy::authority().display().to_string());
    }
    machine.quickstart(&["up", "--port", &machine.port.to_string()]).await
}

/// The transport only says that nobody answered; who was to answer is the proxy.
#[tokio::test]
async fn a_proxy_that_does_not_answer() {
    let told = three_lines(&behind("http://127.0.0.1:1", false).await, 3, "PROXY_ENV");
    assert!(told.hint.contains("HTTPS_PROXY") && told.hint.contains("NO_PROXY"), "{told:?}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_download_that_is_gone() {
    let proxy = TlsProxy::start(404, b"Not Found").await;
    let told = three_lines(&behind(&proxy.url(), true).await, 3, "DOWNLOAD_404");
    assert!(told.cause.contains("githubusercontent.com") && told.hint.contains("--bundle"), "{told:?}");
    assert!(!proxy.asked().is_empty());
}

/// A login page with code 200, or a file that somebody changed.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_download_that_is_not_the_pinned_file() {
    let proxy = TlsProxy::start(200, b"apiVersion: v1\nkind: Something\n").await;
    let told = three_lines(&behind(&proxy.url(), true).await, 8, "CHECKSUM");
    assert!(told.cause.contains("sha256") && told.hint.contains("--bundle"), "{told:?}");
}

/// A proxy that opens TLS, and whose authority this machine does not know.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_proxy_whose_certificate_nobody_trusts() {
    let proxy = TlsProxy::start(200, b"").await;
    let told = three_lines(&behind(&proxy.url(), false).await, 3, "REGISTRY_TLS");
    assert!(told.hint.contains("trust store"), "{told:?}");
    assert!(proxy.asked().is_empty(), "nothing was said to it");
}
