//! Bytes of a bundle: opened, described, read through, small files taken out.
//!
//! The first byte: 1 puts checksums of headers and the seal right, 2 compresses.
#![no_main]

use std::cell::Cell;

use libfuzzer_sys::fuzz_target;
use quickstart::bundle::{Bundle, MAX_MANIFEST, describe};
use quickstart::report::{Palette, bundle_summary};
use quickstart_fuzz::{file, gzip, mended};

fuzz_target!(|data: &[u8]| {
    let Some((how, bytes)) = data.split_first() else { return };
    let mut bytes = if how & 1 == 1 { mended(bytes) } else { bytes.to_vec() };
    if how & 2 == 2 {
        bytes = gzip(&bytes);
    }
    let path = file("bundle.tar", &bytes);
    let Ok(bundle) = Bundle::open(&path) else { return };
    bundle_summary(&describe(bundle.index()), Palette::default());
    let whole = bundle.verify(|_, _| {}).is_ok();
    let read = Cell::new(0_u64);
    let taken = bundle.extract(|_| true, &mut |_, reader| {
        let mut text = Vec::new();
        let count = reader.read_to_end(&mut text)?;
        read.set(read.get() + count as u64);
        Ok(())
    });
    if whole {
        assert!(taken.is_ok(), "a bundle that was verified cannot be read: {taken:?}");
        assert_eq!(read.get(), bundle.index().files.iter().map(|entry| entry.size).sum::<u64>());
    }
    for entry in bundle.index().files.iter().take(3) {
        if let Ok(small) = bundle.read_small(&entry.path, MAX_MANIFEST) {
            assert_eq!(small.len() as u64, entry.size);
        }
    }
});
