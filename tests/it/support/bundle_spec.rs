//! The small stack as a bundle spec on disk: manifests, images of the fake engine, node, `kind`, model.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{docker_engine::DockerEngine, faults::sha256, manifests};

/// Writes everything into `folder` and returns the spec's path. The images are put into the engine under their local names.
pub fn write(folder: &Path, engine: &DockerEngine, kind: &Path) -> PathBuf {
    fs_err::create_dir_all(folder.join("manifests")).unwrap();
    let mut files = Vec::new();
    for (component, file, text) in manifests::files() {
        let path = folder.join("manifests").join(file);
        fs_err::write(&path, text).unwrap();
        files.push(json!({"component": component, "file": file, "path": path,
            "substitute": {"name": "small manifests for tests", "reason": "the real ones are megabytes"}}));
    }
    let images: Vec<_> = manifests::images()
        .into_iter()
        .map(|(group, reference)| {
            let local = format!("small/{}:1", &sha256(reference.as_bytes())[..12]);
            engine.add_image(&local, "amd64");
            json!({"reference": reference, "local": local, "group": group, "substitute": null})
        })
        .collect();
    let node = "kindest/node:v1.34.3";
    engine.add_image(node, "amd64");
    let model = folder.join("model.joblib");
    fs_err::write(&model, "not really a model").unwrap();
    let program = folder.join("kind");
    fs_err::copy(kind, &program).unwrap();
    let spec = json!({
        "version": 1, "name": "small", "architecture": "amd64", "set": "kserve-0.20", "manifests": files, "images": images,
        "node": {"reference": node, "local": node, "kubernetes": "1.34.3", "substitute": null},
        "kind": {"path": program, "version": "0.30.0"},
        "model": {"name": "sklearn-iris", "path": model},
        "patches": [], "kind_settings": {"featureGates": {}},
    });
    let path = folder.join("spec.json");
    fs_err::write(&path, spec.to_string()).unwrap();
    path
}
