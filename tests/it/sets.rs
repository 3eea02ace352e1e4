//! Version sets by name: chosen, planned, installed as their files want it, and called what they are.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::{
    small::{Machine, refused},
    support::{manifests_older, yaml::documents},
};

/// What the catalog says of a set's images, those of other runtimes left out: `(group, reference)`.
fn images(set: &str) -> Vec<(String, String)> {
    let catalog = documents(include_str!("../../manifests/catalog.yaml")).unwrap().remove(0);
    let find = |list: &str, name: &str| catalog[list].as_array().unwrap().iter().find(|one| one["name"] == name).unwrap().clone();
    let set = find("sets", set);
    let mut all = Vec::new();
    for (component, version) in set["components"].as_object().unwrap() {
        let component = find("components", component);
        let version = component["versions"].as_array().unwrap().iter().find(|one| one["version"] == *version).unwrap().clone();
        for image in version["images"].as_array().unwrap().iter().filter(|image| image["group"] != "runtimes") {
            all.push((image["group"].as_str().unwrap().to_owned(), image["reference"].as_str().unwrap().to_owned()));
        }
    }
    all
}

/// Whether no real cluster has seen it: the others ran on the lab's stack.
fn untested(set: &str) -> bool {
    !["kserve-0.20", "kserve-0.15"].contains(&set)
}

/// A bundle of an older set.
async fn bundle(machine: &Machine, set: &str) -> String {
    let path = machine.bundle_spec();
    let mut spec: Value = serde_json::from_str(&fs_err::read_to_string(&path).unwrap()).unwrap();
    let folder = path.parent().unwrap().join(set);
    fs_err::create_dir_all(&folder).unwrap();
    let mut files = Vec::new();
    for (component, file, text) in manifests_older::files(set) {
        fs_err::write(folder.join(file), text).unwrap();
        files.push(json!({"component": component, "file": file, "path": folder.join(file), "substitute": null}));
    }
    let mut local = Vec::new();
    for (at, (group, reference)) in images(set).into_iter().enumerate() {
        let name = format!("older/{at}:1");
        machine.engine.add_image(&name, "amd64");
        local.push(json!({"reference": reference, "local": name, "group": group, "substitute": null}));
    }
    (spec["set"], spec["name"], spec["manifests"], spec["images"]) = (json!(set), json!(set), json!(files), json!(local));
    fs_err::write(&path, spec.to_string()).unwrap();
    let out = machine.path().join("older.tar").display().to_string();
    machine.quickstart(&["bundle", "create", "--from", &path.display().to_string(), &out]).await.expect(0);
    out
}

/// The overlays of 0.20 met nothing in older files, and their KServe was told a mode that it does not know.
#[tokio::test]
async fn each_is_installed_as_its_files_want_it() {
    for (set, profile, mode) in [
        ("kserve-0.15", "serverless", "Serverless"),
        ("kserve-0.15", "raw", "RawDeployment"),
        ("kserve-0.13", "serverless", "Serverless"),
        ("kserve-0.13", "raw", "RawDeployment"),
        ("kserve-0.10", "raw", "RawDeployment"),
    ] {
        let machine = Machine::new().await;
        let own = bundle(&machine, set).await;
        let port = machine.port.to_string();
        let mut arguments = vec!["up", "--bundle", &own, "--port", &port];
        if set != "kserve-0.10" {
            arguments.extend(["--profile", profile]);
        }
        let output = machine.quickstart(&arguments).await.expect(0);
        assert!(output.stdout.contains("[1, 1]"), "{set} {profile}: {}", output.text());
        assert_eq!(output.stderr.contains(&format!("version set {set} is untested")), untested(set), "{}", output.text());
        let state = machine.state();
        assert_eq!((&state["set"], &state["profile"]), (&json!(set), &json!(profile)));
        let map = machine.server.get("/api/v1/namespaces/kserve/configmaps/inferenceservice-config").unwrap();
        let inner = |key: &str| serde_json::from_str::<Value>(map["data"][key].as_str().unwrap()).unwrap();
        assert_eq!(inner("deploy")["defaultDeploymentMode"], mode, "{set} {profile}");
        let storage = machine.server.get("/apis/serving.kserve.io/v1alpha1/clusterstoragecontainers/default");
        assert_eq!(storage.is_some(), set != "kserve-0.10");
        machine.quickstart(&["status", "--probe"]).await.expect(0);

        // Nobody names the set again: the cluster has it.
        machine.server.forget_requests();
        machine.quickstart(&["up"]).await.expect(0);
        assert!(machine.server.writes().is_empty(), "{set} {profile}");
    }
}

/// The plan of a set comes out of the catalog alone: every file has a sum and an address, and what nobody has tried is said.
#[tokio::test]
async fn each_has_its_plan() {
    let machine = Machine::new().await;
    let mut all = String::new();
    for set in ["kserve-0.20", "kserve-0.15", "kserve-0.13", "kserve-0.10"] {
        let mut arguments = vec!["plan", "--set", set, "-o", "json"];
        if set == "kserve-0.10" {
            refused(machine.quickstart(&["plan", "--set", set]).await, 2, "CONFIG_INVALID");
            arguments.extend(["--node-image", "kindest/node:v1.25.16"]);
        }
        let plan = machine.quickstart(&arguments).await.expect(0).json();
        assert_eq!(plan["untested"].is_string(), untested(set), "{set}");
        let from = plan["settings"].as_array().unwrap().iter().find(|one| one["key"] == "set").unwrap().clone();
        assert_eq!((&from["value"], &from["source"]), (&json!(set), &json!("flag")));
        writeln!(all, "{set}, profile {}, node {}", plan["profile"].as_str().unwrap(), plan["target"]["node_image"].as_str().unwrap())
            .unwrap();
        for component in plan["components"].as_array().unwrap() {
            writeln!(all, "  {} {}", component["name"].as_str().unwrap(), component["version"].as_str().unwrap()).unwrap();
            for file in component["files"].as_array().unwrap() {
                assert!(!file["urls"].as_array().unwrap().is_empty() && file["sha256"].as_str().unwrap().len() == 64);
                writeln!(all, "    {} {}", file["name"].as_str().unwrap(), &file["sha256"].as_str().unwrap()[..12]).unwrap();
            }
        }
    }
    insta::assert_snapshot!("sets", all);
    let tree = machine.quickstart(&["plan", "--set", "kserve-0.13"]).await.expect(0);
    assert!(tree.stdout.contains("version set kserve-0.13 is untested"), "{}", tree.text());
}

/// A name that is none, and a profile that a set cannot do.
#[tokio::test]
async fn what_there_is_not_is_refused() {
    let machine = Machine::new().await;
    let output = refused(machine.quickstart(&["plan", "--set", "kserve-9.9"]).await, 2, "USAGE");
    assert!(output.stderr.contains("kserve-0.20, kserve-0.15"), "{}", output.text());
    let serverless = ["plan", "--set", "kserve-0.10", "--profile", "serverless"];
    let output = refused(machine.quickstart(&serverless).await, 2, "CONFIG_INVALID");
    assert!(output.stderr.contains("it has raw"), "{}", output.text());
    let output = refused(machine.quickstart(&["plan", "--set", "kserve-0.10"]).await, 2, "CONFIG_INVALID");
    assert!(output.stderr.contains("--node-image"), "{}", output.text());
}
