//! `up --on` and `down --on`: a cluster that was there before us, with things in it that are not ours.

use std::collections::BTreeMap;
use std::ops::Deref;

use quickstart::catalog::{Object, RestMap};
use serde_json::{Value, json};

use crate::small::{Machine, refused};
use crate::support::{
    api_server::{ApiServer, Pace},
    faults::Logged,
    gateway::Gateway,
    manifests,
    sandbox::{Output, eventually},
    store::Key,
    yaml,
};

const LABEL: &str = "app.kubernetes.io/managed-by";

/// A machine without an engine, and a cluster of somebody else's behind the context `prod`.
struct Place {
    machine: Machine,
    server: ApiServer,
}

impl Deref for Place {
    type Target = Machine;
    fn deref(&self) -> &Machine {
        &self.machine
    }
}

impl Place {
    async fn new() -> Self {
        let mut machine = Machine::new().await;
        machine.env("DOCKER_HOST", "unix:///nowhere/docker.sock");
        let server = ApiServer::start().await;
        server.pace(Pace { crds: 0, deployments: 0, inference_services: 0, nodes: 0, webhook_lag: 0 });
        server.attach_gateway(Gateway::new(std::sync::Arc::new(|| None)));
        let kubeconfig = machine.home().join(".kube/config");
        fs_err::create_dir_all(kubeconfig.parent().unwrap()).unwrap();
        fs_err::write(kubeconfig, server.kubeconfig("prod")).unwrap();
        let place = Self { machine, server };
        // Somebody works here.
        place.theirs("v1", "Namespace", "", "team", &json!({})).await;
        place.theirs("v1", "ConfigMap", "team", "mine", &json!({"data": {"a": "b"}})).await;
        place.theirs("rbac.authorization.k8s.io/v1", "ClusterRole", "", "team-reader", &json!({"rules": []})).await;
        place
    }

    /// The same with a cert-manager that somebody has applied with kubectl.
    async fn with_cert_manager() -> Self {
        let place = Self::new().await;
        place.component("cert-manager").await;
        place
    }

    /// Applies a component's manifests as kubectl does.
    async fn component(&self, name: &str) {
        let mut rest = RestMap::default();
        let files = manifests::files();
        let texts = files.iter().filter(|(component, ..)| *component == name).map(|(.., text)| text);
        let documents: Vec<Value> = texts.flat_map(|text| yaml::documents(text).unwrap()).filter(|one| !one.is_null()).collect();
        let objects: Vec<Object> = documents.into_iter().map(|body| Object::new(body, name).unwrap()).collect();
        rest.learn(&objects);
        for object in &objects {
            self.send(&rest.path(object).unwrap(), &object.whole()).await;
        }
        // It runs since long: what is looked at gets ready.
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        for kind in ["apiextensions.k8s.io/v1/customresourcedefinitions", "apps/v1/deployments", "apps/v1/deployments"] {
            client.get(format!("{}/apis/{kind}", self.server.url())).send().await.unwrap();
        }
        self.server.forget_requests();
    }

