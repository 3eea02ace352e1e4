//! Which paths an archive may name.

/// Longest path in bytes: what a tar header holds without extensions, which bundles never have.
pub const MAX_PATH: usize = 100;

/// Refuses every path that is not plainly inside the archive's own folder; says what is wrong with it.
///
/// Allowed are ASCII letters, digits and `._-+@=`, in parts divided by `/`. That is less than file systems can do, and the same on all of them.
pub fn check_path(path: &str) -> Result<(), &'static str> {
    if path.is_empty() {
        return Err("the path is empty");
    }
    if path.len() > MAX_PATH {
        return Err("the path is longer than 100 bytes");
    }
    if path.contains('\0') {
        return Err("the path holds a NUL");
    }
    if path.contains('\\') {
        return Err("the path holds a backslash");
    }
    if path.starts_with('/') {
        return Err("the path is absolute");
    }
    for part in path.split('/') {
        match part {
            "" => return Err("the path has an empty part"),
            "." | ".." => return Err("the path leaves its folder"),
            _ => {}
        }
    }
    if path.bytes().all(|byte| byte == b'/' || is_plain(byte)) { Ok(()) } else { Err("the path holds a character that is not allowed") }
}

/// Whether `name` can be one part of a path.
pub(super) fn is_name(name: &str) -> bool {
    !name.contains('/') && check_path(name).is_ok()
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._-+@=".contains(&byte)
}

#[cfg(test)]
mod tests {
    use std::path::{Component, Path};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_bundle_holds_is_allowed() {
        for path in [
            "manifests/cert-manager/cert-manager.yaml",
            "bin/kind",
            "node/image.tar",
            "model/sklearn-iris/model.joblib",
            "images/istio.tar",
        ] {
            assert_eq!(check_path(path), Ok(()), "{path}");
        }
    }

    #[test]
    fn every_way_out_is_refused() {
        let long = "a/".repeat(60) + "b";
        let bad = [
            "",
            "/",
            "/etc/passwd",
            "..",
            "../x",
            "a/../x",
            "a/..",
            ".",
            "./a",
            "a/./b",
            "a//b",
            "a/",
            "a\\b",
            "..\\x",
            "C:\\x",
            "C:x",
            "a\0b",
            "a b",
            "a\nb",
            "a\u{202e}b",
            "é",
            "~",
            &long,
        ];
        for path in bad {
            assert!(check_path(path).is_err(), "{path:?}");
        }
    }

    proptest! {
        #[test]
        fn an_allowed_path_stays_in_its_folder(path in "\\PC{0,20}|[a./\\\\:~]{0,12}|([a-z.]{1,3}/){0,5}[a-z.]{0,3}") {
            if check_path(&path).is_ok() {
                prop_assert!(Path::new(&path).components().all(|part| matches!(part, Component::Normal(_))));
                prop_assert_eq!(Path::new(&path).components().count(), path.split('/').count());
                prop_assert!(Path::new("/some/folder").join(&path).starts_with("/some/folder"));
            }
        }

        #[test]
        fn dots_never_pass(before in "([a-z]{1,4}/){0,3}", dots in "\\.|\\.\\.", after in "(/[a-z]{1,4}){0,3}") {
            let path = format!("{before}{dots}{after}");
            prop_assert!(check_path(&path).is_err());
        }
    }
}
