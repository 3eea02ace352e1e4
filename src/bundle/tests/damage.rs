//! Cut off, flipped, replaced: always an error, nothing in place.

use super::support::{Tar, check, entry, gzip, index_of, put, refused, sample};
use crate::bundle::{Bundle, BundleError};
use crate::error::{Exit, Explain};

const CUTS: usize = 240;

#[test]
fn a_bundle_cut_off_anywhere_is_refused_and_no_half_file_gets_its_name() {
    let sample = sample();
    for name in ["b.tar", "b.tar.gz"] {
        let (path, index) = sample.write(name);
        let bytes = fs_err::read(&path).unwrap();
        let last = index.files.last().unwrap().path.clone();
        for cut in (0..CUTS).map(|step| bytes.len() * step / CUTS).chain(bytes.len() - 20..bytes.len()) {
            let short = sample.path("short");
            put(&short, &bytes[..cut]);
            let to = sample.path(&format!("out-{name}-{cut}"));
            let result = Bundle::open(&short).and_then(|bundle| {
                // May succeed where only zeros behind the last entry are missing.
                let _ = bundle.extract_to(|entry| (entry.path == last).then(|| to.join("last")));
                bundle.verify(|_, _| {})
            });
            let error = result.expect_err(&format!("{name} cut at {cut} passes"));
            assert_eq!((error.id(), error.exit()), ("BUNDLE_DAMAGED", Exit::Verification), "{name} cut at {cut}: {error}");
            assert!(matches!(error, BundleError::Truncated { .. } | BundleError::NotABundle { .. }), "{name} cut at {cut}: {error}");
            for file in fs_err::read_dir(&to).into_iter().flatten() {
                let file = file.unwrap().path();
                assert_eq!(file, to.join("last"), "a temporary file stays");
                let sum = entry("x", &fs_err::read(&file).unwrap()).sha256;
                assert_eq!(sum, index.files.last().unwrap().sha256, "{name} cut at {cut}");
            }
        }
    }
}

#[test]
fn a_plain_bundle_that_is_cut_off_is_known_at_once() {
    let sample = sample();
    let (path, _) = sample.write("b.tar");
    let bytes = fs_err::read(&path).unwrap();
    put(&path, &bytes[..bytes.len() - 1]);
    assert!(matches!(Bundle::open(&path), Err(BundleError::Truncated { .. })));
}

#[test]
fn a_file_with_a_wrong_sum_is_never_in_place() {
    for zipped in [false, true] {
        let index = index_of(vec![entry("manifests/a/a.yaml", b"a"), entry("bin/kind", b"kind")]);
        let bytes = Tar::default().index(&index).file("manifests/a/a.yaml", b"a").file("bin/kind", b"king").end();
        let folder = tempfile::tempdir().unwrap();
        let (path, to) = (folder.path().join("b"), folder.path().join("bin"));
        put(&path, &if zipped { gzip(&bytes) } else { bytes });
        put(&to.join("kind"), b"old");
        let error = Bundle::open(path).unwrap().extract_to(|entry| (entry.path == "bin/kind").then(|| to.join("kind"))).unwrap_err();
        assert!(matches!(error, BundleError::Checksum { .. }), "{error}");
        assert_eq!(fs_err::read(to.join("kind")).unwrap(), b"old");
        assert_eq!(fs_err::read_dir(&to).unwrap().count(), 1, "a temporary file stays");
    }
}

#[test]
fn every_flipped_byte_is_found() {
    let content = b"some bytes of a manifest".repeat(30);
    let index = index_of(vec![entry("manifests/istio/istio.yaml", &content), entry("bin/kind", b"kind")]);
    let bytes = Tar::default().index(&index).file("manifests/istio/istio.yaml", &content).file("bin/kind", b"kind").end();
    check(&bytes).unwrap();
    for at in 0..bytes.len() {
        let mut broken = bytes.clone();
        broken[at] ^= 0x11;
        let Err(error) = check(&broken) else {
            // The end of a header's own checksum field is only punctuation.
            assert!(matches!(at % 512, 154 | 155), "byte {at}");
            continue;
        };
        assert_eq!(error.exit(), Exit::Verification, "byte {at}: {error}");
    }
}

#[test]
fn flips_in_a_compressed_bundle_never_yield_other_bytes() {
    let sample = sample();
    let (path, _) = sample.write("b.tar.gz");
    let bytes = fs_err::read(&path).unwrap();
    for at in (10..bytes.len()).step_by(bytes.len() / 150) {
        let mut broken = bytes.clone();
        broken[at] ^= 0x40;
        let error = check(&broken).expect_err(&format!("byte {at}"));
        assert_eq!(error.exit(), Exit::Verification, "byte {at}: {error}");
    }
}

