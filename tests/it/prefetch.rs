//! `up` that pulls images itself: from a registry at the wire into the cache, from the cache into the node.

use serde_json::Value;

use crate::{
    bundle_registry::BASE,
    rules::three_lines,
    small::of,
    support::{
        api_server::Pace,
        manifests,
        registry::{Registry, Trouble},
        sandbox::{Output, Sandbox, eventually},
    },
};

/// A machine whose bundle has everything but images, and a mirror that has those with a tag. Those by digest it cannot have: nobody can
/// make up bytes for a digest.
struct Room {
    machine: Sandbox,
    registry: Registry,
    bundle: String,
}

impl Room {
    async fn new() -> Self {
        let (machine, registry) = (Sandbox::new().await, Registry::start().await);
        machine.server.pace(Pace { crds: 0, deployments: 0, inference_services: 0, nodes: 0, webhook_lag: 0 });
        let (spec, bundle) = (machine.bundle_spec(), machine.path().join("slim.tar").display().to_string());
        let mut value: Value = serde_json::from_str(&fs_err::read_to_string(&spec).unwrap()).unwrap();
        value["images"] = Value::Array(Vec::new());
        fs_err::write(&spec, value.to_string()).unwrap();
        machine.quickstart(&["bundle", "create", "--from", &spec.display().to_string(), &bundle]).await.expect(0);
        machine.engine.state().images.clear();
        for (_, reference) in manifests::images().iter().filter(|(_, reference)| !reference.contains('@')) {
            registry.store().add(&full(reference), &["amd64", "arm64"], &[BASE, reference.as_bytes()]);
        }
        Self { machine, registry, bundle }
    }

    fn arguments<'a>(&'a self, port: &'a str, mirror: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        ["up", "--profile", "raw", "--bundle", &self.bundle, "--port", port, "--mirror", mirror].iter().chain(more).copied().collect()
    }

    async fn up(&self, more: &[&str]) -> Output {
        let (port, mirror) = (self.machine.port.to_string(), self.registry.url());
        self.machine.quickstart(&self.arguments(&port, &mirror, more)).await
    }

    /// Nothing of the registry's was asked since this was called last.
    fn forget(&self) {
        self.registry.store().log.clear();
    }

    /// The digest of a layer.
    fn layer(&self, wanted: &[u8]) -> String {
        let store = self.registry.store();
        store.blobs.iter().find(|(_, (_, bytes))| bytes == wanted).unwrap().0.clone()
    }

    /// The images that the raw profile needs and that the node has.
    fn in_node(&self) -> usize {
        let there = self.machine.engine.node_images();
        manifests::images().iter().filter(|(_, reference)| there.contains(&full(reference))).count()
    }
}

/// With its registry, as the mirror and the node have it.
fn full(reference: &str) -> String {
    if reference.starts_with("kserve/") { format!("docker.io/{reference}") } else { reference.to_owned() }
}

fn stage_events<'a>(events: &'a [Value], kind: &str, start: &str) -> Vec<&'a Value> {
    of(events, kind).into_iter().filter(|event| event["stage"].as_str().unwrap().starts_with(start)).collect()
}

fn notes(output: &Output) -> Vec<String> {
    of(&output.events(), "noted").iter().map(|event| event["message"].as_str().unwrap().to_owned()).collect()
}

/// kind is held before it makes anything: all layers come meanwhile, and no image goes into a node that is not there.
#[tokio::test]
async fn images_are_pulled_before_there_is_a_cluster() {
    let room = Room::new().await;
    room.machine.kind.hold_create();
    let (port, mirror) = (room.machine.port.to_string(), room.registry.url());
    let arguments = room.arguments(&port, &mirror, &["-o", "json"]);
    let child = room.machine.spawn(&arguments);
    let last = room.layer(b"docker.io/kserve/sklearnserver:v0.20.0 for amd64");
    eventually("the last group's layer is asked for while kind waits", || !room.registry.asked(&last).is_empty()).await;
    eventually("kind is called", || room.machine.kind.calls().iter().any(|call| call.starts_with("create"))).await;
    assert_eq!(room.in_node(), 0);
    room.machine.kind.release();
    let output = room.machine.finish(child, &arguments).await.expect(0);
    let events = output.events();
    let at = |kind: &str, stage: &str| events.iter().position(|event| event["event"] == kind && event["stage"] == stage).unwrap();
    for group in ["cert-manager", "istio", "kserve", "demo"] {
        assert!(at("stage_started", &format!("pull/{group}")) < at("stage_finished", "cluster"), "{group}");
        assert!(at("stage_finished", &format!("pull/{group}")) < at("stage_started", &format!("images/{group}")), "{group}");
    }
    let moved = stage_events(&events, "bytes_moved", "pull/istio");
    let whole = moved.last().unwrap();
    assert!(whole["done"].as_u64().unwrap() > BASE.len() as u64 && whole["done"] == whole["total"], "{whole}");
    assert_eq!(room.in_node(), 11);
    assert!(notes(&output).iter().all(|note| !note.contains("left to the node")), "{:?}", notes(&output));
    let foreign = room.layer(b"docker.io/istio/pilot:1.27.1 for arm64");
    assert!(room.registry.asked(&foreign).is_empty(), "another processor's layers are nobody's here");
    let base = room.layer(BASE);
    assert_eq!(room.registry.asked(&format!("/blobs/{base}")).len(), 1, "four groups share it");
    assert!(room.machine.engine.state().unknown.is_empty());
}

