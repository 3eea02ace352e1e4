//! `logs`: one archive with everything in it but secrets, and with as much of it as there is.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::{
    small::{Machine, refused},
    support::{
        faults::{Fault, FaultKind},
        sandbox::Output,
        workloads::Trouble,
    },
};

/// The files of an archive, without the folder that they are all in.
fn unpack(path: &Path) -> BTreeMap<String, String> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(fs_err::File::open(path).unwrap()));
    let mut files = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_string_lossy().into_owned();
        let (top, name) = name.split_once('/').unwrap();
        assert!(top.starts_with("quickstart-logs-quickstart-2"), "{top}");
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        files.insert(name.to_owned(), text);
    }
    files
}

/// The archive of a run: its path is the one line of data.
fn packed(output: Output) -> (PathBuf, BTreeMap<String, String>) {
    let output = output.expect(0);
    assert_eq!(output.stdout.lines().count(), 1, "{}", output.text());
    let path = PathBuf::from(output.stdout.trim_end());
    let files = unpack(&path);
    assert!(files["MISSING.txt"].lines().all(|line| line == "nothing is missing" || line.contains(": ")), "{}", files["MISSING.txt"]);
    (path, files)
}

fn json(files: &BTreeMap<String, String>, name: &str) -> Value {
    let text = files.get(name).unwrap_or_else(|| panic!("{name} is not among {:?}\n{}", files.keys(), files["MISSING.txt"]));
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}\n{text}"))
}

/// Everything of a cluster that runs; the file is private, has its default name, and nothing else was left behind.
#[tokio::test]
async fn a_running_cluster() {
    let machine = Machine::up_and_running().await;
    let (path, files) = packed(machine.quickstart(&["logs"]).await);
    assert_eq!(path.parent(), Some(machine.home().as_path()));
    assert!(path.file_name().unwrap().to_str().unwrap().ends_with("Z.tar.gz"), "{}", path.display());
    assert_eq!(fs_err::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!((json(&files, "status.json")["ready"].clone(), json(&files, "doctor.json")["version"].clone()), (json!(true), json!(1)));
    assert_eq!(json(&files, "plan.json")["cluster"], "quickstart");
    let versions = json(&files, "versions.json");
    assert!(versions["kubernetes"].as_str().unwrap().starts_with("v1."), "{versions}");
    assert_eq!(versions["kind"]["version"], "0.30.0");
    assert!(versions["engine"]["version"].is_string(), "{versions}");
    assert!(json(&files, "settings.json")["settings"].to_string().contains("\"source\":\"default\""));
    let deployments = json(&files, "cluster/objects/deployments.json").to_string();
    assert!(deployments.contains("kserve-controller-manager") && !deployments.contains("managedFields"));
    for name in [
        "nodes",
        "pods",
        "services",
        "inferenceservices",
        "certificates",
        "validatingwebhookconfigurations",
        "knative-services",
        "gateways",
    ] {
        assert!(files.contains_key(&format!("cluster/objects/{name}.json")), "{name}: {}", files["MISSING.txt"]);
    }
    assert!(json(&files, "cluster/objects/secrets.json").is_array());
    assert!(
        files.keys().any(|name| name.starts_with("cluster/logs/istio-system/istiod-") && name.ends_with("/discovery.log")),
        "{:?}",
        files.keys()
    );
    assert_eq!(json(&files, "state/state.json")["name"], "quickstart");
    assert!(files.contains_key("state/events.jsonl") && files.contains_key("cluster/events.txt") && files.contains_key("README.txt"));
    assert_eq!(files["kind/quickstart-control-plane/kubelet.log"], "kubelet: scripted log\n");
    assert!(machine.server.writes().is_empty(), "looking changes nothing");
    let left: Vec<_> = fs_err::read_dir(machine.path().join("tmp")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    machine.knows_everything();
}

/// What is planted in every place that is read is in none of the files.
#[tokio::test]
async fn no_secret_gets_in() {
    let mut machine = Machine::up_and_running().await;
    let home = machine.home().display().to_string();
    machine.env("HTTPS_PROXY", "http://ada:planted-proxy-password@192.0.2.1:3128");
    let token = "eyJhbGciOiJSUzI1NiJ9.eyJwbGFudGVkIjoidG9rZW4ifQ.cGxhbnRlZA";
    {
        let mut world = machine.server.world();
        let log = format!(
            "calling with Authorization: Bearer planted-bearer-1\ntoken is {token} in {home}/x\n-----BEGIN PRIVATE KEY-----\nplantedkeyMIIE\n-----END PRIVATE KEY-----\nready\n"
        );
        world.logs.insert("discovery".to_owned(), log);
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {"name": "s3", "namespace": "kserve-test", "annotations": {"kubectl.kubernetes.io/last-applied-configuration":
                "{\"kind\":\"Secret\",\"data\":{\"key\":\"cGxhbnRlZC1zZWNyZXQ=\"}}"}},
            "data": {"key": "cGxhbnRlZC1zZWNyZXQ="}});
        world.put("", "secrets", "kserve-test", secret, "kubectl");
    }
    // Not istiod's: the change makes a new pod, and whether that runs already when its log is wanted is a matter of luck.
    machine.server.edit("/apis/apps/v1/namespaces/cert-manager/deployments/cert-manager-cainjector", "kubectl", |object| {
        object["spec"]["template"]["spec"]["containers"][0]["env"] =
            json!([{"name": "AWS_SECRET_ACCESS_KEY", "value": "planted-env-value"}]);
    });
    let folder = machine.state_folder();
    fs_err::create_dir_all(folder.join("kind-logs")).unwrap();
    let kubeconfig = "users:\n- name: a\n  user:\n    client-key-data: cGxhbnRlZC1rZXk=\n    token: planted-token\n";
    fs_err::write(folder.join("kubeconfig.old"), kubeconfig).unwrap();
    fs_err::write(folder.join("kind-logs/kind.log"), format!("writing {home}/.kube/config\n{kubeconfig}done\n")).unwrap();
    let (_, files) = packed(machine.quickstart(&["logs"]).await);
    for (name, text) in &files {
        for planted in ["planted", "cGxhbnRlZ", token, &home] {
            assert!(!text.contains(planted), "{name} holds {planted}:\n{text}");
        }
        assert!(!name.contains("kubeconfig"), "{name}");
    }
    assert_eq!(json(&files, "cluster/objects/secrets.json").to_string().matches("\"s3\"").count(), 1, "that it is there is told");
    assert!(
        files["state/kind-logs/kind.log"].contains("client-key-data: [redacted]") && files["state/kind-logs/kind.log"].ends_with("done\n")
    );
    assert!(files["cluster/objects/deployments.json"].contains("AWS_SECRET_ACCESS_KEY"), "the name of a variable stays");
    let log = files.iter().find(|(name, _)| name.ends_with("/discovery.log")).unwrap().1;
    assert!(log.ends_with("[redacted] in ~/x\n[redacted]\nready\n"), "{log}");
}