#[test]
fn a_flipped_byte_of_content_is_named_with_both_sums() {
    let index = index_of(vec![entry("bin/kind", b"kind")]);
    let error = refused(&Tar::default().index(&index).file("bin/kind", b"king").end());
    let text = error.to_string();
    let BundleError::Checksum { path, expected, found } = error else { panic!("{error}") };
    assert_eq!((path.as_str(), expected, found.clone()), ("bin/kind", entry("", b"kind").sha256, entry("", b"king").sha256));
    assert!(text.contains(&found), "{text}");
}

#[test]
fn the_index_protects_itself() {
    let mut text = crate::bundle::seal::write(&index_of(Vec::new())).unwrap();
    let at = text.windows(5).position(|window| window == b"amd64").unwrap();
    text[at + 3..at + 5].copy_from_slice(b"32");
    let error = refused(&Tar::default().file("bundle.json", &text).end());
    assert!(matches!(error, BundleError::Checksum { ref path, .. } if path == "bundle.json"), "{error}");
}

#[test]
fn entries_that_are_missing_added_or_twice_are_named() {
    let index = index_of(vec![entry("manifests/a/a.yaml", b"a"), entry("manifests/b/b.yaml", b"b")]);
    let start = || Tar::default().index(&index);
    let (a, b) = ("manifests/a/a.yaml", "manifests/b/b.yaml");
    let error = refused(&start().file(a, b"a").end());
    assert!(matches!(error, BundleError::Missing { ref path } if path == b), "{error}");
    let error = refused(&start().file(b, b"b").end());
    assert!(matches!(error, BundleError::Missing { ref path } if path == a), "{error}");
    let error = refused(&start().file(a, b"a").file(a, b"a").file(b, b"b").end());
    assert!(matches!(error, BundleError::Duplicate { ref path } if path == a), "{error}");
    let error = refused(&start().file(a, b"a").file(b, b"b").file(b, b"b").end());
    assert!(matches!(error, BundleError::Duplicate { ref path } if path == b), "{error}");
    let error = refused(&start().file(a, b"a").file("manifests/x", b"x").file(b, b"b").end());
    assert!(matches!(error, BundleError::Unexpected { ref path } if path == "manifests/x"), "{error}");
    let error = refused(&start().file(a, b"a").file(b, b"b").index(&index).end());
    assert!(matches!(error, BundleError::Duplicate { ref path } if path == "bundle.json"), "{error}");
    let error = refused(&start().file(a, b"aa").file(b, b"b").end());
    assert!(matches!(error, BundleError::Size { expected: 1, found: 2, .. }), "{error}");
}

#[test]
fn zeros_behind_the_end_are_a_habit_of_tar_and_anything_else_is_not() {
    let index = index_of(vec![entry("bin/kind", b"kind")]);
    let bytes = Tar::default().index(&index).file("bin/kind", b"kind").end();
    let mut padded = bytes.clone();
    padded.resize(padded.len().next_multiple_of(10240), 0);
    check(&padded).unwrap();
    check(&gzip(&padded)).unwrap();
    *padded.last_mut().unwrap() = 1;
    assert!(matches!(refused(&padded), BundleError::Damaged { .. }));
    let mut glued = gzip(&bytes);
    glued.extend_from_slice(b"more");
    assert!(matches!(check(&glued), Err(BundleError::Damaged { .. })));
}

#[test]
fn another_file_under_the_same_name_is_noticed() {
    let sample = sample();
    let (path, _) = sample.write("b.tar");
    let bundle = Bundle::open(&path).unwrap();
    put(&path, &Tar::default().index(&index_of(Vec::new())).end());
    assert!(matches!(bundle.verify(|_, _| {}), Err(BundleError::Damaged { .. })));
}

#[test]
fn what_is_no_bundle_says_so() {
    let others: [&[u8]; 5] = [b"", b"hello", &[0; 2048], &Tar::default().file("other.json", b"{}").end(), b"\x1f\x8b\x08\x00rest"];
    for bytes in others {
        let error = check(bytes).unwrap_err();
        assert!(matches!(error, BundleError::NotABundle { .. }), "{error}");
        assert_eq!((error.id(), error.exit()), ("BUNDLE_DAMAGED", Exit::Verification));
    }
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().to_owned(), folder.path().join("none")] {
        let error = Bundle::open(path).unwrap_err();
        assert_eq!((error.id(), error.exit()), ("BUNDLE_UNREADABLE", Exit::Usage));
        assert!(error.hint().unwrap().contains("path"));
    }
}
