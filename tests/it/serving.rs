//! How models are served, as the configuration file says it: one key, and everything that depends on it follows.

use serde_json::{Value, json};

use crate::{
    second_up::delete,
    small::{Machine, refused},
};

const ALL: &str = "domain: models.test\nnamespace: lessons\ningressClass: models\nstorage:\n  endpoint: http://minio.minio:9000\n  region: eu-central-1\n\
    kserve:\n  storageInitializer: {memoryLimit: 2Gi, memoryRequest: 128Mi}\n";

fn write(machine: &Machine, text: &str) {
    fs_err::write(machine.home().join("quickstart.yaml"), text).unwrap();
}

fn inner(machine: &Machine, key: &str) -> Value {
    let map = machine.server.get("/api/v1/namespaces/kserve/configmaps/inferenceservice-config").unwrap();
    serde_json::from_str(map["data"][key].as_str().unwrap()).unwrap()
}

/// The domain stood in five places of the program and two of the cluster: whoever changed it in one of them got a 404.
#[tokio::test]
async fn every_host_follows_the_domain() {
    for (profile, host) in [("raw", "sklearn-iris-lessons.models.test"), ("serverless", "sklearn-iris.lessons.models.test")] {
        let machine = Machine::new().await;
        write(&machine, &format!("{ALL}profile: {profile}\n"));
        let plan = machine.quickstart(&["plan", "-o", "json"]).await.expect(0).json();
        assert_eq!((&plan["demo"]["host"], &plan["serving"]["domain"]), (&json!(host), &json!("models.test")));
        let from = plan["settings"].as_array().unwrap().iter().find(|one| one["key"] == "domain").unwrap().clone();
        assert_eq!(from["source"], "file quickstart.yaml");

        let output = machine.up(&[]).await.expect(0);
        assert!(output.stdout.contains(&format!("-H 'Host: {host}'")) && output.stdout.contains("[1, 1]"), "{}", output.text());
        assert!(machine.server.get("/api/v1/namespaces/kserve-test").is_none());
        assert_eq!((&machine.state()["domain"], &machine.state()["namespace"]), (&json!("models.test"), &json!("lessons")));
        assert_eq!(inner(&machine, "ingress")["ingressDomain"], "models.test");
        assert_eq!(inner(&machine, "ingress")["ingressClassName"], "models");
        assert_eq!(inner(&machine, "ingress")["urlScheme"], "http", "what is not named stays");
        assert_eq!(
            inner(&machine, "credentials")["s3"],
            json!({"s3Endpoint": "minio.minio:9000", "s3UseHttps": "0", "s3Region": "eu-central-1"})
        );
        assert_eq!(inner(&machine, "credentials")["storageSpecSecretName"], "storage-config");
        let initializer = inner(&machine, "storageInitializer");
        assert_eq!((&initializer["memoryLimit"], &initializer["memoryRequest"]), (&json!("2Gi"), &json!("128Mi")));
        assert_eq!(initializer["image"], "kserve/storage-initializer:v0.20.0");
        assert_eq!(
            machine.server.get("/apis/networking.k8s.io/v1/ingressclasses/models").unwrap()["spec"]["controller"],
            "istio.io/ingress-controller"
        );
        if profile == "serverless" {
            let domains = machine.server.get("/api/v1/namespaces/knative-serving/configmaps/config-domain").unwrap();
            assert_eq!(domains["data"].get("models.test"), Some(&json!("")));
            assert!(domains["data"].get("example.com").is_none(), "two domains without a selector: Knative takes any");
        }
        machine.quickstart(&["predict"]).await.expect(0);
        let report = machine.quickstart(&["status", "--probe", "-o", "json"]).await.expect(0).json();
        assert_eq!((&report["demo"]["host"], &report["demo"]["namespace"]), (&json!(host), &json!("lessons")));
        let route = machine.quickstart(&["doctor", "route", "sklearn-iris", "-o", "json"]).await.expect(0).json();
        assert_eq!(route["host"], host);

        // Without the file, from another folder: the cluster keeps its names.
        fs_err::remove_file(machine.home().join("quickstart.yaml")).unwrap();
        let output = machine.quickstart(&["up"]).await.expect(0);
        assert!(output.stdout.contains(host), "{}", output.text());
        machine.quickstart(&["reset"]).await.expect(0);
        assert_eq!(machine.state()["demo_host"], host);
    }
}

/// A domain is read at KServe's start only: without another pod the Ingresses of the models kept the old one.
#[tokio::test]
async fn the_domain_of_a_cluster_that_runs_can_be_changed() {
    let machine = Machine::up_and_running().await;
    let controller = "/apis/apps/v1/namespaces/kserve/deployments/kserve-controller-manager";
    let before = machine.server.get(controller).unwrap()["metadata"]["generation"].clone();
    write(&machine, "domain: other.test\n");
    let output = machine.quickstart(&["up"]).await.expect(0);
    assert!(output.stdout.contains("sklearn-iris.kserve-test.other.test"), "{}", output.text());
    assert_ne!(machine.server.get(controller).unwrap()["metadata"]["generation"], before, "KServe starts anew with it");
    machine.server.forget_requests();
    machine.quickstart(&["up"]).await.expect(0);
    assert!(machine.server.writes().is_empty());
}

/// KServe ignores a key that it does not know: a typing error was a setting that never was.
#[tokio::test]
async fn a_key_that_kserve_has_not_is_refused() {
    for (text, parts) in [
        ("kserve: {storageInitialiser: {memoryLimit: 2Gi}}", ["`kserve.storageInitialiser`", "did you mean `storageInitializer`?"]),
        ("kserve: {storageInitializer: {memoryLimmit: 2Gi}}", ["`kserve.storageInitializer.memoryLimmit`", "memoryRequest"]),
        ("kserve: {_example: {a: b}}", ["`kserve._example`", "it has agent"]),
        ("kserve: {ingress: {ingressDomain: a.test}}", ["`kserve.ingress.ingressDomain`", "`domain:`"]),
        ("kserve: {deploy: {defaultDeploymentMode: Standard}}", ["`kserve.deploy.defaultDeploymentMode`", "`profile:`"]),
        ("domain: Models.Test", ["`domain`", "models.example.com"]),
        ("namespace: a.b", ["`namespace`", "small letters"]),
        ("storage: {endpoint: ftp://x}", ["`storage.endpoint`", "https://"]),
        ("storage: {endpiont: x}", ["unknown key `endpiont`", "did you mean `endpoint`?"]),
    ] {
        let machine = Machine::new().await;
        write(&machine, text);
        let output = refused(machine.quickstart(&["plan", "--bundle", &machine.bundle, "-o", "manifests"]).await, 2, "CONFIG_INVALID");
        for part in parts {
            assert!(output.stderr.contains(part), "{text}: {part} is missing: {}", output.text());
        }
    }
}

/// A demo that moves would leave the old one behind.
#[tokio::test]
async fn the_demos_namespace_stays() {
    let machine = Machine::up_and_running().await;
    write(&machine, "namespace: lessons\n");
    let output = refused(machine.quickstart(&["up"]).await, 2, "CLUSTER_DIFFERS");
    assert!(output.stderr.contains("kserve-test") && output.stderr.contains("lessons"), "{}", output.text());
    assert!(machine.server.writes().is_empty());
    delete(&machine, "/apis/apps/v1/namespaces/kserve/deployments/kserve-controller-manager").await;
    fs_err::remove_file(machine.home().join("quickstart.yaml")).unwrap();
    machine.quickstart(&["up"]).await.expect(0);
}