    /// An object of somebody else's.
    async fn theirs(&self, api_version: &str, kind: &str, namespace: &str, name: &str, more: &Value) {
        let mut body = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "labels": {"of": "somebody"}}});
        if !namespace.is_empty() {
            body["metadata"]["namespace"] = json!(namespace);
        }
        for (key, value) in more.as_object().into_iter().flatten() {
            body[key] = value.clone();
        }
        let object = Object::new(body, "theirs").unwrap();
        self.send(&RestMap::default().path(&object).unwrap(), &object.whole()).await;
        self.server.forget_requests();
    }

    async fn send(&self, path: &str, body: &Value) {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("{}{path}?fieldManager=kubectl&force=true", self.server.url());
        let request = client.patch(url).header("content-type", "application/apply-patch+yaml").body(body.to_string());
        let answer = request.send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{path}: {status}: {text}");
    }

    async fn on(&self, more: &[&str]) -> Output {
        self.machine.up(&[&["--on", "prod"], more].concat()).await
    }

    async fn down(&self, more: &[&str]) -> Output {
        self.quickstart(&[&["down", "--on", "prod"], more].concat()).await
    }

    /// Every object, resourceVersion and all.
    fn everything(&self) -> BTreeMap<Key, Value> {
        self.server.world().objects.iter().map(|(key, stored)| (key.clone(), stored.object.clone())).collect()
    }

    /// Names of what is in a namespace, but for what Kubernetes itself keeps there. (The fake collects no garbage: addresses of Services that
    /// are gone stay.)
    fn within(&self, namespace: &str) -> Vec<String> {
        let all = self.everything().into_keys().filter(|key| key.namespace == namespace && key.plural != "endpointslices");
        all.filter(|key| key.plural != "serviceaccounts" || key.name != "default")
            .map(|key| format!("{}/{}", key.plural, key.name))
            .collect()
    }

    #[track_caller]
    fn is_as_before(&self, before: &BTreeMap<Key, Value>) {
        let now = self.everything();
        let left: Vec<&Key> = now.keys().filter(|key| !before.contains_key(*key)).collect();
        let lost: Vec<&Key> = before.keys().filter(|key| !now.contains_key(*key)).collect();
        assert!(left.is_empty() && lost.is_empty(), "left: {left:#?}\nlost: {lost:#?}");
        let changed: Vec<&Key> = before.iter().filter(|(key, object)| now[*key] != **object).map(|(key, _)| key).collect();
        assert!(changed.is_empty(), "changed: {changed:#?}");
    }

    /// Nothing was written, and nothing is there that was not there.
    #[track_caller]
    fn was_not_touched(&self, before: &BTreeMap<Key, Value>) {
        let writes: Vec<String> = self.server.writes().iter().map(Logged::line).collect();
        assert_eq!(writes, Vec::<String>::new());
        self.is_as_before(before);
    }
}

/// From nothing to a prediction through the tunnel, without an engine; everything of ours says whose it is and is upstream's own; a second
/// run changes nothing; the other verbs work; and `down --on` leaves what was there, to the last resourceVersion.
#[tokio::test]
async fn there_and_back() {
    let place = Place::new().await;
    let before = place.everything();
    let kubeconfig = fs_err::read_to_string(place.home().join(".kube/config")).unwrap();
    let output = place.on(&["-o", "json"]).await.expect(0);
    let last = output.events().pop().unwrap();
    assert_eq!(last["outcome"]["prediction"], json!({"predictions": [1, 1]}), "{}", output.text());
    assert_eq!(last["outcome"]["context"], "prod");
    for (key, stored) in &place.server.world().objects {
        let ours = stored.managers.iter().any(|manager| manager.name == "quickstart");
        let said = stored.object["metadata"]["labels"][LABEL] == "quickstart";
        assert_eq!(ours, said, "{key:?} {}", stored.object["metadata"]);
    }
    let object = |path: &str| place.server.get(path).unwrap_or_else(|| panic!("no {path}"));
    let gateway = object("/api/v1/namespaces/istio-system/services/istio-ingressgateway");
    assert_eq!((&gateway["spec"]["type"], &gateway["spec"]["ports"][1]["nodePort"]), (&json!("LoadBalancer"), &Value::Null));
    let manager = object("/apis/apps/v1/namespaces/kserve/deployments/kserve-controller-manager");
    let containers = manager["spec"]["template"]["spec"]["containers"].as_array().unwrap();
    let container = containers.iter().find(|container| container["name"] == "manager").unwrap();
    assert_eq!((&container["imagePullPolicy"], &container["readinessProbe"]["initialDelaySeconds"]), (&json!("Always"), &json!(30)));
    object("/apis/autoscaling/v2/namespaces/istio-system/horizontalpodautoscalers/istiod");
    let model = object("/api/v1/namespaces/kserve-test/configmaps/sklearn-iris-model");
    assert_eq!(model["binaryData"], json!({"model.joblib": "bm90IHJlYWxseSBhIG1vZGVs"}), "the bundle's model, in base64");

    place.server.forget_requests();
    let again = place.on(&[]).await.expect(0);
    let changes: Vec<String> = place.server.changes().iter().map(Logged::line).collect();
    assert_eq!(changes, Vec::<String>::new(), "{}", again.text());
    // What was begun there goes on there.
    place.quickstart(&["up"]).await.expect(0);
    assert!(place.server.changes().is_empty());
    place.quickstart(&["predict"]).await.expect(0);
    let status = place.quickstart(&["status"]).await.expect(0);
    assert!(status.stdout.contains("through a tunnel"), "{}", status.text());
    place.quickstart(&["plan", "--diff"]).await.expect(0);
    place.quickstart(&["doctor"]).await.expect(0);
    refused(place.quickstart(&["up", "--on", "other"]).await, 2, "CLUSTER_DIFFERS");
    refused(place.quickstart(&["stop"]).await, 2, "USAGE");

    let down = place.down(&[]).await.expect(0);
    assert!(down.stderr.contains("gone from context prod"), "{}", down.text());
    place.is_as_before(&before);
    assert!(!place.state_folder().exists());
    eventually("the tunnel is closed", || std::net::TcpListener::bind(("127.0.0.1", place.port)).is_ok()).await;
    assert_eq!(fs_err::read_to_string(place.home().join(".kube/config")).unwrap(), kubeconfig);
    let nothing = place.down(&[]).await.expect(0);
    assert!(nothing.stderr.contains("nothing of quickstart's is on context prod"), "{}", nothing.text());
}

