//! `bundle create`: from a specification and the engine, or from the plan and registries.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::planned::Planned;
use super::pull::{Wanted, pull};
use super::{blocking, files, save};
use crate::app::App;
use crate::bundle::{Sources, Spec, write};
use crate::catalog::embedded;
use crate::cli::BundleCreate;
use crate::error::{Exit, Failure};
use crate::fetch::Cache;
use crate::registry::{Mirror, Registry};
use crate::report::bytes;
use crate::stages::goarch;

pub(super) async fn run(app: &App, arguments: &BundleCreate) -> Result<Exit, Failure> {
    let Some(from) = arguments.from.clone() else { return planned(app, arguments).await };
    let spec = blocking(move || {
        let spec = Spec::read(&from)?;
        spec.check()?;
        Ok(spec)
    })
    .await?;
    let temporary = beside(&arguments.out)?;
    let sources = if arguments.pull || arguments.mirror.is_some() {
        let registry = registry(app, arguments)?;
        pull(app, &registry, &Wanted::of_spec(&spec), &spec.architecture).await?
    } else {
        save::images(app, &spec, temporary.path()).await?
    };
    finish(app, spec, sources, arguments.out.clone()).await
}

/// Everything of the plan, for each platform.
async fn planned(app: &App, arguments: &BundleCreate) -> Result<Exit, Failure> {
    let mut architectures = arguments.platform.clone();
    architectures.dedup();
    if architectures.is_empty() {
        architectures.push(goarch().to_owned());
    }
    let (registry, catalog) = (registry(app, arguments)?, embedded::catalog()?);
    for architecture in &architectures {
        let out = if architectures.len() > 1 { with_architecture(&arguments.out, architecture) } else { arguments.out.clone() };
        let temporary = beside(&out)?;
        let planned = Planned::new(&app.settings, &catalog, architecture, arguments.with_runtimes)?;
        planned.plan.cautions().iter().for_each(|caution| app.printer.talk(caution));
        let needed = files::Needed::look(app, arguments, &catalog, &planned).await?;
        if planned.left_out > 0 {
            let count = planned.left_out;
            app.printer.talk(&format!("{count} images of other serving runtimes are left out (--with-runtimes takes them)"));
        }
        let found = pull(app, &registry, &planned.wanted, architecture).await?;
        let spec = needed.fetch(app, planned.spec, temporary.path()).await?;
        finish(app, spec, found, out).await?;
    }
    Ok(Exit::Ok)
}

fn registry(app: &App, arguments: &BundleCreate) -> Result<Registry, Failure> {
    let mirror = arguments.mirror.as_deref().or(app.settings.mirror.as_deref()).map(Mirror::parse).transpose()?;
    let cache = Cache::new(&app.settings.paths.cache);
    Ok(Registry::new(&app.settings.environment, cache, mirror, &app.cancel)?)
}

async fn finish(app: &App, spec: Spec, sources: Sources, out: PathBuf) -> Result<Exit, Failure> {
    app.printer.talk(&format!("writing {}", out.display()));
    let to = out.clone();
    let index = blocking(move || Ok(write(&spec, &sources, &to, &mut |_| {})?)).await?;
    let size: u64 = index.files.iter().map(|entry| entry.size).sum();
    app.data(&format!("{}: {} files, {}", out.display(), index.files.len(), bytes(size)))?;
    Ok(Exit::Ok)
}

/// A folder on the disk of the new bundle; it goes when this value goes. Made first: who cannot write there need not wait for downloads.
fn beside(out: &Path) -> Result<TempDir, Failure> {
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let unwritable = |error: std::io::Error| {
        Failure::new("BUNDLE_UNREADABLE", Exit::Usage, format!("cannot write beside {}", out.display())).cause(error.to_string())
    };
    fs_err::create_dir_all(folder).map_err(unwritable)?;
    tempfile::Builder::new().prefix(".quickstart-").tempdir_in(folder).map_err(unwritable)
}

/// `stack.tar.gz` → `stack-arm64.tar.gz`
fn with_architecture(out: &Path, architecture: &str) -> PathBuf {
    let name = out.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let at = [".tar.gz", ".tgz", ".tar"].iter().find_map(|ending| Some(name.strip_suffix(ending)?.len())).unwrap_or(name.len());
    out.with_file_name(format!("{}-{architecture}{}", &name[..at], &name[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_platform_has_a_file_of_its_own() {
        for (out, named) in [("d/stack.tar", "d/stack-arm64.tar"), ("stack.tar.gz", "stack-arm64.tar.gz"), ("stack", "stack-arm64")] {
            assert_eq!(with_architecture(Path::new(out), "arm64"), Path::new(named));
        }
    }
}
