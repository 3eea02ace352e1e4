//! The fake API server, asked by kube's own client.

use kube::{
    Api, Client, Config,
    api::{ApiResource, DynamicObject, ListParams, Patch, PatchParams, PostParams},
    core::GroupVersionKind,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{
    api_server::{ApiServer, Pace, workloads::Trouble},
    faults::{Fault, FaultKind},
};

fn client(server: &ApiServer) -> Client {
    let mut config = Config::new(server.url().parse().unwrap());
    config.default_retry = false;
    Client::try_from(config).unwrap()
}

fn api(server: &ApiServer, group: &str, version: &str, kind: &str, plural: &str, namespace: Option<&str>) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
    match namespace {
        Some(namespace) => Api::namespaced_with(client(server), namespace, &resource),
        None => Api::all_with(client(server), &resource),
    }
}

async fn apply(api: &Api<DynamicObject>, manager: &str, object: Value) -> Result<DynamicObject, kube::Error> {
    let name = object["metadata"]["name"].as_str().unwrap().to_owned();
    api.patch(&name, &PatchParams::apply(manager), &Patch::Apply(&object)).await
}

fn status(error: kube::Error) -> kube::core::Status {
    match error {
        kube::Error::Api(status) => *status,
        other => panic!("not an answer of the server: {other:?}"),
    }
}

fn deployment(name: &str, image: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {"replicas": 1, "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "main", "image": image}]}}}})
}

#[tokio::test]
async fn a_second_identical_apply_changes_nothing() {
    let server = ApiServer::start().await;
    let api = api(&server, "apps", "v1", "Deployment", "deployments", Some("default"));
    let first = apply(&api, "quickstart", deployment("web", "a:1")).await.unwrap();
    let path = "/apis/apps/v1/namespaces/default/deployments/web";
    let before = server.get(path).unwrap();
    apply(&api, "quickstart", deployment("web", "a:1")).await.unwrap();
    assert_eq!(server.get(path).unwrap(), before);
    assert_eq!(server.changes().len(), 1);
    let third = apply(&api, "quickstart", deployment("web", "a:2")).await.unwrap();
    assert_eq!((first.metadata.generation, third.metadata.generation), (Some(1), Some(2)));
    assert_eq!(server.get(path).unwrap()["spec"]["template"]["spec"]["containers"], json!([{"name": "main", "image": "a:2"}]));
}

/// An apply of the same object after a controller had written elsewhere in it bumped resourceVersion, because managers were sorted anew.
#[tokio::test]
async fn a_controllers_write_does_not_make_the_next_apply_a_change() {
    let server = ApiServer::start().await;
    let api = api(&server, "apps", "v1", "Deployment", "deployments", Some("default"));
    apply(&api, "quickstart", deployment("web", "a:1")).await.unwrap();
    let path = "/apis/apps/v1/namespaces/default/deployments/web";
    server.edit(path, "cainjector", |object| object["metadata"]["annotations"] = json!({"a": "b"}));
    let before = server.get(path).unwrap();
    apply(&api, "quickstart", deployment("web", "a:1")).await.unwrap();
    assert_eq!(server.get(path).unwrap(), before);
}

#[tokio::test]
async fn a_field_of_another_manager_conflicts_until_forced() {
    let server = ApiServer::start().await;
    let api = api(&server, "apps", "v1", "Deployment", "deployments", Some("default"));
    apply(&api, "quickstart", deployment("web", "a:1")).await.unwrap();
    server.edit("/apis/apps/v1/namespaces/default/deployments/web", "hpa", |object| object["spec"]["replicas"] = json!(3));
    let refused = status(apply(&api, "quickstart", deployment("web", "a:1")).await.unwrap_err());
    assert_eq!((refused.code, refused.reason.as_str()), (409, "Conflict"));
    assert_eq!(refused.message, "Apply failed with 1 conflict: conflict with \"hpa\" using apps/v1: .spec.replicas");
    let mut without = deployment("web", "a:1");
    without["spec"].as_object_mut().unwrap().remove("replicas");
    let kept = apply(&api, "quickstart", without).await.unwrap();
    assert_eq!(kept.data["spec"]["replicas"], 3, "a field that somebody else owns stays when we drop it");
    let forced = api.patch("web", &PatchParams::apply("quickstart").force(), &Patch::Apply(&deployment("web", "a:1"))).await.unwrap();
    assert_eq!(forced.data["spec"]["replicas"], 1);
}

#[tokio::test]
async fn a_field_that_its_only_owner_drops_is_removed() {
    let server = ApiServer::start().await;
    let api = api(&server, "", "v1", "ConfigMap", "configmaps", Some("default"));
    let map = |data: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "labels": {"a": "b"}}, "data": data});
    apply(&api, "quickstart", map(json!({"x": "1", "y": "2"}))).await.unwrap();
    let left = apply(&api, "quickstart", map(json!({"x": "1"}))).await.unwrap();
    assert_eq!(left.data["data"], json!({"x": "1"}));
    let fields = serde_json::to_value(&left.metadata.managed_fields.unwrap()[0].fields_v1).unwrap();
    assert_eq!(fields, json!({"f:data": {"f:x": {}}, "f:metadata": {"f:labels": {"f:a": {}}}}));
}

