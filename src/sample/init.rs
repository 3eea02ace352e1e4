//! `sample init`: a folder with a predictor of one's own, small enough to be read in a minute.

use std::path::{Path, PathBuf};

use super::manifest::SERVER;
use crate::error::{Exit, Failure};

/// What was written.
#[derive(Clone, Debug)]
pub struct Written {
    /// In the order in which they are worth reading.
    pub files: Vec<PathBuf>,
    /// The commands from here to a prediction.
    pub next: String,
}

/// Name, image and text of each file; `MODEL` and `IMAGE` are put in.
const FILES: &[(&str, &str)] = &[
    ("model.py", include_str!("../../manifests/samples/init/model.py")),
    ("Dockerfile", include_str!("../../manifests/samples/init/Dockerfile")),
    ("inferenceservice.yaml", include_str!("../../manifests/samples/init/inferenceservice.yaml")),
];

/// Writes the folder; one that holds anything is left alone.
pub fn write(folder: &Path) -> Result<Written, Failure> {
    let refuse = |why: String| {
        Failure::new("USAGE", Exit::Usage, format!("{} cannot become a predictor's folder", folder.display()))
            .cause(why)
            .hint("name a new folder, such as my-model: its name becomes the model's")
    };
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if !is_model_name(&name) {
        return Err(refuse(format!("`{name}` is no name for an InferenceService: lower case letters, digits and dashes, at most 40")));
    }
    fs_err::create_dir_all(folder).map_err(|error| refuse(error.to_string()))?;
    if fs_err::read_dir(folder).map_err(|error| refuse(error.to_string()))?.next().is_some() {
        return Err(refuse("it is not empty".into()));
    }
    let image = format!("dev.local/{name}:1");
    let mut files = Vec::new();
    for (file, text) in FILES {
        let path = folder.join(file);
        let text = text.replace("MODEL", &name).replace("IMAGE", &image).replace("BASE_OF_KSERVE", SERVER);
        fs_err::write(&path, text).map_err(|error| refuse(error.to_string()))?;
        files.push(path);
    }
    let at = folder.display();
    let next = format!(
        "`docker build -t {image} {at}`, `quickstart image load {image}`, `kubectl apply -n default -f {at}/inferenceservice.yaml`, `quickstart predict {name} -n default`"
    );
    Ok(Written { files, next })
}

/// Knative adds `-predictor-00001-deployment` and a hash to it, and all of that must be a label.
fn is_model_name(text: &str) -> bool {
    let body = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=40).contains(&text.len()) && text.bytes().all(body) && text.starts_with(|c: char| c.is_ascii_lowercase()) && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Filter, yaml};

    #[test]
    fn the_folder_is_whole_and_nothing_is_overwritten() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().join("my-model");
        let written = write(&folder).unwrap();
        assert_eq!(written.files.len(), FILES.len());
        let text = fs_err::read_to_string(folder.join("inferenceservice.yaml")).unwrap();
        let service = yaml::documents(&text, "t", &Filter::default(), &Filter::default()).unwrap().remove(0);
        assert_eq!(service.pointer("/spec/predictor/containers/0/image").unwrap(), "dev.local/my-model:1");
        assert_eq!(service.pointer("/metadata/name").unwrap(), "my-model");
        assert!(fs_err::read_to_string(folder.join("Dockerfile")).unwrap().contains("FROM"));
        fs_err::write(folder.join("model.py"), "mine").unwrap();
        assert_eq!(write(&folder).unwrap_err().exit, Exit::Usage);
        assert_eq!(fs_err::read_to_string(folder.join("model.py")).unwrap(), "mine");
    }

    #[test]
    fn a_name_that_kubernetes_would_refuse_is_refused_here() {
        let temporary = tempfile::tempdir().unwrap();
        for name in ["My_Model", "-x", "9x", &"a".repeat(41)] {
            assert_eq!(write(&temporary.path().join(name)).unwrap_err().exit, Exit::Usage, "{name}");
        }
        assert_eq!(write(Path::new("/")).unwrap_err().exit, Exit::Usage);
    }
}