/// The cache has everything: `up` after `down`, a second cluster and `reset` ask the registry for nothing, not even what a tag names.
#[tokio::test]
async fn nothing_is_pulled_twice() {
    let room = Room::new().await;
    room.up(&[]).await.expect(0);
    room.forget();
    let again = room.up(&["-o", "json"]).await.expect(0);
    let skipped = stage_events(&again.events(), "stage_skipped", "pull/").len();
    assert_eq!((skipped, room.registry.store().log.len()), (4, 0), "the node has them");
    room.machine.quickstart(&["reset", "--yes"]).await.expect(0);
    assert_eq!((room.registry.store().log.clone(), room.in_node()), (Vec::new(), 11));
    room.machine.quickstart(&["down"]).await.expect(0);
    room.up(&[]).await.expect(0);
    assert_eq!((room.registry.store().log.clone(), room.in_node()), (Vec::new(), 11));
    // The cache is ours, and `--purge` takes all of it.
    let cache = room.machine.home().join(".cache/quickstart");
    assert!(cache.join("images/found").exists());
    room.machine.quickstart(&["down", "--purge"]).await.expect(0);
    assert!(!cache.exists());
}

/// A pull limit is no failure while the node may still pull: it is told in the rule's own words, and what can be had is loaded.
#[tokio::test]
async fn a_pull_limit_is_told_and_the_rest_is_loaded() {
    let room = Room::new().await;
    room.registry.trouble("/docker.io/istio/pilot/manifests", u32::MAX, Trouble::Refuse(429, "TOOMANYREQUESTS"));
    let output = room.up(&["-o", "json"]).await.expect(0);
    let notes = notes(&output);
    let told = notes.iter().find(|note| note.contains("IMAGE_RATE_LIMIT")).unwrap_or_else(|| panic!("{notes:?}"));
    assert!(told.contains("left to the node") && told.contains("docker login"), "{told}");
    assert!(!room.machine.engine.node_images().contains(&"docker.io/istio/pilot:1.27.1".to_owned()));
    // A registry that was busy for a moment is asked again.
    let room = Room::new().await;
    room.registry.trouble("/docker.io/istio/pilot/manifests", 2, Trouble::Refuse(429, "TOOMANYREQUESTS"));
    room.up(&[]).await.expect(0);
    assert_eq!(room.in_node(), 11);
}

/// One image that is refused is left to the node; its neighbours are not.
#[tokio::test]
async fn an_image_that_is_not_there_is_left_to_the_node() {
    let room = Room::new().await;
    room.registry.trouble("/docker.io/istio/pilot/manifests", u32::MAX, Trouble::Refuse(403, "DENIED"));
    room.registry.store().tags.remove("quay.io/brancz/kube-rbac-proxy:v0.18.0");
    let output = room.up(&["-o", "json"]).await.expect(0);
    let notes = notes(&output);
    for part in ["docker.io/istio/pilot:1.27.1 cannot be pulled from here and is left to the node: REGISTRY_LOGIN", "IMAGE_NOT_FOUND"] {
        assert!(notes.iter().any(|note| note.contains(part)), "{part}: {notes:?}");
    }
    assert_eq!(room.in_node(), 9);
}

/// A layer that is cut goes on where it stopped.
#[tokio::test]
async fn a_cut_layer_goes_on_where_it_stopped() {
    let room = Room::new().await;
    let base = room.layer(BASE);
    room.registry.trouble(&format!("/blobs/{base}"), 1, Trouble::Cut);
    room.up(&[]).await.expect(0);
    assert!(room.registry.asked(&base)[1].ends_with("bytes=150000-"), "{:?}", room.registry.asked(&base));
    assert_eq!(room.in_node(), 11);
}

