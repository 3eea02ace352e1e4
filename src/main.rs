//! The program: installs the one TLS provider, then hands over to the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    // reqwest and kube panic without a provider; a second installation is no harm.
    drop(rustls::crypto::ring::default_provider().install_default());
    quickstart::app::run(std::env::args_os())
}
