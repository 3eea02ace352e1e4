//! `bundle verify` on bundles that are much larger inside than outside, with little memory to be had.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::process::Command;

const GIB: u64 = 1 << 30;
/// sha256 of a gibibyte of zeros.
const GIB_OF_ZEROS: &str = "49bc20df15e412a64472421e13fe86ff1c5165e18b2afccf160d4dc19fe68a14";
/// Memory that the program may write to, in KiB: its threads' stacks and buffers are a quarter of it.
const MEMORY: u32 = 96 * 1024;

fn header(path: &str, size: u64) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.set_path(path).unwrap();
    header.set_size(size);
    header.set_mode(0o644);
    header.set_cksum();
    header.as_bytes().to_vec()
}

/// `bundle.json` with its header, naming one file.
fn index(path: &str, size: u64, sha256: &str) -> Vec<u8> {
    let index = json!({
        "version": 1, "name": "bomb", "created_by": "a test", "architecture": "amd64", "set": "kserve-0.20",
        "files": [{"path": path, "sha256": sha256, "size": size}], "manifests": [], "images": [], "node": null, "kind": null, "model": null,
    });
    let zeros = "0".repeat(64);
    let text = format!("{},\"seal\": \"{zeros}\"}}\n", index.to_string().strip_suffix('}').unwrap());
    let text = text.replace(&format!("\"seal\": \"{zeros}\""), &format!("\"seal\": \"{}\"", hex::encode(Sha256::digest(&text))));
    let mut bytes = header("bundle.json", text.len() as u64);
    bytes.extend_from_slice(text.as_bytes());
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

/// `before`, and then zeros, compressed: a thousandth of it.
fn gzip(path: &Path, before: &[u8], zeros: u64) {
    let mut encoder = GzEncoder::new(fs_err::File::create(path).unwrap(), Compression::fast());
    encoder.write_all(before).unwrap();
    std::io::copy(&mut std::io::Read::take(std::io::repeat(0), zeros), &mut encoder).unwrap();
    encoder.finish().unwrap();
}

/// The program under a limit on its memory; its exit code and the last document on stdout or its standard error.
async fn verify(path: &Path) -> (Option<i32>, String) {
    let limited = format!("ulimit -d {MEMORY} && exec \"$0\" bundle verify \"$1\"");
    let home = path.parent().unwrap();
    let output = Command::new("/bin/sh")
        .args(["-c", &limited, env!("CARGO_BIN_EXE_quickstart")])
        .arg(path)
        .env_clear()
        .env("HOME", home)
        .env("TMPDIR", home)
        .output()
        .await
        .unwrap();
    (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

async fn refused(path: PathBuf, words: &str) {
    let (code, said) = verify(&path).await;
    assert!(code == Some(8) && said.contains(words), "{}: {code:?}: {said}", path.display());
}

/// A gibibyte that the index announces passes through; memory does not grow with it.
#[tokio::test]
#[cfg_attr(not(target_os = "linux"), ignore = "only Linux counts what `ulimit -d` limits")]
async fn a_gibibyte_out_of_a_megabyte_is_read_in_little_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.tar.gz");
    let mut before = index("model/a/zeros", GIB, GIB_OF_ZEROS);
    before.extend_from_slice(&header("model/a/zeros", GIB));
    gzip(&path, &before, GIB + 1024);
    assert!(fs_err::metadata(&path).unwrap().len() < GIB / 64);
    let (code, said) = verify(&path).await;
    assert_eq!(code, Some(0), "{said}");
}

/// Sizes that headers only claim, zeros where an index should be, and more behind the end than any tar program leaves.
#[tokio::test]
#[cfg_attr(not(target_os = "linux"), ignore = "only Linux counts what `ulimit -d` limits")]
async fn what_only_claims_to_be_large_is_refused_in_little_memory() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let huge = 1 << 43;
    let whole = [index("model/a/b", huge, GIB_OF_ZEROS), header("model/a/b", huge)].concat();
    fs_err::write(at("claims.tar"), &whole).unwrap();
    refused(at("claims.tar"), "BUNDLE_DAMAGED").await;
    gzip(&at("claims.tar.gz"), &whole, 1 << 24);
    refused(at("claims.tar.gz"), "BUNDLE_DAMAGED").await;
    gzip(&at("index.tar.gz"), &header("bundle.json", GIB), 1 << 27);
    refused(at("index.tar.gz"), "its index has 1073741824 bytes").await;
    gzip(&at("tail.tar.gz"), &index("model/a/b", 0, &hex::encode(Sha256::digest([]))), 1 << 27);
    refused(at("tail.tar.gz"), "BUNDLE_DAMAGED").await;
    let end = [index("model/a/b", 0, &hex::encode(Sha256::digest([]))), header("model/a/b", 0)].concat();
    gzip(&at("behind.tar.gz"), &end, 1 << 27);
    refused(at("behind.tar.gz"), "more than 1 MiB follows").await;
}

/// The limit is one: without it the two tests above would say nothing.
#[tokio::test]
#[cfg_attr(not(target_os = "linux"), ignore = "only Linux counts what `ulimit -d` limits")]
async fn the_limit_on_memory_works() {
    let limited = format!("ulimit -d {MEMORY} && exec head -c {GIB} /dev/zero | tail -n 1");
    let status = Command::new("/bin/sh").args(["-c", &limited]).stderr(std::process::Stdio::null()).status().await.unwrap();
    assert!(!status.success());
}
