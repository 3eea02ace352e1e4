//! The lists in an archive of `docker save`, put into one order: the engine lists its images as they come out of a map, each time in another
//! one. What Docker's classic store writes beside them, for readers of 2015 (`LAYER/json` of a layer that images share), still depends on
//! which image came first.

use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use serde_json::Value;

/// Lists of an archive: that of Docker's own form, and that of an OCI layout (engines since 25 write both).
const LISTS: [&str; 2] = ["manifest.json", "index.json"];

/// Orders the lists of an archive in place. A list that would not keep its size is left as it is.
pub(super) fn order(archive: &Path) -> io::Result<()> {
    let mut lists = Vec::new();
    for entry in tar::Archive::new(fs_err::File::open(archive)?).entries_with_seek()? {
        let mut entry = entry?;
        if LISTS.iter().any(|list| entry.path_bytes().as_ref() == list.as_bytes()) {
            let mut text = String::new();
            entry.read_to_string(&mut text)?;
            lists.push((entry.raw_file_position(), text));
        }
    }
    let mut file = fs_err::OpenOptions::new().write(true).open(archive)?;
    for (at, text) in lists {
        if let Some(text) = ordered(&text) {
            file.seek(SeekFrom::Start(at))?;
            file.write_all(text.as_bytes())?;
        }
    }
    Ok(())
}

/// The same list with its images, and the names of each, in order; `None` where it is none, or of another size.
fn ordered(text: &str) -> Option<String> {
    let mut list: Value = serde_json::from_str(text).ok()?;
    let images = if list.is_array() { list.as_array_mut()? } else { list.get_mut("manifests")?.as_array_mut()? };
    for names in images.iter_mut().filter_map(|image| image.get_mut("RepoTags")?.as_array_mut()) {
        names.sort_by_cached_key(ToString::to_string);
    }
    images.sort_by_cached_key(ToString::to_string);
    let end = &text[text.trim_end().len()..];
    Some(format!("{list}{end}")).filter(|ordered| ordered.len() == text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "[{\"Config\":\"b.json\",\"RepoTags\":[\"b:2\",\"b:1\"],\"Layers\":[\"z\",\"a\"]},{\"Config\":\"a.json\",\"RepoTags\":null,\"Layers\":[]}]\n";
    const OTHER: &str = "[{\"Config\":\"a.json\",\"RepoTags\":null,\"Layers\":[]},{\"Config\":\"b.json\",\"RepoTags\":[\"b:1\",\"b:2\"],\"Layers\":[\"z\",\"a\"]}]\n";

    fn saved(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut archive = tar::Builder::new(file.reopen().unwrap());
        for (name, contents) in [("aa/layer.tar", "layer"), ("manifest.json", text), ("repositories", "{}")] {
            let mut header = tar::Header::new_gnu();
            header.set_size(contents.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, name, contents.as_bytes()).unwrap();
        }
        archive.into_inner().unwrap();
        file
    }

    /// Two bundles of the same images were two files: the engine had saved them in another order (Docker 28, classic store).
    #[test]
    fn the_same_images_are_the_same_archive() {
        let (one, other) = (saved(ONE), saved(OTHER));
        assert_ne!(fs_err::read(one.path()).unwrap(), fs_err::read(other.path()).unwrap());
        order(one.path()).unwrap();
        order(other.path()).unwrap();
        assert_eq!(fs_err::read(one.path()).unwrap(), fs_err::read(other.path()).unwrap());
        assert!(ordered(ONE).unwrap().contains("[\"z\",\"a\"]"), "layers lie on each other");
    }

    #[test]
    fn what_is_no_such_list_is_left_alone() {
        for text in ["", "{}", "[ {\"Config\": 1} ]", "{\"manifests\":{}}"] {
            assert_eq!(ordered(text), None);
        }
    }
}
