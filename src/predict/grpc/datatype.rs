//! The datatypes of the Open Inference Protocol.

/// What the values of a tensor are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Datatype {
    Bool,
    Int8,
    Int16,
    Int32,
    Int64,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    Fp16,
    Bf16,
    Fp32,
    Fp64,
    Bytes,
}

use Datatype::{Bf16, Bool, Bytes, Fp16, Fp32, Fp64, Int8, Int16, Int32, Int64, Uint8, Uint16, Uint32, Uint64};

const NAMES: [(Datatype, &str); 14] = [
    (Bool, "BOOL"),
    (Int8, "INT8"),
    (Int16, "INT16"),
    (Int32, "INT32"),
    (Int64, "INT64"),
    (Uint8, "UINT8"),
    (Uint16, "UINT16"),
    (Uint32, "UINT32"),
    (Uint64, "UINT64"),
    (Fp16, "FP16"),
    (Bf16, "BF16"),
    (Fp32, "FP32"),
    (Fp64, "FP64"),
    (Bytes, "BYTES"),
];

impl Datatype {
    /// All of them.
    #[cfg(test)]
    pub(super) fn all() -> impl Iterator<Item = Self> {
        NAMES.into_iter().map(|(datatype, _)| datatype)
    }

    /// By its name, which is in capitals.
    pub(super) fn parse(name: &str) -> Option<Self> {
        NAMES.iter().find(|(_, known)| *known == name).map(|(datatype, _)| *datatype)
    }

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        NAMES.iter().find(|(datatype, _)| *datatype == self).map_or("", |(_, name)| name)
    }

    /// Those that have no list in a message, only the raw form.
    pub(super) const fn only_raw(self) -> bool {
        matches!(self, Fp16 | Bf16)
    }
}

/// How many values a shape has room for: `None` where a dimension is negative, or all together are more than can be.
pub(super) fn room(shape: &[i64]) -> Option<usize> {
    shape.iter().try_fold(1_usize, |product, size| product.checked_mul(usize::try_from(*size).ok()?))
}
