//! `bundle create` out of registries: the real client against a registry at the wire.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{
    rules::three_lines,
    small::files,
    support::{
        registry::{Registry, Trouble},
        sandbox::{Output, Sandbox},
    },
};

/// A layer that several images share.
pub(crate) const BASE: &[u8] = &[7; 300_000];

/// A machine without an engine's images, a registry that has those of the small stack, and the description that names them there.
pub(crate) struct Room {
    pub(crate) machine: Sandbox,
    pub(crate) registry: Registry,
    pub(crate) spec: String,
}

impl Room {
    pub(crate) async fn new() -> Self {
        let (mut machine, registry) = (Sandbox::new().await, Registry::start().await);
        let spec = machine.bundle_spec();
        let mut value: Value = serde_json::from_str(&fs_err::read_to_string(&spec).unwrap()).unwrap();
        let host = registry.host();
        {
            let mut store = registry.store();
            let images = value["images"].as_array_mut().unwrap().iter_mut();
            for image in images {
                let local = image["local"].as_str().unwrap().to_owned();
                store.add(&local, &["amd64", "arm64"], &[BASE, local.as_bytes()]);
                image["local"] = format!("{host}/{local}").into();
            }
            store.add("kindest/node:v1.34.3", &["amd64"], &[b"a node"]);
        }
        value["node"]["local"] = format!("{host}/kindest/node:v1.34.3").into();
        fs_err::write(&spec, value.to_string()).unwrap();
        machine.env("DOCKER_HOST", "unix:///nowhere.sock");
        Self { machine, registry, spec: spec.display().to_string() }
    }

    pub(crate) async fn create(&self, out: &str) -> Output {
        self.machine.quickstart(&["bundle", "create", "--from", &self.spec, "--pull", out]).await
    }

    pub(crate) fn out(&self, name: &str) -> PathBuf {
        self.machine.home().join(name)
    }

    /// What lies beside the bundles, the cache left out.
    pub(crate) fn left(&self) -> Vec<PathBuf> {
        files(&self.machine.home()).into_iter().filter(|path| !path.starts_with(self.machine.home().join(".cache"))).collect()
    }

    /// The first image of the description, as its registry names it.
    fn first(&self) -> String {
        let value: Value = serde_json::from_str(&fs_err::read_to_string(&self.spec).unwrap()).unwrap();
        value["images"][0]["local"].as_str().unwrap().split_once('/').unwrap().1.to_owned()
    }

    /// The digest of a layer.
    pub(crate) fn layer(&self, bytes: &[u8]) -> String {
        let store = self.registry.store();
        store.blobs.iter().find(|(_, (_, blob))| blob == bytes).unwrap().0.clone()
    }
}

/// `images/…` of a bundle with the sums of the blobs in each.
fn blobs(bundle: &Path) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    for entry in tar::Archive::new(fs_err::File::open(bundle).unwrap()).entries().unwrap() {
        let entry = entry.unwrap();
        let path = entry.path().unwrap().display().to_string();
        if path.starts_with("images/") {
            let inner =
                tar::Archive::new(entry).entries().unwrap().map(|entry| entry.unwrap().path().unwrap().display().to_string()).collect();
            found.push((path, inner));
        }
    }
    found
}

/// Every layer once an archive, read once from the registry; two runs are the same bytes, and the second asks for no manifest.
#[tokio::test]
async fn images_come_from_the_registry_and_are_there_once() {
    let room = Room::new().await;
    room.create("a.tar").await.expect(0);
    let base = room.layer(BASE);
    assert_eq!(room.registry.asked(&format!("/blobs/{base}")).len(), 1, "eighteen images share it");
    for (path, inner) in blobs(&room.out("a.tar")) {
        let shared = inner.iter().filter(|path| path.ends_with(&base["sha256:".len()..])).count();
        assert_eq!(shared, 1, "{path}");
    }
    let json = room.machine.quickstart(&["bundle", "inspect", "-o", "json", "a.tar"]).await.expect(0).json();
    let origin = &json["images"][0]["origin"];
    assert_eq!(origin["platform"], "linux/amd64");
    assert!(origin["digest"].as_str().unwrap().starts_with("sha256:") && origin["index"].as_str() != origin["digest"].as_str(), "{json}");
    room.registry.store().log.clear();
    room.create("b.tar").await.expect(0);
    assert!(fs_err::read(room.out("a.tar")).unwrap() == fs_err::read(room.out("b.tar")).unwrap());
    assert!(room.registry.asked("GET /v2/small").is_empty(), "{:?}", room.registry.asked("GET"));
    room.machine.quickstart(&["bundle", "verify", "b.tar"]).await.expect(0);
}

