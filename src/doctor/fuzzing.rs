//! A door for the fuzz targets: what reads certificates.

use jiff::Timestamp;

use super::certificates::{certificates, of_kubeconfig, of_pem};

/// How many certificates of PEM text, or of a kubeconfig, were understood.
pub fn expiries(text: &str) -> usize {
    let mut all = of_pem(text, "fuzz");
    all.extend(of_kubeconfig(text));
    certificates(&all, Timestamp::UNIX_EPOCH);
    all.len()
}
