//! `logs`.

use std::time::Duration;

use super::doctor;
use crate::app::App;
use crate::catalog::embedded;
use crate::cli::Logs;
use crate::error::{Exit, Failure};
use crate::kind::{Program, Search};
use crate::logs::{Out, Request, gather};
use crate::report::bytes;

/// Bound on the look for a kind program: one that hangs is done without.
const KIND: Duration = Duration::from_secs(10);

pub(super) async fn run(app: &App, arguments: &Logs) -> Result<Exit, Failure> {
    let name = &app.settings.name;
    let top = format!("quickstart-logs-{name}-{}", jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ"));
    let path = arguments.out.clone().unwrap_or_else(|| format!("{top}.tar.gz").into());
    let out = Out::claim(&app.settings.environment.directory.join(path))?;
    app.printer.talk(&format!("gathering what there is of cluster {name}; it takes a minute and a half at most"));
    let catalog = embedded::catalog()?;
    let work = async {
        let (index, kind) = tokio::join!(doctor::bundle(app), tokio::time::timeout(KIND, program(app)));
        let request = Request {
            settings: &app.settings,
            catalog: &catalog,
            bundle: index.as_ref().map(|index| index.as_ref().map_err(Clone::clone)),
            kind: kind.ok().flatten(),
            top,
        };
        Box::pin(gather(&request, out)).await
    };
    let packed = tokio::select! {
        () = app.cancel.cancelled() => return Err(interrupted()),
        packed = work => packed?,
    };
    app.printer.talk(&format!(
        "{} files, {}; secrets are replaced by [redacted], but look through it before you hand it on",
        packed.files,
        bytes(packed.size)
    ));
    if packed.missing > 0 {
        app.printer.talk(&format!("MISSING.txt in it names {} that could not be had", parts(packed.missing)));
    }
    app.data(&packed.path.display().to_string())?;
    Ok(Exit::Ok)
}

/// kind of PATH, else the one that `up` put into the cache.
async fn program(app: &App) -> Option<Program> {
    let minimum = semver::Version::new(0, 20, 0);
    if let Search::Found(program) = Program::search(app.settings.environment.path.as_deref(), &minimum).await {
        return Some(program);
    }
    let mut entries = fs_err::tokio::read_dir(app.settings.paths.programs()).await.ok()?;
    while let Ok(Some(entry)) = entries.next_entry().await {
        if entry.file_name().to_string_lossy().starts_with("kind-")
            && let Ok(program) = Program::at(&entry.path()).await
        {
            return Some(program);
        }
    }
    None
}

fn parts(count: usize) -> String {
    if count == 1 { "one part".to_owned() } else { format!("{count} parts") }
}

fn interrupted() -> Failure {
    Failure::new("INTERRUPTED", Exit::Interrupted, "interrupted, no archive was written").hint("run `quickstart logs` again at any time")
}
