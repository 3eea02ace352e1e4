//! Bundles that were made to do harm, or for somebody else.

use super::support::{Tar, check, entry, gzip, index_of, refused};
use crate::bundle::{Bundle, BundleError, Entry, Image, Index, Manifest, VERSION, seal};
use crate::error::{Exit, Explain};

fn is_unsafe(error: &BundleError) -> bool {
    matches!(error, BundleError::Unsafe { .. }) && (error.id(), error.exit()) == ("BUNDLE_UNSAFE", Exit::Verification)
}

#[test]
fn paths_that_lead_elsewhere_are_refused_in_the_index_and_in_the_archive() {
    let long = "a".repeat(101);
    for path in ["../x", "/x", "a/../../x", "a\\x", "", "a\0b", "./x", "a//x", &long] {
        let error = refused(&Tar::default().index(&index_of(vec![entry(path, b"x")])).end());
        assert!(is_unsafe(&error), "{path:?}: {error}");
        if path.len() <= 100 && !path.contains('\0') {
            let error = refused(&Tar::default().index(&index_of(vec![entry("x", b"x")])).file(path, b"x").end());
            assert!(is_unsafe(&error), "{path:?}: {error}");
        }
    }
}

#[test]
fn only_regular_files_are_entries() {
    // Hard link, symbolic link, character and block device, folder, pipe, sparse, GNU long name, pax.
    for kind in *b"1234567SLKxgD" {
        let error = refused(&Tar::default().index(&index_of(vec![entry("bin/kind", b"")])).header("bin/kind", kind, 0).end());
        assert!(is_unsafe(&error), "{}: {error}", char::from(kind));
    }
}

#[test]
fn a_long_name_extension_with_a_terabyte_of_name_is_not_read() {
    let error = refused(&Tar::default().index(&index_of(Vec::new())).header("././@LongLink", b'L', 1 << 40).end());
    assert!(is_unsafe(&error), "{error}");
}

#[test]
fn an_index_of_more_than_4_mib_is_not_read() {
    for size in [4 * 1024 * 1024 + 1, 1 << 50] {
        let error = refused(&Tar::default().header("bundle.json", b'0', size).end());
        assert!(matches!(error, BundleError::Bomb { .. }), "{error}");
        assert_eq!(error.id(), "BUNDLE_UNSAFE");
    }
}

#[test]
fn a_gzip_of_zeros_stops_at_what_the_index_declares() {
    // Megabytes from a few kilobytes.
    let zeros = vec![0; 32 * 1024 * 1024];
    let bomb = |start: Tar| {
        let mut bytes = start.0;
        bytes.extend_from_slice(&zeros);
        gzip(&bytes)
    };
    let declared = index_of(vec![entry("bin/kind", b"")]);
    let error = check(&bomb(Tar::default().index(&declared).header("bin/kind", b'0', zeros.len() as u64))).unwrap_err();
    assert!(matches!(error, BundleError::Size { expected: 0, .. }), "{error}");
    let error = check(&bomb(Tar::default().index(&declared).header("bin/kind", b'0', 0))).unwrap_err();
    assert!(matches!(error, BundleError::Bomb { .. }), "{error}");
    let error = check(&bomb(Tar::default().header("bundle.json", b'0', 1000))).unwrap_err();
    assert!(matches!(error, BundleError::Damaged { .. }), "{error}");
}

#[test]
fn sizes_that_no_disk_has_are_refused() {
    let huge = |path: &str, size| Entry { size, ..entry(path, b"") };
    for files in [
        vec![huge("images/a.tar", u64::MAX)],
        vec![huge("images/a.tar", u64::MAX / 4), huge("images/b.tar", u64::MAX / 4)],
        vec![huge("manifests/a/a.yaml", 65 * 1024 * 1024)],
        vec![huge("bin/kind", 1 << 33)],
        (0..10_001).map(|at| huge(&format!("images/{at}.tar"), 0)).collect(),
    ] {
        let error = refused(&Tar::default().index(&index_of(files)).end());
        assert!(matches!(error, BundleError::Bomb { .. }), "{error}");
    }
    // A manifest is small wherever it lies: it is held in memory.
    let mut index = index_of(vec![huge("images/a.tar", 1 << 40)]);
    index.manifests.push(Manifest { component: "a".into(), file: "a".into(), path: "images/a.tar".into(), substitute: None });
    assert!(matches!(refused(&Tar::default().index(&index).end()), BundleError::Bomb { .. }));
}

