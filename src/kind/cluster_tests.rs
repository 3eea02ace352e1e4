use std::os::unix::fs::PermissionsExt;

use semver::Version;

use super::*;
use crate::error::Explain;

/// A `kind` that writes down how it was called and then does what `script` says.
struct Fake(tempfile::TempDir);

impl Fake {
    fn new(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kind");
        let calls = folder.path().join("calls");
        let text = format!("#!/bin/sh\necho \"$DOCKER_HOST|$NO_PROXY|$*\" >>{}\n{script}\n", calls.display());
        fs_err::write(&path, text).unwrap();
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        Self(folder)
    }

    fn kind(&self, proxies: &Proxies) -> Kind {
        let program = Program { path: self.0.path().join("kind"), version: Version::new(0, 30, 0) };
        Kind::new(program, "unix:///engine.sock", proxies, &[])
    }

    fn calls(&self) -> String {
        fs_err::read_to_string(self.0.path().join("calls")).unwrap()
    }
}

fn create<'a>(configuration: &'a Value, kubeconfig: &'a Path) -> Create<'a> {
    Create { name: "quickstart", configuration, kubeconfig, deadline: Duration::from_mins(1) }
}

#[tokio::test]
async fn create_hands_over_the_configuration_the_engine_and_keeps_failed_nodes() {
    let fake = Fake::new("cat >\"$(dirname $0)/config\"; echo ' • Preparing nodes' >&2");
    let configuration = serde_json::json!({"kind": "Cluster", "name": "quickstart"});
    let proxies = Proxies { any: true, no_proxy: None };
    let lines = std::sync::Mutex::new(Vec::new());
    let told = |line: &str| lines.lock().unwrap().push(line.to_owned());
    let done = fake.kind(&proxies).create(&create(&configuration, Path::new("/state/kubeconfig")), &CancellationToken::new(), &told).await;
    done.unwrap();
    let call = fake.calls();
    assert!(call.starts_with("unix:///engine.sock|localhost,127.0.0.1,"), "{call}");
    assert!(call.contains("create cluster --name quickstart --retain --config - --kubeconfig /state/kubeconfig"), "{call}");
    assert!(!call.contains("--wait"));
    let given: Value = serde_json::from_str(&fs_err::read_to_string(fake.0.path().join("config")).unwrap()).unwrap();
    assert_eq!(given, configuration);
    assert_eq!(*lines.lock().unwrap(), [" • Preparing nodes"]);
}

#[tokio::test]
async fn a_failed_create_says_why_in_our_words() {
    let fake =
        Fake::new("echo 'ERROR: failed to create cluster: node(s) already exist for a cluster with the name \"quickstart\"' >&2; exit 1");
    let configuration = serde_json::json!({});
    let error = fake
        .kind(&Proxies::default())
        .create(&create(&configuration, Path::new("/k")), &CancellationToken::new(), &|_| {})
        .await
        .unwrap_err();
    assert_eq!(error.id(), "CLUSTER_EXISTS");
    assert_eq!(error.to_string(), "a kind cluster named quickstart is there already");
}

#[tokio::test]
async fn the_other_verbs_name_the_cluster_and_our_kubeconfig() {
    let fake = Fake::new("case $2 in clusters) echo a; echo b;; kubeconfig) echo 'apiVersion: v1';; esac");
    let kind = fake.kind(&Proxies::default());
    assert_eq!(kind.clusters().await.unwrap(), ["a", "b"]);
    assert_eq!(kind.kubeconfig("a").await.unwrap(), "apiVersion: v1\n");
    kind.delete("a", Path::new("/k")).await.unwrap();
    kind.export_logs("a", Path::new("/logs")).await.unwrap();
    let calls = fake.calls();
    let verbs: Vec<&str> = calls.lines().filter_map(|line| line.rsplit('|').next()).collect();
    assert_eq!(
        verbs,
        ["get clusters -q", "get kubeconfig --name a", "delete cluster --name a --kubeconfig /k", "export logs --name a /logs",]
    );
}