/// Somebody's cert-manager serves us as it is: said before and during, not touched, and there afterwards.
#[tokio::test]
async fn a_cert_manager_that_is_there_is_used() {
    let place = Place::with_cert_manager().await;
    let before = place.everything();
    let said = "cert-manager: already there (1.18.0, by kubectl, namespace cert-manager), used as it is";
    let plan = place.quickstart(&["plan", "--on", "prod", "--bundle", &place.bundle]).await.expect(0);
    assert!(plan.stdout.contains(said), "{}", plan.text());
    let plan = place.quickstart(&["plan", "--on", "prod", "--bundle", &place.bundle, "-o", "json"]).await.expect(0).json();
    assert_eq!(plan["target"]["adopted"][0]["component"], "cert-manager");
    assert!(plan["stages"].as_array().unwrap().iter().all(|stage| stage["id"] != "cert-manager"));
    let output = place.on(&[]).await.expect(0);
    assert!(output.stderr.contains(said), "{}", output.text());
    let status = place.quickstart(&["status"]).await.expect(0);
    assert!(status.stdout.contains(said), "{}", status.text());
    assert_eq!(place.quickstart(&["plan", "--diff"]).await.code, Some(0));
    let theirs = |key: &Key| key.namespace == "cert-manager" || key.name.contains("cert-manager");
    for (key, object) in before.iter().filter(|(key, _)| theirs(key)) {
        assert_eq!(place.everything().get(key), Some(object), "{key:?}");
    }
    place.down(&[]).await.expect(0);
    place.is_as_before(&before);
}

/// HTTPS leans on somebody else's cert-manager as well; its Service stays of the type that it has, and what was made of it goes again.
#[tokio::test]
async fn https_comes_and_goes() {
    let place = Place::with_cert_manager().await;
    let before = place.everything();
    fs_err::write(place.home().join("quickstart.yaml"), "gateway: {protocol: https}\n").unwrap();
    let output = place.on(&[]).await.expect(0);
    assert!(output.stdout.contains("--cacert") && output.stdout.contains("[1, 1]"), "{}", output.text());
    let gateway = place.server.get("/apis/networking.istio.io/v1beta1/namespaces/istio-system/gateways/quickstart-https").unwrap();
    assert_eq!(gateway["metadata"]["labels"][LABEL], "quickstart");
    let service = place.server.get("/api/v1/namespaces/istio-system/services/istio-ingressgateway").unwrap();
    assert_eq!(service["spec"]["type"], "LoadBalancer");
    assert_eq!(place.quickstart(&["predict"]).await.expect(0).stdout, "[1, 1]\n");
    place.down(&[]).await.expect(0);
    place.is_as_before(&before);
}