#[tokio::test]
async fn a_custom_resource_is_served_only_once_its_definition_is_established() {
    let server = ApiServer::start().await;
    server.pace(Pace { crds: 4, ..Pace::default() }); // both kinds of look in the loop count
    let definitions = api(&server, "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", None);
    let things = api(&server, "example.org", "v1", "Thing", "things", Some("default"));
    let thing = json!({"apiVersion": "example.org/v1", "kind": "Thing", "metadata": {"name": "a"}, "spec": {}});
    assert_eq!(status(apply(&things, "quickstart", thing.clone()).await.unwrap_err()).code, 404);
    let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "things.example.org"},
        "spec": {"group": "example.org", "scope": "Namespaced", "names": {"kind": "Thing", "plural": "things"}, "versions": [{"name": "v1", "served": true, "storage": true}]}});
    apply(&definitions, "quickstart", definition).await.unwrap();
    for _ in 0..2 {
        definitions.get("things.example.org").await.unwrap();
        assert!(things.list(&ListParams::default()).await.is_err());
    }
    definitions.get("things.example.org").await.unwrap();
    apply(&things, "quickstart", thing).await.unwrap();
    assert_eq!(things.list(&ListParams::default()).await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn a_namespace_must_be_there_and_takes_its_objects_with_it() {
    let server = ApiServer::start().await;
    let maps = api(&server, "", "v1", "ConfigMap", "configmaps", Some("x"));
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}});
    let refused = status(apply(&maps, "quickstart", map.clone()).await.unwrap_err());
    assert_eq!((refused.code, refused.message.as_str()), (404, "namespaces \"x\" not found"));
    let namespaces = api(&server, "", "v1", "Namespace", "namespaces", None);
    apply(&namespaces, "quickstart", json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}})).await.unwrap();
    apply(&maps, "quickstart", map).await.unwrap();
    namespaces.delete("x", &kube::api::DeleteParams::default()).await.unwrap();
    assert!(!server.objects().iter().any(|object| object.starts_with("configmaps")));
}

#[tokio::test]
async fn a_dry_run_stores_nothing_and_a_create_of_what_is_there_conflicts() {
    let server = ApiServer::start().await;
    let api = api(&server, "", "v1", "ConfigMap", "configmaps", Some("default"));
    let map: DynamicObject = serde_json::from_value(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}})).unwrap();
    api.create(&PostParams { dry_run: true, ..PostParams::default() }, &map).await.unwrap();
    assert!(api.get_opt("c").await.unwrap().is_none());
    api.create(&PostParams::default(), &map).await.unwrap();
    assert_eq!(status(api.create(&PostParams::default(), &map).await.unwrap_err()).reason, "AlreadyExists");
}