/// The bundle does what one of the engine's images does.
#[tokio::test]
async fn a_cluster_comes_up_from_it() {
    let mut room = Room::new().await;
    room.create("a.tar").await.expect(0);
    room.machine.engine.state().images.clear();
    let host = room.machine.engine.host();
    room.machine.env("DOCKER_HOST", &host);
    let port = room.machine.port.to_string();
    let output = room.machine.quickstart(&["up", "--bundle", "a.tar", "--port", &port]).await.expect(0);
    assert!(output.stdout.contains("[1, 1]"), "{}", output.text());
}

/// A connection that ends in the middle of a layer: the same run goes on from there. One that always ends: the next run does.
#[tokio::test]
async fn a_layer_that_is_cut_goes_on_where_it_stopped() {
    let room = Room::new().await;
    let base = room.layer(BASE);
    room.registry.trouble(&format!("/blobs/{base}"), 1, Trouble::Cut);
    room.create("a.tar").await.expect(0);
    assert!(room.registry.asked(&base)[1].ends_with("bytes=150000-"), "{:?}", room.registry.asked(&base));

    let room = Room::new().await;
    room.registry.trouble(&format!("/blobs/{base}"), 1, Trouble::Cut);
    room.registry.trouble(&format!("/blobs/{base}"), 9, Trouble::Refuse(403, "DENIED"));
    three_lines(&room.create("a.tar").await, 3, "REGISTRY_LOGIN");
    assert_eq!(room.left(), Vec::<PathBuf>::new());
    room.registry.store().troubles.clear();
    room.create("a.tar").await.expect(0);
    assert!(room.registry.asked(&base).last().unwrap().ends_with("bytes=150000-"), "{:?}", room.registry.asked(&base));
}

/// A registry that is busy for a moment is asked again; one that has had enough says so, and nothing half-done is left.
#[tokio::test]
async fn a_pull_limit() {
    let room = Room::new().await;
    let base = room.layer(BASE);
    room.registry.trouble(&format!("/blobs/{base}"), 2, Trouble::Refuse(429, "TOOMANYREQUESTS"));
    room.create("a.tar").await.expect(0);

    let room = Room::new().await;
    let first = room.first();
    room.registry.trouble(
        &format!("/v2/{}/manifests", first.split(':').next().unwrap()),
        u32::MAX,
        Trouble::Refuse(429, "TOOMANYREQUESTS"),
    );
    let told = three_lines(&room.create("a.tar").await, 3, "IMAGE_RATE_LIMIT");
    assert!(told.cause.contains(&first) && told.hint.contains("docker login"), "{told:?}");
    assert_eq!(room.left(), Vec::<PathBuf>::new());
}

/// The digest is what counts, whatever the registry sends.
#[tokio::test]
async fn other_bytes_than_the_digest_says() {
    for part in ["manifests/sha256", "blobs/"] {
        let room = Room::new().await;
        let first = room.first();
        let repository = first.split(':').next().unwrap();
        room.registry.trouble(&format!("GET /v2/{repository}/{part}"), u32::MAX, Trouble::Wrong);
        let told = three_lines(&room.create("a.tar").await, 8, "CHECKSUM");
        assert!(told.cause.contains(repository), "{told:?}");
        assert_eq!(room.left(), Vec::<PathBuf>::new());
    }
}

/// An image that is not there for the machine that the bundle is for, with and without an index.
#[tokio::test]
async fn no_such_platform() {
    for index in [true, false] {
        let room = Room::new().await;
        let first = room.first();
        if index {
            room.registry.store().add(&first, &["s390x"], &[BASE]);
        } else {
            room.registry.store().single(&first, "s390x", &[BASE]);
        }
        let told = three_lines(&room.create("a.tar").await, 3, "IMAGE_ARCH");
        assert!(told.cause.contains(&first) && told.cause.contains("linux/amd64; it is for linux/s390x"), "{told:?}");
        assert_eq!(room.left(), Vec::<PathBuf>::new());
    }
}

