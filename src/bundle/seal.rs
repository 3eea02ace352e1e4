//! `bundle.json` as bytes: written with a checksum over itself, read with it compared.
//!
//! Every other entry's checksum stands in the index; the index's own stands in its field `seal`: the sha256 of the file's
//! bytes with 64 zeros in the place of the value.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{BundleError, INDEX_PATH, Index, VERSION};

const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";
const KEY: &str = "\"seal\": \"";

#[derive(Serialize)]
struct Sealed<'a> {
    #[serde(flatten)]
    index: &'a Index,
    seal: &'a str,
}

#[derive(Deserialize)]
struct Head {
    version: u32,
}

#[derive(Deserialize)]
struct Seal {
    seal: String,
}

/// The bytes of `bundle.json`.
pub(super) fn write(index: &Index) -> Result<Vec<u8>, BundleError> {
    let invalid = |error: serde_json::Error| BundleError::damaged(INDEX_PATH, error.to_string());
    let text = serde_json::to_string_pretty(&Sealed { index, seal: ZEROS }).map_err(invalid)? + "\n";
    let seal = hex::encode(Sha256::digest(text.as_bytes()));
    // The field is the last one, so the last occurrence is the field.
    let at = text.rfind(KEY).map(|at| at + KEY.len()).ok_or_else(|| BundleError::damaged(INDEX_PATH, "it has no seal"))?;
    let mut text = text;
    text.replace_range(at..at + ZEROS.len(), &seal);
    Ok(text.into_bytes())
}

/// The index that `bytes` spell; its version is looked at before anything else, since a newer one may have another shape.
pub(super) fn read(bytes: &[u8]) -> Result<Index, BundleError> {
    let invalid = |error: serde_json::Error| BundleError::damaged(INDEX_PATH, error.to_string());
    let text = std::str::from_utf8(bytes).map_err(|error| BundleError::damaged(INDEX_PATH, error.to_string()))?;
    let head: Head = serde_json::from_str(text).map_err(invalid)?;
    if head.version > VERSION {
        return Err(BundleError::Newer { found: head.version, known: VERSION });
    }
    if head.version == 0 {
        return Err(BundleError::damaged(INDEX_PATH, "there is no version 0"));
    }
    let Seal { seal } = serde_json::from_str(text).map_err(invalid)?;
    let at = text.rfind(KEY).map(|at| at + KEY.len()).filter(|at| seal.len() == ZEROS.len() && text[*at..].starts_with(&seal));
    let at = at.ok_or_else(|| BundleError::damaged(INDEX_PATH, "its seal is not where it belongs"))?;
    let mut sum = Sha256::new();
    sum.update(&bytes[..at]);
    sum.update(ZEROS);
    sum.update(&bytes[at + ZEROS.len()..]);
    let found = hex::encode(sum.finalize());
    if found != seal {
        return Err(BundleError::Checksum { path: INDEX_PATH.to_owned(), expected: seal, found });
    }
    serde_json::from_str(text).map_err(invalid)
}