/// A container that crashes: the log of the instance before is what tells why.
#[tokio::test]
async fn a_crashed_container() {
    let machine = Machine::up_and_running().await;
    machine.server.trouble("istio-system/istiod", Trouble::crash_loop("Error", 1));
    machine.server.trouble("cert-manager/cert-manager", Trouble::image_pull("not found"));
    let (_, files) = packed(machine.quickstart(&["logs", "--out", "x.tgz"]).await);
    assert!(files.keys().any(|name| name.ends_with("/discovery.previous.log")), "{:?}", files.keys());
    assert!(files["MISSING.txt"].contains("it has not started: ImagePullBackOff"), "{}", files["MISSING.txt"]);
    assert_eq!(json(&files, "status.json")["ready"], false);
}

/// Nothing was ever made: what there is of the machine is packed, the rest is named.
#[tokio::test]
async fn no_cluster() {
    let machine = Machine::new().await;
    let (_, files) = packed(machine.quickstart(&["logs"]).await);
    for part in [
        "cluster: there is no such cluster",
        "kind: quickstart has made no node",
        "state: there is no state folder",
        "status.json: there is no cluster",
    ] {
        assert!(files["MISSING.txt"].contains(part), "{part}:\n{}", files["MISSING.txt"]);
    }
    assert!(json(&files, "doctor.json").is_object() && json(&files, "plan.json").is_object() && json(&files, "versions.json").is_object());
}

/// The engine is gone: our own files are still there, and so is an API server.
#[tokio::test]
async fn an_engine_that_is_gone() {
    let mut machine = Machine::up_and_running().await;
    machine.env("DOCKER_HOST", "unix:///nowhere/docker.sock");
    let (_, files) = packed(machine.quickstart(&["logs"]).await);
    let missing = &files["MISSING.txt"];
    assert!(missing.contains("kind: ") && missing.contains("ENGINE_UNREACHABLE"), "{missing}");
    assert!(missing.contains("versions.json: engine: "), "{missing}");
    assert!(files.contains_key("state/state.json") && files.contains_key("cluster/objects/pods.json"), "{:?}", files.keys());
}

/// The API server is dead, the state is damaged, kind is not there: three reasons, one archive.
#[tokio::test]
async fn a_dead_api_server_and_a_damaged_state() {
    let machine = Machine::up_and_running().await;
    fs_err::write(machine.state_folder().join("state.json"), "{\"version\": 1, ").unwrap();
    machine.server.fault(Fault::on("/", u32::MAX, FaultKind::Close));
    let (_, files) = packed(machine.quickstart(&["logs"]).await);
    let missing = &files["MISSING.txt"];
    assert!(missing.contains("status.json: ") && missing.contains("STATE_DAMAGED"), "{missing}");
    assert!(missing.contains("cluster: ") && missing.contains("API_UNREACHABLE"), "{missing}");
    assert_eq!(files["state/state.json"], "{\"version\": 1, ", "as it is: it is what is wrong");
    assert!(files.contains_key("kind/quickstart-control-plane/kubelet.log"), "{missing}");
}

/// A file that is there is not replaced, and nothing is asked for before that is known.
#[tokio::test]
async fn an_archive_that_is_there() {
    let machine = Machine::new().await;
    fs_err::write(machine.home().join("mine.tar.gz"), "mine").unwrap();
    let output = refused(machine.quickstart(&["logs", "--out", "mine.tar.gz"]).await, 2, "LOGS_EXISTS");
    assert!(output.stderr.contains("--out"), "{}", output.text());
    assert_eq!(fs_err::read_to_string(machine.home().join("mine.tar.gz")).unwrap(), "mine");
    refused(machine.quickstart(&["logs", "--out", "no/such/folder/x.tar.gz"]).await, 3, "LOGS_WRITE");
    assert!(machine.kind.calls().is_empty());
}
