//! Diagnostics: what kind says line by line, what was tried again. Into `quickstart.log`, and with `-v` on stderr too.

use std::path::Path;
use std::sync::Mutex;

use fs_err::{OpenOptions, os::unix::fs::OpenOptionsExt as _};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::layer;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, registry};

/// Starts writing diagnostics. `log` is appended to; a log that cannot be opened is done without.
///
/// kube's client reports every refused connection as an error, which is what a cluster that comes up consists of: it is left out.
pub fn trace(log: &Path, verbose: u8) {
    let filter = |level: LevelFilter| {
        Targets::new()
            .with_default(LevelFilter::WARN)
            .with_target("kube_client", LevelFilter::OFF)
            .with_targets([("quickstart", level), ("kind", level)])
    };
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(log).ok();
    let to_file =
        file.map(|file| layer().with_ansi(false).with_writer(Mutex::new(file.into_parts().0)).with_filter(filter(LevelFilter::INFO)));
    let level = if verbose > 1 { LevelFilter::DEBUG } else { LevelFilter::INFO };
    let to_stderr = (verbose > 0).then(|| layer().with_ansi(false).with_writer(std::io::stderr).with_filter(filter(level)));
    drop(registry().with(to_file).with(to_stderr).try_init());
}
