//! Archives of engines, as they really come.

use std::io::Read;

use serde_json::{Value, json};

use super::support::{Tar, docker_save, entry, noise, put};
use crate::bundle::{BundleError, repair, tags};

fn descriptor(kind: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": format!("application/vnd.oci.image.{kind}.v1+json"), "digest": format!("sha256:{}", entry("", bytes).sha256), "size": bytes.len()})
}

fn blob(bytes: &[u8]) -> (String, Vec<u8>) {
    (format!("blobs/sha256/{}", entry("", bytes).sha256), bytes.to_owned())
}

/// An image for two platforms and the record of its build, of which one platform is there: what the containerd store saves.
struct Saved {
    files: Vec<(String, Vec<u8>)>,
    index: Value,
    here: Value,
}

fn saved(name: &str) -> Saved {
    let platform = |architecture: &str| {
        let config = format!("{{\"architecture\":\"{architecture}\",\"name\":\"{name}\"}}").into_bytes();
        let layer = noise(u32::from(architecture.as_bytes()[1]), 5000);
        let manifest = json!({"schemaVersion": 2, "config": descriptor("config", &config), "layers": [descriptor("layer", &layer)]})
            .to_string()
            .into_bytes();
        let mut named = descriptor("manifest", &manifest);
        named["platform"] = json!({"os": "linux", "architecture": architecture});
        (named, vec![blob(&config), blob(&layer), blob(&manifest)])
    };
    let (amd, files) = platform("amd64");
    let (arm, _) = platform("arm64");
    let mut record = descriptor("manifest", b"a record");
    record["platform"] = json!({"os": "unknown", "architecture": "unknown"});
    record["annotations"] = json!({"vnd.docker.reference.type": "attestation-manifest"});
    let list = json!({"schemaVersion": 2, "manifests": [arm, amd, record]}).to_string().into_bytes();
    let mut index = descriptor("index", &list);
    let annotations = json!({"io.containerd.image.name": format!("docker.io/{name}"), "org.opencontainers.image.ref.name": "1"});
    index["annotations"] = annotations.clone();
    let mut here = amd;
    here["annotations"] = annotations;
    Saved { files: files.into_iter().chain([blob(&list)]).collect(), index, here }
}

fn archive(files: &[(String, Vec<u8>)], manifests: &[Value]) -> Vec<u8> {
    let index = json!({"schemaVersion": 2, "manifests": manifests}).to_string();
    let start = Tar::default().header("blobs/", b'5', 0).file("index.json", index.as_bytes());
    let tar = files.iter().fold(start, |tar, (path, bytes)| tar.file(path, bytes));
    tar.file("manifest.json", br#"[{"Config":"c","RepoTags":["lab/a:1","lab/b:1"]},{"Config":"d","RepoTags":null}]"#).end()
}

fn contents(path: &std::path::Path) -> Vec<(String, Vec<u8>)> {
    let mut tar = tar::Archive::new(fs_err::File::open(path).unwrap());
    let read = |entry: std::io::Result<tar::Entry<'_, fs_err::File>>| {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        (entry.path().unwrap().display().to_string(), bytes)
    };
    tar.entries().unwrap().map(read).collect()
}

#[test]
fn platforms_that_are_not_inside_are_no_longer_named() {
    // `ctr images import --all-platforms` failed with "content digest … not found" on archives of the containerd image store (kind issue 3795).
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tar");
    let (a, b) = (saved("lab/a:1"), saved("lab/b:1"));
    let files: Vec<_> = a.files.iter().chain(&b.files).cloned().collect();
    put(&path, &archive(&files, &[a.index, b.index]));
    let before = contents(&path);
    assert!(repair(&path, "amd64").unwrap());
    let after = contents(&path);
    assert_eq!(before.len(), after.len());
    for ((path, old), (same, new)) in before.iter().zip(&after) {
        assert_eq!(path, same);
        if path == "index.json" {
            let index: Value = serde_json::from_slice(new).unwrap();
            assert_eq!(index["manifests"], json!([a.here, b.here]));
            assert_eq!(index["schemaVersion"], 2);
        } else {
            assert_eq!(old, new, "{path}");
        }
    }
    assert!(!repair(&path, "amd64").unwrap(), "a repaired archive is sound");
    assert_eq!(tags(&path).unwrap(), ["lab/a:1", "lab/b:1"]);
    assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_sound_archive_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tar");
    let a = saved("lab/a:1");
    put(&path, &archive(&a.files, &[a.here]));
    let before = fs_err::read(&path).unwrap();
    assert!(!repair(&path, "amd64").unwrap());
    assert_eq!(fs_err::read(&path).unwrap(), before);
    // An index of one platform and the record of its build, all of it inside.
    let record = json!({"config": descriptor("config", b"r"), "layers": []}).to_string().into_bytes();
    let mut named = descriptor("manifest", &record);
    named["platform"] = json!({"os": "unknown", "architecture": "unknown"});
    let a = saved("lab/a:1");
    let list = json!({"manifests": [a.here, named]}).to_string().into_bytes();
    let files: Vec<_> = a.files.iter().cloned().chain([blob(b"r"), blob(&record), blob(&list)]).collect();
    put(&path, &archive(&files, &[descriptor("index", &list)]));
    assert!(!repair(&path, "amd64").unwrap());
    // The older layout has no index.json at all.
    let old = docker_save(&folder.path().join("old.tar"), 1, &["lab/c:1"]);
    assert!(!repair(&old, "amd64").unwrap());
    assert_eq!(tags(&old).unwrap(), ["lab/c:1"]);
}

#[test]
fn an_image_without_its_layers_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tar");
    let a = saved("lab/a:1");
    let files: Vec<_> = a.files.iter().filter(|(_, bytes)| bytes.len() != 5000).cloned().collect();
    put(&path, &archive(&files, &[a.index]));
    let error = repair(&path, "amd64").unwrap_err();
    assert!(error.to_string().contains("docker.io/lab/a:1"), "{error}");
}

#[test]
fn broken_archives_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tar");
    let a = saved("lab/a:1");
    let whole = archive(&a.files, &[a.index]);
    for bytes in
        [b"no tar at all, but long enough to be looked at".repeat(20), whole[..3000].to_vec(), Tar::default().file("x", b"x").end()]
    {
        put(&path, &bytes);
        let error = tags(&path).unwrap_err();
        assert!(matches!(error, BundleError::Archive { .. }), "{error}");
    }
    assert!(matches!(tags(&folder.path().join("none")), Err(BundleError::Archive { .. })));
}

/// An `index.json` that was no regular file was read and never replaced: the repair was told each time, and never made.
#[test]
fn an_index_that_is_no_file_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.tar");
    let a = saved("lab/a:1");
    let text = json!({"schemaVersion": 2, "manifests": [a.index]}).to_string();
    let tar = a.files.iter().fold(Tar::default(), |tar, (path, bytes)| tar.file(path, bytes));
    put(&path, &tar.header("index.json", b'4', text.len() as u64).content(text.as_bytes()).end());
    assert!(!repair(&path, "amd64").unwrap());
    assert_eq!(tags(&path).unwrap_err().to_string().matches("manifest.json").count(), 1);
}
