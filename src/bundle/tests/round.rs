//! Written, read, the same.

use std::io::{self, Read};

use super::support::{noise, put, sample};
use crate::bundle::{Bundle, BundleError, Phase, describe, write};
use crate::error::{Exit, Explain};

const ORDER: [&str; 11] = [
    "manifests/cert-manager/cert-manager.yaml",
    "manifests/knative/serving-crds.yaml",
    "manifests/kserve/kserve.yaml",
    "manifests/catalog.yaml",
    "bin/kind",
    "node/image.tar",
    "model/sklearn-iris/model.joblib",
    "images/cert-manager.tar",
    "images/istio.tar",
    "images/kserve.tar",
    "images/zz-extra.tar",
];

#[test]
fn what_was_written_is_read_again_plain_and_compressed() {
    for name in ["b.tar", "b.tar.gz", "b.TGZ"] {
        let sample = sample();
        let (path, index) = sample.write(name);
        let bundle = Bundle::open(&path).unwrap();
        assert_eq!(bundle.is_gzip(), name != "b.tar");
        assert_eq!(serde_json::to_value(bundle.index()).unwrap(), serde_json::to_value(&index).unwrap());
        let order: Vec<&str> = index.files.iter().map(|entry| entry.path.as_str()).collect();
        assert_eq!(order, ORDER);
        let mut last = (String::new(), 0);
        bundle.verify(|entry, done| last = (entry.path.clone(), done)).unwrap();
        assert_eq!(last, ("images/zz-extra.tar".to_owned(), index.files.last().unwrap().size));
        assert_eq!(bundle.read_small("manifests/kserve/kserve.yaml", 3000).unwrap(), noise(1, 3000));
        assert_eq!(bundle.read_small("manifests/catalog.yaml", 100).unwrap(), b"version: 1\n");
        assert!(matches!(bundle.read_small("bin/kind", 1499), Err(BundleError::Bomb { .. })));
        assert!(matches!(bundle.read_small("bin/other", 1499), Err(BundleError::Missing { .. })));
        assert_eq!(index.images[0].archive, "images/cert-manager.tar");
        assert_eq!(index.images[0].id, format!("sha256:{:064x}", 13));
        assert_eq!(index.node.as_ref().unwrap().archive, "node/image.tar");
        assert_eq!(index.manifests[0].substitute.as_ref().unwrap().name, "other");
    }
}

#[test]
fn the_same_sources_make_the_same_bytes_and_any_tar_reads_them() {
    let (one, two) = (sample(), sample());
    for name in ["b.tar", "b.tar.gz"] {
        let (first, _) = one.write(name);
        put(&two.path("m/crds.yaml"), &noise(2, 512));
        let (second, _) = two.write(name);
        assert_eq!(fs_err::read(first).unwrap(), fs_err::read(second).unwrap(), "{name}");
    }
    let mut tar = tar::Archive::new(fs_err::File::open(one.path("b.tar")).unwrap());
    let entries = tar.entries().unwrap().map(|entry| {
        let entry = entry.unwrap();
        let header = entry.header();
        assert_eq!((header.mtime().unwrap(), header.uid().unwrap(), header.gid().unwrap()), (0, 0, 0));
        (entry.path().unwrap().display().to_string(), header.mode().unwrap())
    });
    let entries: Vec<(String, u32)> = entries.collect();
    assert_eq!(entries[0].0, "bundle.json");
    assert_eq!(entries.iter().filter(|(_, mode)| *mode == 0o755).map(|(path, _)| path.as_str()).collect::<Vec<_>>(), ["bin/kind"]);
}

#[test]
fn selected_entries_come_in_one_pass_and_the_rest_is_not_read() {
    let sample = sample();
    let (path, _) = sample.write("b.tar");
    let mut bytes = fs_err::read(&path).unwrap();
    // The content of another entry is broken: nobody asked for it.
    let at = bytes.windows(3000).position(|window| window == noise(1, 3000)).unwrap();
    bytes[at] ^= 1;
    fs_err::write(&path, &bytes).unwrap();
    let bundle = Bundle::open(&path).unwrap();
    let mut seen = Vec::new();
    bundle
        .extract(|entry| entry.path.starts_with("images/") || entry.path == "bin/kind", &mut |entry, reader| {
            // A sink may stop early: the rest is drained and hashed all the same.
            let mut first = [0; 10];
            reader.read_exact(&mut first)?;
            seen.push(entry.path.clone());
            Ok(())
        })
        .unwrap();
    assert_eq!(seen, ["bin/kind", "images/cert-manager.tar", "images/istio.tar", "images/kserve.tar", "images/zz-extra.tar"]);
    assert!(matches!(bundle.verify(|_, _| {}), Err(BundleError::Checksum { path, .. }) if path == "manifests/kserve/kserve.yaml"));
}

