//! Images outlive their cluster, and what goes wrong with that costs nobody a cluster.

use crate::small::Machine;

fn told(machine: &Machine) -> Vec<String> {
    let words = |line: &String| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    machine.engine.state().stores.log.iter().map(words).collect()
}

fn imports(machine: &Machine) -> usize {
    machine.engine.ran().iter().filter(|ran| ran.argv.iter().any(|word| word == "import")).count()
}

/// The first `up` loads; what `reset`, and `up` after `down`, load then is nothing.
#[tokio::test]
async fn nothing_is_loaded_twice() {
    let machine = Machine::new().await;
    machine.up(&[]).await.expect(0);
    let loaded = imports(&machine);
    assert!(loaded > 0);
    machine.quickstart(&["down"]).await.expect(0);
    assert_eq!(told(&machine), ["prepare quickstart", "keep quickstart"]);
    let again = machine.up(&[]).await.expect(0);
    assert!(again.stderr.contains("images of an earlier cluster are at hand: 100 MiB"), "{}", again.text());
    machine.quickstart(&["reset", "--yes"]).await.expect(0);
    assert_eq!(imports(&machine), loaded);
    machine.quickstart(&["down"]).await.expect(0);
    assert_eq!(told(&machine)[2..], ["prepare quickstart", "drop quickstart", "prepare quickstart", "drop quickstart"]);
    machine.knows_everything();
}

/// `--purge` takes them away; an engine that has none is fine too.
#[tokio::test]
async fn purge_takes_them_away() {
    let machine = Machine::new().await;
    machine.up(&[]).await.expect(0);
    let output = machine.quickstart(&["down", "--purge"]).await.expect(0);
    assert!(output.stderr.contains("quickstart-images: the engine's volume with kept images is gone"), "{}", output.text());
    assert!(machine.engine.state().volumes.is_empty());
    machine.quickstart(&["down", "--purge"]).await.expect(0);
    machine.knows_everything();
}

/// Switched off, there is no volume and no mount.
#[tokio::test]
async fn they_can_be_switched_off() {
    let mut machine = Machine::new().await;
    machine.env("QUICKSTART_KEEP_IMAGES", "false");
    machine.up(&[]).await.expect(0);
    assert!(machine.engine.state().volumes.is_empty() && told(&machine).is_empty());
    assert!(!machine.kind.config("quickstart").contains("extraMounts"));
}

/// An engine whose volumes are not where it says (a virtual machine that shares other folders) gets a cluster as before.
#[tokio::test]
async fn an_engine_that_cannot_gets_its_cluster_all_the_same() {
    let machine = Machine::new().await;
    machine.engine.state().stores.elsewhere = true;
    let output = machine.up(&[]).await.expect(0);
    assert!(output.stderr.contains("are not kept for the next one: `kept.sh prepare"), "{}", output.text());
    assert!(!machine.kind.config("quickstart").contains("extraMounts"));
    machine.quickstart(&["down"]).await.expect(0);
    assert_eq!(told(&machine), ["prepare quickstart"]);
}

/// A node that does not start with kept images is not given them a second time: what is in them may be the reason.
#[tokio::test]
async fn images_that_a_node_did_not_start_with_are_put_aside() {
    let machine = Machine::new().await;
    machine.up(&[]).await.expect(0);
    machine.quickstart(&["down"]).await.expect(0);
    machine.kind.fail_create("ERROR: failed to create cluster: could not find a log line", true);
    machine.up(&[]).await.expect(4);
    assert_eq!(told(&machine).last().map(String::as_str).unwrap_or_default().split(' ').next(), Some("distrust"));
    machine.kind.heal();
    let again = machine.up(&[]).await.expect(0);
    assert!(!again.stderr.contains("an earlier cluster are at hand"), "{}", again.text());
}

fn lean(machine: &Machine) -> Vec<String> {
    let tags = |image: &crate::support::docker_archive::Image| image.tags.clone();
    machine.engine.state().images.iter().flat_map(tags).filter(|tag| tag.starts_with("quickstart/node:")).collect()
}

/// kind fills every node's /var from the node image: half a gigabyte of images that the mounted store has already, seconds at every create.
#[tokio::test]
async fn a_node_is_made_without_the_images_that_its_store_has() {
    let machine = Machine::new().await;
    machine.up(&[]).await.expect(0);
    let [image] = &lean(&machine)[..] else { panic!("one such image: {:?}", lean(&machine)) };
    let asked = |machine: &Machine| machine.kind.config("quickstart").contains(image.as_str());
    assert!(asked(&machine), "{}", machine.kind.config("quickstart"));
    let commits = |machine: &Machine| machine.engine.state().log.iter().filter(|one| one.path.ends_with("/commit")).count();
    machine.quickstart(&["reset", "--yes"]).await.expect(0);
    assert_eq!((commits(&machine), asked(&machine)), (1, true), "it is made once");
    machine.quickstart(&["down", "--purge"]).await.expect(0);
    assert!(lean(&machine).is_empty());
    machine.knows_everything();
}

/// An engine that does not do as it is told gets nodes of the node image itself, and keeps nothing that would not start.
#[tokio::test]
async fn an_image_that_would_not_start_is_not_used() {
    let machine = Machine::new().await;
    machine.engine.state().stores.commits_the_container = true;
    machine.up(&[]).await.expect(0);
    assert!(lean(&machine).is_empty() && !machine.kind.config("quickstart").contains("quickstart/node"));
    assert!(machine.kind.config("quickstart").contains("extraMounts"), "its images are kept all the same");
}