/// What somebody else installed is neither changed nor half used: who and where is said, and nothing was begun.
#[tokio::test]
async fn a_component_of_somebody_else_is_refused() {
    let place = Place::new().await;
    place.component("istio").await;
    let before = place.everything();
    let output = refused(place.on(&[]).await, 3, "COMPONENT_FOREIGN");
    assert!(output.stderr.contains("Deployment istio-system/istiod 1.27.1 by kubectl"), "{}", output.text());
    place.was_not_touched(&before);
    let plan = place.quickstart(&["plan", "--on", "prod", "--bundle", &place.bundle]).await.expect(0);
    assert!(plan.stderr.contains("Istio is there already") && plan.stderr.contains("`up` refuses"), "{}", plan.text());
    // Nothing was begun: the name is free.
    place.down(&[]).await.expect(0);
    place.is_as_before(&before);
}

/// What is missing is named, each verb with its kind; nothing was tried.
#[tokio::test]
async fn permissions_that_are_missing_are_named() {
    let place = Place::new().await;
    let before = place.everything();
    let denied = [("create", "customresourcedefinitions"), ("patch", "customresourcedefinitions"), ("create", "pods/portforward")];
    place.server.world().denied = denied.map(|(verb, of)| (verb.to_owned(), of.to_owned())).to_vec();
    let output = refused(place.on(&[]).await, 3, "RBAC_MISSING");
    let cause = "create, patch: customresourcedefinitions.apiextensions.k8s.io; create: pods/portforward in istio-system";
    assert!(output.stderr.contains(cause), "{}", output.text());
    place.was_not_touched(&before);
    // Without the tunnel nobody needs the last one; somebody who may do each thing needs no `*`.
    place.server.world().denied = vec![("create".into(), "pods/portforward".into())];
    place.on(&["--no-forward", "--without-demo"]).await.expect(0);
}

#[tokio::test]
async fn a_kubernetes_that_is_too_old_is_refused() {
    let place = Place::new().await;
    "v1.31.4-eks-2d5f260".clone_into(&mut place.server.world().kubernetes);
    let before = place.everything();
    let output = refused(place.on(&[]).await, 3, "KUBERNETES_TOO_OLD");
    assert!(output.stderr.contains("v1.31.4-eks-2d5f260") && output.stderr.contains("1.33"), "{}", output.text());
    place.was_not_touched(&before);
}

/// A namespace that was made for us beforehand is used and stays; anything else under a name that we need is refused.
#[tokio::test]
async fn objects_that_are_there() {
    let place = Place::new().await;
    place.theirs("v1", "Namespace", "", "kserve", &json!({})).await;
    place.theirs("v1", "ConfigMap", "kserve", "inferenceservice-config", &json!({"data": {"mine": "yes"}})).await;
    let before = place.everything();
    let output = refused(place.on(&[]).await, 3, "OBJECT_FOREIGN");
    assert!(output.stderr.contains("ConfigMap kserve/inferenceservice-config by kubectl"), "{}", output.text());
    place.was_not_touched(&before);
    place.server.world().delete(&Key::new("", "configmaps", "kserve", "inferenceservice-config"));
    let output = place.on(&[]).await.expect(0);
    assert!(output.stderr.contains("already there, used, and not taken away: namespace kserve"), "{}", output.text());
    place.down(&[]).await.expect(0);
    assert_eq!(place.within("kserve"), Vec::<String>::new());
    assert!(place.server.get("/api/v1/namespaces/kserve").is_some_and(|found| found["metadata"]["labels"]["of"] == "somebody"));
    assert!(place.server.get("/api/v1/namespaces/knative-serving").is_none());
}

