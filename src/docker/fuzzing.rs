//! A door for the fuzz targets: what reads single words and lines of an engine or a node.

use super::{containerd, engine, exec::ExecOutput, images};

/// Reads one text in every way in which the engine's words are read; answers how much was understood of it.
pub fn words(text: &str) -> usize {
    let options = containerd::import_options(&engine::goarch(text), text).len();
    let (repository, tag) = images::split_tag(text);
    let loaded = images::loaded_image(text).map_or(0, |name| name.len());
    let api = usize::from(engine::parse_api(text).is_some());
    let output = ExecOutput { code: 1, stdout: String::new(), stderr: text.to_owned() };
    let told = output.ok("node", &[text]).map_or_else(|error| error.to_string().len(), |said| said.len());
    options + repository.len() + tag.len() + loaded + api + told
}