/// An image, or a part of one, that the registry does not have.
#[tokio::test]
async fn not_at_the_registry() {
    let room = Room::new().await;
    let first = room.first();
    room.registry.store().tags.remove(&first);
    let told = three_lines(&room.create("a.tar").await, 3, "IMAGE_NOT_FOUND");
    assert!(told.cause.contains(&first), "{told:?}");

    let room = Room::new().await;
    let base = room.layer(BASE);
    room.registry.store().blobs.remove(&base);
    let told = three_lines(&room.create("a.tar").await, 3, "IMAGE_NOT_FOUND");
    assert!(told.cause.contains(&base[..19]), "{told:?}");
    assert_eq!(room.left(), Vec::<PathBuf>::new());
}

/// The login of `docker login` is used, a wrong one is said, and none of it is printed.
#[tokio::test]
async fn a_registry_that_wants_a_login() {
    let room = Room::new().await;
    room.registry.store().login = Some(("me".into(), "topsecret".into()));
    let told = three_lines(&room.create("a.tar").await, 3, "REGISTRY_LOGIN");
    assert!(told.hint.contains(&format!("docker login {}", room.registry.host())), "{told:?}");
    let folder = room.machine.home().join(".docker");
    fs_err::create_dir_all(&folder).unwrap();
    let configuration = serde_json::json!({"auths": {room.registry.host(): {"username": "me", "password": "topsecret"}}});
    fs_err::write(folder.join("config.json"), configuration.to_string()).unwrap();
    let output = room.machine.quickstart(&["-vv", "bundle", "create", "--from", &room.spec, "--pull", "a.tar"]).await.expect(0);
    assert!(!output.text().contains("topsecret") && !output.text().contains("Bearer"), "{}", output.text());
}

/// A proxy in the environment is for the world outside: a registry on this machine is asked directly, another one by the proxy alone.
#[tokio::test]
async fn a_proxy_is_not_used_for_a_registry_here() {
    let mut room = Room::new().await;
    for name in ["HTTPS_PROXY", "HTTP_PROXY"] {
        room.machine.env(name, "http://127.0.0.1:1");
    }
    room.create("a.tar").await.expect(0);
    let arguments = ["bundle", "create", "--from", &room.spec, "--mirror", "https://mirror.example", "b.tar"];
    let told = three_lines(&room.machine.quickstart(&arguments).await, 3, "PROXY_ENV");
    assert!(told.cause.contains("mirror.example"), "{told:?}");
}

/// The whole plan at a mirror: every image is asked there and nowhere else; the node image comes by its digest.
#[tokio::test]
async fn the_plan_is_asked_at_the_mirror() {
    let room = Room::new().await;
    let model = room.machine.home().join("model.joblib");
    fs_err::write(&model, "a model").unwrap();
    let mirror = format!("{}/room", room.registry.url());
    let arguments = ["bundle", "create", "--mirror", &mirror, "--platform", "linux/amd64", "--model", "model.joblib", "out.tar"];
    let told = three_lines(&room.machine.quickstart(&arguments).await, 3, "IMAGE_NOT_FOUND");
    assert!(
        told.cause.contains(&format!("{}/room/quay.io/jetstack/cert-manager-controller:v1.18.0, nor at", room.registry.host())),
        "{told:?}"
    );
    assert!(!room.registry.asked("/v2/room/quay.io/jetstack/cert-manager-controller/manifests/v1.18.0").is_empty());
    assert_eq!(room.left(), [model]);

    let plain =
        room.machine.quickstart(&["bundle", "create", "--mirror", "http://mirror.example", "--model", "model.joblib", "out.tar"]).await;
    assert!(plain.code == Some(2) && plain.stderr.contains("error[USAGE]"), "{}", plain.text());
}

/// A program or a model that nobody vouches for is not taken silently.
#[tokio::test]
async fn what_has_no_checksum_is_refused_before_anything_is_asked() {
    let room = Room::new().await;
    let arguments = ["bundle", "create", "--mirror", &room.registry.url(), "out.tar"];
    let told = three_lines(&room.machine.quickstart(&arguments).await, 3, "UNPINNED");
    assert!(told.hint.contains("--accept-unpinned"), "{told:?}");
    assert_eq!((room.registry.store().log.len(), room.left()), (0, Vec::new()));
}
