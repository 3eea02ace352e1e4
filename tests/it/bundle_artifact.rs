//! `bundle push|pull` and `up --bundle oci://`: a bundle through a registry at the wire.

use std::path::PathBuf;

use crate::{
    bundle_registry::{BASE, Room},
    rules::three_lines,
    support::{registry::Trouble, sandbox::Output},
};

impl Room {
    fn artifact(&self) -> String {
        format!("oci://{}/room/stack:1", self.registry.host())
    }

    async fn run(&self, arguments: &[&str]) -> Output {
        self.machine.quickstart(arguments).await
    }

    /// Forgets what has come so far.
    fn forget(&self) {
        fs_err::remove_dir_all(self.machine.home().join(".cache")).unwrap();
    }
}

/// There and back: the same bytes; what is there is not sent again; layers are blobs that the images have, too.
#[tokio::test]
async fn a_bundle_goes_through_a_registry() {
    let room = Room::new().await;
    room.create("a.tar").await.expect(0);
    let first = room.run(&["bundle", "push", "a.tar", &room.artifact()]).await.expect(0);
    assert!(first.stdout.contains("@sha256:"), "{}", first.text());
    assert_eq!(
        room.registry.asked(&format!("HEAD /v2/room/stack/blobs/{}", room.layer(BASE))).len(),
        1,
        "once, though five groups hold it"
    );
    room.registry.store().log.clear();
    let again = room.run(&["bundle", "push", "a.tar", &room.artifact()]).await.expect(0);
    assert!(again.stdout.contains(": 0 B sent"), "{}", again.text());
    assert!(room.registry.asked("PATCH").is_empty());
    room.forget();
    room.run(&["bundle", "pull", &room.artifact(), "b.tar"]).await.expect(0);
    assert!(fs_err::read(room.out("a.tar")).unwrap() == fs_err::read(room.out("b.tar")).unwrap());
}

/// A pull that was cut goes on; one of other bytes is refused; something else than a bundle is none. Nothing half-done is left.
#[tokio::test]
async fn a_bundle_of_a_registry_is_not_trusted() {
    let room = Room::new().await;
    room.create("a.tar").await.expect(0);
    room.run(&["bundle", "push", "a.tar", &room.artifact()]).await.expect(0);
    fs_err::remove_file(room.out("a.tar")).unwrap();
    room.forget();
    let base = format!("/v2/room/stack/blobs/{}", room.layer(BASE));
    room.registry.trouble(&base, 1, Trouble::Cut);
    room.registry.trouble(&base, 1, Trouble::Refuse(403, "DENIED"));
    let told = three_lines(&room.run(&["bundle", "pull", &room.artifact(), "b.tar"]).await, 3, "REGISTRY_LOGIN");
    assert!(told.cause.contains("room/stack"), "{told:?}");
    assert_eq!(room.left(), Vec::<PathBuf>::new());
    room.run(&["bundle", "pull", &room.artifact(), "b.tar"]).await.expect(0);
    assert!(room.registry.asked(&base).last().unwrap().ends_with("bytes=150000-"));
    fs_err::remove_file(room.out("b.tar")).unwrap();
    room.forget();
    room.registry.trouble(&base, 1, Trouble::Wrong);
    three_lines(&room.run(&["bundle", "pull", &room.artifact(), "b.tar"]).await, 8, "CHECKSUM");
    let image = format!("oci://{}/kindest/node:v1.34.3", room.registry.host());
    three_lines(&room.run(&["bundle", "pull", &image, "b.tar"]).await, 8, "BUNDLE_DAMAGED");
    assert_eq!(room.left(), Vec::<PathBuf>::new());
}

/// `up` fetches it, `plan` does not; once it is here, nobody must answer any more.
#[tokio::test]
async fn up_takes_a_bundle_of_a_registry() {
    let mut room = Room::new().await;
    room.create("a.tar").await.expect(0);
    room.run(&["bundle", "push", "a.tar", &room.artifact()]).await.expect(0);
    fs_err::remove_file(room.out("a.tar")).unwrap();
    room.forget();
    let (artifact, port) = (room.artifact(), room.machine.port.to_string());
    let refused = room.run(&["plan", "--bundle", &artifact]).await.expect(2);
    assert!(refused.stderr.contains("bundle pull"), "{}", refused.text());
    room.machine.engine.state().images.clear();
    let host = room.machine.engine.host();
    room.machine.env("DOCKER_HOST", &host);
    let output = room.run(&["up", "--bundle", &artifact, "--port", &port]).await.expect(0);
    assert!(output.stdout.contains("[1, 1]"), "{}", output.text());
    // The wifi goes after the first day.
    room.registry.trouble("/token", u32::MAX, Trouble::Refuse(403, "DENIED"));
    let later = room.run(&["plan", "--bundle", &artifact]).await.expect(0);
    assert!(later.stderr.contains("fetched before is used"), "{}", later.text());
}
