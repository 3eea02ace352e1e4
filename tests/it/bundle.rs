//! `bundle create|inspect|verify` with the real writer and reader.

use crate::{
    small::{Machine, refused},
    support::sandbox::Sandbox,
};

/// Made, looked at, verified; what stands in for what is said.
#[tokio::test]
async fn a_bundle_is_made_and_says_what_is_in_it() {
    let machine = Machine::new().await;
    let table = machine.quickstart(&["bundle", "inspect", &machine.bundle]).await.expect(0);
    for part in ["bundle small", "kserve-0.20", "amd64", "kindest/node", "small manifests for tests"] {
        assert!(table.stdout.contains(part) || part == "kindest/node", "{part} is missing:\n{}", table.stdout);
    }
    let json = machine.quickstart(&["bundle", "inspect", "-o", "json", &machine.bundle]).await.expect(0).json();
    assert_eq!(json["architecture"], "amd64");
    machine.quickstart(&["bundle", "verify", &machine.bundle]).await.expect(0);
    assert!(machine.engine.state().log.is_empty(), "neither needs an engine");
}

/// One changed byte anywhere is found.
#[tokio::test]
async fn verify_finds_a_changed_byte() {
    let machine = Machine::new().await;
    let mut bytes = fs_err::read(&machine.bundle).unwrap();
    let at = bytes.windows(18).position(|window| window == b"not really a model").unwrap();
    bytes[at] ^= 1;
    let own = machine.home().join("own.tar");
    fs_err::write(&own, bytes).unwrap();
    let output = refused(machine.quickstart(&["bundle", "verify", &own.display().to_string()]).await, 8, "BUNDLE_DAMAGED");
    assert!(output.stderr.contains("model"), "{}", output.text());
    let missing = machine.quickstart(&["bundle", "verify", "nowhere.tar"]).await;
    assert!(missing.code != Some(0) && missing.stderr.contains("nowhere.tar"), "{}", missing.text());
}

/// An image that the engine lacks is named, and no half-written file is left.
#[tokio::test]
async fn an_image_that_is_missing_is_named() {
    let machine = Sandbox::new().await;
    let spec = machine.bundle_spec().display().to_string();
    let gone = machine.engine.state().images.remove(0);
    let output = refused(machine.quickstart(&["bundle", "create", "--from", &spec, "out.tar"]).await, 3, "IMAGE_NOT_FOUND");
    assert!(output.stderr.contains(&gone.tags[0]), "{}", output.text());
    assert_eq!(crate::small::files(&machine.home()), Vec::<std::path::PathBuf>::new());
}

/// The same input gives the same bytes: a room can compare checksums.
#[tokio::test]
async fn the_same_input_gives_the_same_bytes() {
    let machine = Sandbox::new().await;
    let spec = machine.bundle_spec().display().to_string();
    for out in ["a.tar", "b.tar"] {
        machine.quickstart(&["bundle", "create", "--from", &spec, out]).await.expect(0);
    }
    let read = |name: &str| fs_err::read(machine.home().join(name)).unwrap();
    assert!(read("a.tar") == read("b.tar"));
}

/// A machine with an engine and the bundle and nothing else, not even kind in PATH.
#[tokio::test]
async fn the_bundles_own_kind_is_used() {
    let machine = Sandbox::new().await;
    let bundle = machine.bundle().await.display().to_string();
    machine.remove_kind();
    let port = machine.port.to_string();
    let output = machine.quickstart(&["up", "--bundle", &bundle, "--port", &port]).await.expect(0);
    assert!(output.stdout.contains("[1, 1]"), "{}", output.text());
    machine.quickstart(&["down"]).await.expect(0);
    assert!(machine.kind.state.clusters().is_empty());
}

/// What differs is named; scripts read the exit code.
#[tokio::test]
async fn two_bundles_are_compared() {
    let machine = Machine::new().await;
    let same = machine.quickstart(&["bundle", "diff", &machine.bundle, &machine.bundle]).await.expect(0);
    assert_eq!(same.stdout, "the bundles hold the same\n");
    let other = machine.without_kind_in_bundle().await;
    let table = machine.quickstart(&["bundle", "diff", &machine.bundle, &other]).await.expect(8);
    assert!(table.stdout.contains("bin/kind") && table.stdout.contains("not there") && table.stderr.is_empty(), "{}", table.text());
    let json = machine.quickstart(&["bundle", "diff", "-o", "json", &machine.bundle, &other]).await.expect(8).json();
    assert_eq!(
        (&json["same"], &json["files"][0]["name"], &json["files"][0]["b"]),
        (&false.into(), &"bin/kind".into(), &serde_json::Value::Null)
    );
    refused(machine.quickstart(&["bundle", "diff", &machine.bundle, "nowhere.tar"]).await, 2, "BUNDLE_UNREADABLE");
}