#[tokio::test]
async fn a_deployment_gets_available_after_some_reads_unless_it_is_in_trouble() {
    let server = ApiServer::start().await;
    let api = api(&server, "apps", "v1", "Deployment", "deployments", Some("default"));
    let pods = self::api(&server, "", "v1", "Pod", "pods", Some("default"));
    server.trouble("default/sick", Trouble::image_pull("Back-off pulling image \"a:1\": toomanyrequests"));
    for name in ["well", "sick"] {
        apply(&api, "quickstart", deployment(name, "a:1")).await.unwrap();
    }
    assert_eq!(api.get("well").await.unwrap().data["status"]["availableReplicas"], 0);
    assert_eq!(api.get("well").await.unwrap().data["status"]["availableReplicas"], 1);
    api.get("sick").await.unwrap();
    assert_eq!(api.get("sick").await.unwrap().data["status"]["availableReplicas"], 0);
    let found = pods.list(&ListParams::default().labels("app=sick")).await.unwrap();
    assert_eq!(found.items[0].data["status"]["containerStatuses"][0]["state"]["waiting"]["reason"], "ImagePullBackOff");
    server.heal();
    assert_eq!(api.get("sick").await.unwrap().data["status"]["availableReplicas"], 1);
}

#[tokio::test]
async fn faults_hit_as_often_as_they_are_told() {
    let server = ApiServer::start().await;
    let api = api(&server, "", "v1", "Node", "nodes", None);
    server.fault(Fault::on("/nodes", 2, FaultKind::Status(503)).method("GET"));
    server.fault(Fault::on("/nodes", 1, FaultKind::Close));
    server.fault(Fault::on("/nodes", 1, FaultKind::CutBody));
    for _ in 0..2 {
        assert_eq!(status(api.list(&ListParams::default()).await.unwrap_err()).code, 503);
    }
    for _ in 0..2 {
        assert!(!matches!(api.list(&ListParams::default()).await.unwrap_err(), kube::Error::Api(_)));
    }
    assert_eq!(api.list(&ListParams::default()).await.unwrap().items.len(), 1);
    server.fault(Fault::on("/nodes", 1, FaultKind::Hang));
    assert!(tokio::time::timeout(std::time::Duration::from_millis(50), api.list(&ListParams::default())).await.is_err());
}

#[tokio::test]
async fn a_port_forward_reaches_the_configured_address() {
    let server = ApiServer::start().await;
    let echo = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    server.forward_to(echo.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = echo.accept().await.unwrap();
        let mut got = [0; 4];
        stream.read_exact(&mut got).await.unwrap();
        stream.write_all(&got.map(|byte| byte.to_ascii_uppercase())).await.unwrap();
    });
    let deployments = api(&server, "apps", "v1", "Deployment", "deployments", Some("default"));
    let pods: Api<k8s_openapi::api::core::v1::Pod> = Api::namespaced(client(&server), "default");
    assert!(matches!(pods.portforward("web-7d9c5b8f64-x2x4z", &[8080]).await, Err(kube::Error::Api(status)) if status.code == 404));
    apply(&deployments, "quickstart", deployment("web", "a:1")).await.unwrap();
    for _ in 0..2 {
        deployments.get("web").await.unwrap();
    }
    let mut session = pods.portforward("web-7d9c5b8f64-x2x4z", &[8080]).await.unwrap();
    let mut stream = session.take_stream(8080).unwrap();
    stream.write_all(b"ping").await.unwrap();
    let mut got = [0; 4];
    stream.read_exact(&mut got).await.unwrap();
    assert_eq!(&got, b"PING");
    drop(stream);
    // Both sides close at once: either may be told that it was the second.
    drop(session.join().await);
}