#[test]
fn a_newer_version_is_told_from_damage_whatever_else_it_says() {
    for text in [
        r#"{"version": 2, "shape": "another"}"#.to_owned(),
        String::from_utf8(seal::write(&Index { version: 7, ..index_of(Vec::new()) }).unwrap()).unwrap(),
    ] {
        let error = refused(&Tar::default().file("bundle.json", text.as_bytes()).end());
        assert!(matches!(error, BundleError::Newer { known: VERSION, .. }), "{error}");
        assert_eq!(
            (error.id(), error.exit(), error.hint().as_deref()),
            ("BUNDLE_VERSION", Exit::Verification, Some("use a newer quickstart"))
        );
    }
    for text in ["", "{", "[]", r#"{"version": 0}"#, r#"{"version": "1"}"#, r#"{"version": -1}"#, r#"{"version": 1}"#, "\u{feff}{}"] {
        let error = refused(&Tar::default().file("bundle.json", text.as_bytes()).end());
        assert!(matches!(error, BundleError::Damaged { .. }), "{text}: {error}");
    }
}

#[test]
fn another_architecture_is_refused_with_both_names() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs_err::write(file.path(), Tar::default().index(&index_of(Vec::new())).end()).unwrap();
    let bundle = Bundle::open(file.path()).unwrap();
    bundle.check_architecture("amd64").unwrap();
    let error = bundle.check_architecture("arm64").unwrap_err();
    assert_eq!((error.id(), error.exit()), ("BUNDLE_ARCH", Exit::Verification));
    assert_eq!(error.to_string(), "the bundle is for amd64, the engine's machine is arm64");
    assert!(error.hint().unwrap().contains("arm64"));
}

#[test]
fn sections_name_files_that_are_there_once() {
    let base = || index_of(vec![entry("images/a.tar", b"")]);
    let image = |archive: &str| Image {
        reference: "a:1".into(),
        local: "a:1".into(),
        group: "a".into(),
        archive: archive.into(),
        id: "sha256:0".into(),
        substitute: None,
    };
    let manifest = Manifest { component: "a".into(), file: "a".into(), path: "images/a.tar".into(), substitute: None };
    let broken = [
        Index { images: vec![image("images/b.tar")], ..base() },
        Index { images: vec![image("")], ..base() },
        Index { images: vec![image("images/a.tar"), image("images/a.tar")], ..base() },
        Index { manifests: vec![manifest.clone(), manifest], ..base() },
        Index { kind: Some(crate::bundle::Kind { path: "bin/kind".into(), version: "0.30.0".into() }), ..base() },
        Index { model: Some(crate::bundle::Model { name: "m".into(), path: "../m".into() }), ..base() },
        index_of(vec![entry("a/b", b""), entry("a", b"")]),
        index_of(vec![Entry { sha256: "0".repeat(63), ..entry("a", b"") }]),
        index_of(vec![Entry { sha256: "Z".repeat(64), ..entry("a", b"") }]),
    ];
    for index in broken {
        let error = refused(&Tar::default().index(&index).end());
        assert!(matches!(error, BundleError::Damaged { .. }), "{error}");
    }
    for files in [vec![entry("a", b""), entry("A", b"")], vec![entry("bundle.json", b"")]] {
        let error = refused(&Tar::default().index(&index_of(files)).end());
        assert!(matches!(error, BundleError::Duplicate { .. }), "{error}");
    }
}