/// A model of somebody's would die with its kind: said, and nothing touched. What else they have put beside ours stays, with its namespace.
#[tokio::test]
async fn what_others_have_there_is_not_lost() {
    let place = Place::new().await;
    place.on(&["--without-demo"]).await.expect(0);
    let model = json!({"spec": {"predictor": {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": "s3://m"}}}});
    place.theirs("serving.kserve.io/v1beta1", "InferenceService", "team", "theirs", &model).await;
    place.theirs("v1", "ConfigMap", "knative-serving", "notes", &json!({"data": {"a": "b"}})).await;
    place.server.forget_requests();
    let output = refused(place.down(&[]).await, 2, "WOULD_LOSE");
    assert!(output.stderr.contains("InferenceService team/theirs") && output.stderr.contains("--yes"), "{}", output.text());
    assert!(place.server.writes().is_empty());
    place.server.world().delete(&Key::new("serving.kserve.io", "inferenceservices", "team", "theirs"));
    let output = place.quickstart(&["down"]).await.expect(0);
    assert!(output.stderr.contains("namespace knative-serving stays: ConfigMap knative-serving/notes is not ours"), "{}", output.text());
    assert_eq!(place.within("knative-serving"), ["configmaps/notes"]);
    assert!(place.server.get("/api/v1/namespaces/kserve").is_none());
}

/// With `--yes` they go too; a copy of an object of ours carries our label and is not ours.
#[tokio::test]
async fn what_others_have_there_is_given_up_by_word() {
    let place = Place::new().await;
    place.on(&["--without-demo"]).await.expect(0);
    let before = place.everything();
    let model = json!({"spec": {"predictor": {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": "s3://m"}}}});
    place.theirs("serving.kserve.io/v1beta1", "InferenceService", "team", "theirs", &model).await;
    place.theirs("v1", "ConfigMap", "knative-serving", "notes", &json!({"data": {"a": "b"}})).await;
    let copy = json!({"metadata": {"name": "copy", "namespace": "team", "labels": {LABEL: "quickstart"}}});
    place.theirs("v1", "ConfigMap", "team", "copy", &copy).await;
    place.down(&["--yes"]).await.expect(0);
    assert!(place.server.get("/api/v1/namespaces/knative-serving").is_none());
    assert!(place.server.get("/api/v1/namespaces/team/configmaps/copy").is_some());
    assert!(place.everything().len() < before.len());
}

/// Profile raw, and a cloud's load balancer: its address is said by `up` and by `status`.
#[tokio::test]
async fn the_address_of_a_load_balancer() {
    let place = Place::new().await;
    let before = place.everything();
    let output = place.on(&["--profile", "raw"]).await.expect(0);
    assert!(output.stderr.contains("no address of a load balancer yet") && output.stdout.contains("[1, 1]"), "{}", output.text());
    place.server.edit("/api/v1/namespaces/istio-system/services/istio-ingressgateway", "cloud-controller-manager", |service| {
        service["status"] = json!({"loadBalancer": {"ingress": [{"hostname": "a1.elb.example"}]}});
    });
    let status = place.quickstart(&["status"]).await.expect(0);
    assert!(status.stdout.contains("load balancer a1.elb.example"), "{}", status.text());
    assert_eq!(place.quickstart(&["status", "-o", "json"]).await.expect(0).json()["load_balancer"], "a1.elb.example");
    let again = place.quickstart(&["up", "--profile", "raw"]).await.expect(0);
    assert!(again.stderr.contains("has the address a1.elb.example"), "{}", again.text());
    refused(place.quickstart(&["up", "--profile", "serverless"]).await, 2, "CLUSTER_DIFFERS");
    place.down(&[]).await.expect(0);
    place.is_as_before(&before);
}