/// Bytes that are not what their digest says end the run: nobody knows what the node would get.
#[tokio::test]
async fn other_bytes_than_the_digest_says_end_the_run() {
    for part in ["manifests/sha256", "blobs/"] {
        let room = Room::new().await;
        room.registry.trouble(&format!("GET /v2/docker.io/istio/pilot/{part}"), u32::MAX, Trouble::Wrong);
        let told = three_lines(&room.up(&[]).await, 8, "CHECKSUM");
        assert!(told.cause.contains("istio/pilot"), "{told:?}");
        assert!(!room.machine.engine.node_images().contains(&"docker.io/istio/pilot:1.27.1".to_owned()));
    }
}

/// Nobody answers: one line a group, and the node pulls as it always did.
#[tokio::test]
async fn a_registry_that_is_gone_is_told_and_not_waited_for() {
    let room = Room::new().await;
    let port = room.machine.port.to_string();
    let output = room.machine.quickstart(&room.arguments(&port, "http://127.0.0.1:1", &["-o", "json"])).await.expect(0);
    let notes = notes(&output);
    assert_eq!(notes.iter().filter(|note| note.contains("left to the node: DOWNLOAD_FAILED")).count(), 4, "{notes:?}");
    assert_eq!(room.in_node(), 0);
}

/// Those that are pinned by a digest are asked for by it alone, and by nothing else when the mirror does not have it.
#[tokio::test]
async fn a_digest_is_never_replaced_by_a_tag() {
    let room = Room::new().await;
    let (port, mirror) = (room.machine.port.to_string(), room.registry.url());
    let mut arguments = room.arguments(&port, &mirror, &["-o", "json"]);
    arguments[2] = "serverless";
    let output = room.machine.quickstart(&arguments).await.expect(0);
    let told = notes(&output);
    assert!(told.iter().any(|note| note.starts_with("5 images of knative cannot be pulled from here")), "{told:?}");
    assert!(room.registry.asked("/activator/manifests/").iter().all(|line| line.contains("/manifests/sha256:3670960e")));
    assert_eq!(room.in_node(), 11);
}

/// Switched off by the flag or in the file, nobody is asked, and the plan says so.
#[tokio::test]
async fn it_can_be_switched_off() {
    let room = Room::new().await;
    let planned = async |more: &[&str]| {
        let arguments: Vec<&str> = ["plan", "-o", "json", "--bundle", &room.bundle].iter().chain(more).copied().collect();
        room.machine.quickstart(&arguments).await.expect(0).json()
    };
    let pulls = |plan: &Value| crate::up::needs(plan).into_keys().filter(|stage| stage.starts_with("pull/")).count();
    assert_eq!((pulls(&planned(&[]).await), pulls(&planned(&["--profile", "raw"]).await)), (6, 4));
    assert_eq!(pulls(&planned(&["--without-demo"]).await), 5);
    let off = planned(&["--no-prefetch"]).await;
    assert_eq!((pulls(&off), &off["prefetch"], &off["pulls"]), (0, &Value::Bool(false), &Value::Array(Vec::new())));
    room.up(&["--no-prefetch"]).await.expect(0);
    room.machine.quickstart(&["reset", "--yes"]).await.expect(0);
    fs_err::write(room.machine.home().join("quickstart.yaml"), "prefetch: false\n").unwrap();
    assert_eq!(pulls(&planned(&["--profile", "raw"]).await), 0);
    assert_eq!((room.registry.store().log.clone(), room.in_node()), (Vec::new(), 0));
}

/// The file's mirror is used like the flag; one that cannot be asked is refused before anything is done.
#[tokio::test]
async fn the_mirror_of_the_file() {
    let room = Room::new().await;
    let config = room.machine.home().join("quickstart.yaml");
    fs_err::write(&config, format!("mirror: {}\n", room.registry.url())).unwrap();
    let port = room.machine.port.to_string();
    room.machine.quickstart(&["up", "--profile", "raw", "--bundle", &room.bundle, "--port", &port]).await.expect(0);
    assert_eq!(room.in_node(), 11);
    let refused = room.machine.quickstart(&["plan", "--mirror", "http://mirror.example"]).await.expect(2);
    assert!(refused.stderr.contains("error[USAGE]") && refused.stderr.contains("127.0.0.1 only"), "{}", refused.text());
}
