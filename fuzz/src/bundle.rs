//! Bundles that get past the sums: no mutation of bytes ever guesses a sha256.

use std::io::Write;

use sha2::{Digest, Sha256};

const BLOCK: usize = 512;
const KEY: &[u8] = b"\"seal\": \"";
const ZEROS: &[u8; 64] = &[b'0'; 64];

/// A tar whose headers get the checksum that they should have, and its `bundle.json` the seal.
pub fn mended(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let mut at = 0;
    while let Some(header) = bytes.get(at..at + BLOCK) {
        if header.iter().all(|byte| *byte == 0) {
            break;
        }
        let digits: String = header[124..136].iter().map(|byte| char::from(*byte)).filter(char::is_ascii_digit).collect();
        let size = usize::from_str_radix(&digits, 8).unwrap_or(0).min(bytes.len());
        let content = at + BLOCK;
        if header.starts_with(b"bundle.json\0") {
            let end = (content + size).min(bytes.len());
            seal(&mut bytes[content..end]);
        }
        checksum(&mut bytes[at..at + BLOCK]);
        at = content + size.next_multiple_of(BLOCK);
    }
    bytes
}

/// An index, written without its seal, as `bundle.json`; `None` when it is not even an object's text.
pub fn sealed(text: &str) -> Option<Vec<u8>> {
    let body = text.trim_end().strip_suffix('}')?;
    let mut bytes = format!("{body},\"seal\": \"{}\"}}\n", "0".repeat(64)).into_bytes();
    seal(&mut bytes);
    Some(bytes)
}

/// A tar of one file.
pub fn tar(name: &str, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; BLOCK];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    bytes[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
    bytes[156] = b'0';
    checksum(&mut bytes);
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(BLOCK) + 2 * BLOCK, 0);
    bytes
}

/// The same compressed, quickly.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("compression in memory")
}

fn checksum(header: &mut [u8]) {
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

fn seal(text: &mut [u8]) {
    let Some(at) = text.windows(KEY.len()).rposition(|window| window == KEY).map(|at| at + KEY.len()) else { return };
    let Some(field) = text.get_mut(at..at + ZEROS.len()) else { return };
    field.copy_from_slice(ZEROS);
    let sum = hex::encode(Sha256::digest(&*text));
    text[at..at + ZEROS.len()].copy_from_slice(sum.as_bytes());
}
