//! What the fuzz targets share: files to read from, bundles whose sums are right, a settled plan's surroundings, a server that says anything.

mod bundle;
mod server;

use std::path::PathBuf;
use std::sync::OnceLock;

use quickstart::cli::{self, Halt};
use quickstart::config::{Environment, Settings};
use serde_json::{Value, json};
use tempfile::TempDir;

pub use bundle::{gzip, mended, sealed, tar};
pub use server::{Server, runtime};

/// A file with these bytes; each call replaces the one before. It lies in TMPDIR, which `scripts/fuzz.sh` takes away afterwards.
pub fn file(name: &str, bytes: &[u8]) -> PathBuf {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    let path = FOLDER.get_or_init(|| tempfile::tempdir().expect("a folder for the target's file")).path().join(name);
    std::fs::write(&path, bytes).expect("the target's file");
    path
}

/// `quickstart up` without a flag, an environment and a file.
pub fn settings() -> &'static Settings {
    static SETTINGS: OnceLock<Settings> = OnceLock::new();
    SETTINGS.get_or_init(|| {
        let cli = cli::parse(["quickstart", "up"]).unwrap_or_else(|halt| match halt {
            Halt::Show { plain, .. } => panic!("{plain}"),
            Halt::Refuse(failure) => panic!("{failure:?}"),
        });
        let environment = Environment::from_vars([("HOME", "/nonexistent")], "/nonexistent");
        Settings::resolve(&cli, environment).expect("settings without any wish")
    })
}

/// Objects that overlays and patches may hit.
pub fn objects() -> Vec<quickstart::catalog::Object> {
    let values: [Value; 3] = [
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "n"}, "data": {"deploy": "{\"mode\": 1}"}}),
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
               "spec": {"template": {"spec": {"containers": [{"name": "a", "image": "x"}, {"name": "b"}]}}}}),
        json!({"apiVersion": "a/v1", "kind": "V", "metadata": {"name": "v"}, "webhooks": [{"name": "w", "failurePolicy": "Ignore"}]}),
    ];
    values.into_iter().map(|value| quickstart::catalog::Object::new(value, "fuzz").expect("an object")).collect()
}