#[test]
fn a_sink_that_fails_is_the_error_and_a_full_disk_is_named() {
    let sample = sample();
    let (path, _) = sample.write("b.tar");
    let bundle = Bundle::open(path).unwrap();
    let error = bundle.extract(|_| true, &mut |_, _| Err(io::Error::from(io::ErrorKind::StorageFull))).unwrap_err();
    assert_eq!((error.id(), error.exit()), ("NO_SPACE", Exit::Prerequisite));
    assert!(matches!(error, BundleError::Sink { path, .. } if path == "manifests/cert-manager/cert-manager.yaml"));
}

#[cfg(unix)]
#[test]
fn files_are_put_in_place_with_their_modes() {
    use std::os::unix::fs::PermissionsExt;
    for name in ["b.tar", "b.tar.gz"] {
        let sample = sample();
        let (path, _) = sample.write(name);
        let to = sample.path("out");
        let wanted = |path: &str| path == "bin/kind" || path.starts_with("model/");
        let written = Bundle::open(path).unwrap().extract_to(|entry| wanted(&entry.path).then(|| to.join(&entry.path))).unwrap();
        assert_eq!(written, [to.join("bin/kind"), to.join("model/sklearn-iris/model.joblib")]);
        assert_eq!(fs_err::metadata(&written[0]).unwrap().permissions().mode() & 0o777, 0o755);
        assert_eq!(fs_err::metadata(&written[1]).unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(fs_err::read(&written[1]).unwrap(), noise(5, 700));
        assert_eq!(fs_err::read_dir(to.join("bin")).unwrap().count(), 1, "no temporary file stays");
    }
}

#[test]
fn a_source_that_changes_between_the_passes_is_an_error_and_the_old_bundle_stays() {
    let same_length = noise(77, 1500);
    let longer = noise(4, 1501);
    let shorter = noise(4, 1499);
    for other in [&same_length, &longer, &shorter] {
        let sample = sample();
        let out = sample.path("b.tar");
        put(&out, b"old");
        let kind = sample.path("bin/kind");
        let mut changed = false;
        let error = write(&sample.spec, &sample.sources, &out, &mut |progress| {
            if progress.phase == Phase::Write && !changed {
                changed = true;
                put(&kind, other);
            }
        })
        .unwrap_err();
        assert!(matches!(&error, BundleError::Changed { path } if *path == kind), "{error}");
        assert_eq!(fs_err::read(&out).unwrap(), b"old");
        let left = fs_err::read_dir(sample.folder.path())
            .unwrap()
            .filter(|file| file.as_ref().unwrap().file_name().to_string_lossy().starts_with('.'));
        assert_eq!(left.count(), 0);
    }
}

#[test]
fn progress_counts_each_pass_up_to_its_total() {
    let sample = sample();
    let mut seen = Vec::new();
    let index = write(&sample.spec, &sample.sources, &sample.path("b.tar"), &mut |progress| {
        seen.push((progress.phase, progress.done, progress.total));
    })
    .unwrap();
    let total = index.files.iter().map(|entry| entry.size).sum::<u64>();
    for phase in [Phase::Hash, Phase::Write] {
        let done: Vec<u64> = seen.iter().filter(|(of, ..)| *of == phase).map(|(_, done, _)| *done).collect();
        assert!(done.is_sorted());
        assert_eq!(done.last(), Some(&total));
    }
    assert!(seen.iter().all(|(_, _, of)| *of == total));
}

#[test]
fn a_summary_says_what_is_inside() {
    let sample = sample();
    let (_, index) = sample.write("b.tar");
    let summary = describe(&index);
    let sections: Vec<(&str, usize)> = summary.sections.iter().map(|section| (section.name.as_str(), section.files)).collect();
    let expected = [
        ("manifests", 4),
        ("bin", 1),
        ("node", 1),
        ("model", 1),
        ("images/cert-manager", 1),
        ("images/istio", 1),
        ("images/kserve", 1),
        ("images/zz-extra", 1),
    ];
    assert_eq!(sections, expected);
    assert_eq!(summary.kubernetes.as_deref(), Some("1.34.3"));
    assert_eq!(summary.images[0].substitute.as_ref().unwrap().version.as_deref(), Some("1.11.5"));
    assert_eq!(summary.manifests[2].size, 3000);
    assert_eq!(summary.size, summary.sections.iter().map(|section| section.size).sum::<u64>());
    let value = serde_json::to_value(&summary).unwrap();
    assert_eq!(value["kind_settings"]["featureGates"]["KubeletInUserNamespace"], true);
    assert_eq!(value["patches"][0]["object"]["kind"], "ConfigMap");
}

#[test]
fn what_verify_reads_is_everything() {
    let sample = sample();
    let (path, index) = sample.write("b.tar.gz");
    let mut read = 0;
    Bundle::open(path)
        .unwrap()
        .extract(|_| true, &mut |_, reader| io::copy(&mut reader.take(u64::MAX), &mut io::sink()).map(|count| read += count))
        .unwrap();
    assert_eq!(read, index.files.iter().map(|entry| entry.size).sum::<u64>());
}
