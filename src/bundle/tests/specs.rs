//! Specifications that are wrong say where.

use serde_json::{Value, json};

use super::support::{put, sample, spec_json};
use crate::bundle::{BundleError, Spec, write};
use crate::error::{Exit, Explain};

#[test]
fn bad_json_and_unknown_keys_have_line_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spec.json");
    let mut nested = spec_json();
    nested["images"][0]["groop"] = json!("x");
    let mut substitute = spec_json();
    substitute["manifests"][2]["substitute"]["colour"] = json!("x");
    let texts = [
        ("{\n  \"version\": 1,\n  \"colour\": 2\n}".to_owned(), Some("3:10"), "unknown field `colour`"),
        ("{\n  \"version\": 1,\n}".to_owned(), Some("3:1"), "trailing comma"),
        (String::new(), Some("1:0"), "EOF"),
        ("{\"version\": 1}".to_owned(), Some("1:14"), "missing field"),
        (nested.to_string(), None, "unknown field `groop`"),
        (substitute.to_string(), None, "unknown field `colour`"),
    ];
    for (text, position, message) in texts {
        put(&path, text.as_bytes());
        let error = Spec::read(&path).unwrap_err();
        assert_eq!((error.id(), error.exit()), ("USAGE", Exit::Usage));
        let said = error.to_string();
        assert!(said.contains(message), "{said}");
        assert!(!said.contains(" at line "), "{said}");
        assert!(position.is_none_or(|position| said.contains(&format!("spec.json:{position}: "))), "{said}");
    }
    let error = Spec::read(&folder.path().join("none.json")).unwrap_err();
    assert_eq!(error.exit(), Exit::Usage);
}

#[test]
fn relative_paths_start_at_the_folder_of_the_specification() {
    let sample = sample();
    assert_eq!(sample.spec.kind.as_ref().unwrap().path, sample.path("bin/kind").display().to_string());
    let mut absolute = spec_json();
    absolute["kind"]["path"] = json!("/opt/kind");
    put(&sample.path("other.json"), absolute.to_string().as_bytes());
    assert_eq!(Spec::read(&sample.path("other.json")).unwrap().kind.unwrap().path, "/opt/kind");
}

#[test]
fn a_value_that_cannot_be_used_names_its_field() {
    let cases: [(&str, Value, &str); 20] = [
        ("/version", json!(2), "version"),
        ("/name", json!("two words"), "name"),
        ("/architecture", json!("x86_64"), "architecture"),
        ("/set", json!(""), "set"),
        ("/manifests/1/path", json!("m/none.yaml"), "manifests[1].path"),
        ("/manifests/1/path", json!("m"), "manifests[1].path"),
        ("/manifests/1/path", json!(""), "manifests[1].path"),
        ("/manifests/0/component", json!("../kserve"), "manifests[0].component"),
        ("/manifests/0/file", json!("a/b.yaml"), "manifests[0].file"),
        ("/manifests/0/file", json!("a".repeat(99)), "manifests[0].file"),
        ("/manifests/1", spec_json()["manifests"][0].clone(), "manifests[1].file"),
        ("/images/1/reference", spec_json()["images"][0]["reference"].clone(), "images[1].reference"),
        ("/images/1/reference", json!("a b"), "images[1].reference"),
        ("/images/2/group", json!("a/b"), "images[2].group"),
        ("/images/2/group", json!("unsaved"), "images[2].group"),
        ("/images/2/local", json!("lab/other:1"), "images[2].local"),
        ("/node/kubernetes", json!("v1.34.3"), "node.kubernetes"),
        ("/kind/path", json!("bin/none"), "kind.path"),
        ("/model/name", json!(".."), "model"),
        ("/patches/0/patch", json!("text"), "patches[0].patch"),
    ];
    for (at, value, expected) in cases {
        let sample = sample();
        let mut json = spec_json();
        *json.pointer_mut(at).unwrap() = value.clone();
        put(&sample.path("spec.json"), json.to_string().as_bytes());
        let spec = Spec::read(&sample.path("spec.json")).unwrap();
        let out = sample.path("b.tar");
        let error = write(&spec, &sample.sources, &out, &mut |_| {}).unwrap_err();
        assert!(matches!(&error, BundleError::Field { field, .. } if field == expected), "{at} = {value}: {error}");
        assert_eq!((error.id(), error.exit()), ("USAGE", Exit::Usage));
        assert!(!out.exists());
    }
}

#[test]
fn images_without_archive_or_id_are_refused() {
    let mut sample = sample();
    sample.sources.groups.get_mut("istio").unwrap().ids.clear();
    let error = write(&sample.spec, &sample.sources, &sample.path("b.tar"), &mut |_| {}).unwrap_err();
    assert_eq!(error.to_string(), "bundle specification: images[0].local: the ID of lab/pilot:1 is not known");
    sample.sources.node = None;
    let error = write(&sample.spec, &sample.sources, &sample.path("b.tar"), &mut |_| {}).unwrap_err();
    assert_eq!(error.to_string(), "bundle specification: node: its image was not saved");
}
