//! `image load`: from the engine, from an archive, and why no registry is asked afterwards.

use serde_json::json;

use crate::small::{Machine, refused};

/// An archive of `docker save`: its names are found out from the node.
#[tokio::test]
async fn an_archive() {
    let machine = Machine::up_and_running().await;
    let archive = machine.home().join("images.tar");
    let mine = crate::support::archive_of("dev.local/archived:1");
    fs_err::write(&archive, mine).unwrap();
    let output = machine.quickstart(&["image", "load", "--archive", &archive.display().to_string()]).await.expect(0);
    assert_eq!(output.stdout, "dev.local/archived:1\n");
    let again = machine.quickstart(&["image", "load", "--archive", &archive.display().to_string()]).await.expect(0);
    assert!(again.stdout.is_empty() && again.stderr.contains("no new name"), "{}", again.text());
    refused(machine.quickstart(&["image", "load", "--archive", "nothing.tar"]).await, 2, "USAGE");
}

/// An image of a registry that Knative would ask gets a second name in the node; one that it skips keeps its own.
#[tokio::test]
async fn an_image_of_the_engine() {
    let machine = Machine::up_and_running().await;
    for image in ["dev.local/mine:1", "ghcr.io/me/theirs:1", "plain"] {
        machine.engine.add_image(image, "amd64");
    }
    let done = machine.quickstart(&["image", "load", "dev.local/mine:1", "ghcr.io/me/theirs:1", "-o", "json"]).await.expect(0).json();
    assert_eq!(done["nodes"], json!(["quickstart-control-plane"]));
    assert_eq!(
        done["images"],
        json!([{"name": "dev.local/mine:1", "write": "dev.local/mine:1", "always_pulled": false},
            {"name": "ghcr.io/me/theirs:1", "write": "dev.local/me/theirs:1", "always_pulled": false}])
    );
    let there = machine.engine.node_images();
    for name in ["dev.local/mine:1", "ghcr.io/me/theirs:1", "dev.local/me/theirs:1"] {
        assert!(there.iter().any(|one| one == name), "{name}: {there:?}");
    }
    let plain = machine.quickstart(&["image", "load", "plain"]).await.expect(0);
    assert!(plain.stderr.contains("imagePullPolicy: IfNotPresent"), "{}", plain.text());
    let output = refused(machine.quickstart(&["image", "load", "nobody/nothing:1"]).await, 3, "IMAGE_NOT_FOUND");
    assert!(output.stderr.contains("nobody/nothing:1"), "{}", output.text());
    refused(machine.quickstart(&["image", "load"]).await, 2, "USAGE");
    refused(machine.quickstart(&["image", "load", "x:1", "--archive", "y.tar"]).await, 2, "USAGE");
}
