//! Everything that must be on this machine first: manifests, kind, the node image. From the cache, the bundle or the network.

use std::collections::BTreeMap;
use std::path::PathBuf;

use futures_util::{StreamExt as _, stream};
use tokio_util::sync::CancellationToken;

use super::waiting::told;
use super::{Context, Ended, unpack};
use crate::catalog::embedded;
use crate::error::{Exit, Failure};
use crate::event::EventKind;
use crate::fetch::{Cache, Download, FetchError};
use crate::kind::{Program, Search};
use crate::plan::{PlannedFile, StageId, Target, Texts, assemble};
use crate::rules;

/// Downloads side by side.
const IN_FLIGHT: usize = 4;

pub(super) async fn run(ctx: &Context, cancel: &CancellationToken) -> Result<Ended, Failure> {
    if ctx.assembled.get().is_some() {
        return Ok(Ended::Skipped("it was needed before".into()));
    }
    let cache = Cache::new(&ctx.settings.paths.cache);
    if ctx.bundle.is_some() {
        unpack::missing(ctx, &cache, cancel).await?;
    }
    let texts = manifests(ctx, &cache, cancel).await?;
    let mut assembled = tokio::task::spawn_blocking({
        let plan = ctx.plan.clone();
        move || assemble(&plan, &texts)
    })
    .await
    .map_err(|error| Failure::internal(error.to_string()))??;
    super::images::carry_model(ctx, &mut assembled, cancel).await?;
    drop(ctx.assembled.set(assembled));
    if ctx.plan.is_local() {
        let program = kind(ctx, &cache, cancel).await?;
        drop(ctx.kind.set(program));
        if let Some(bundle) = &ctx.bundle {
            unpack::node_image(ctx, bundle, cancel).await?;
        }
    }
    Ok(Ended::Done)
}

/// The texts of every manifest of the plan.
pub async fn manifests(ctx: &Context, cache: &Cache, cancel: &CancellationToken) -> Result<Texts, Failure> {
    let mut wanted = Vec::new();
    for component in &ctx.plan.components {
        wanted.extend(component.files.iter().map(|file| one(ctx, cache, component.name.clone(), file, cancel)));
    }
    let mut loading = stream::iter(wanted).buffer_unordered(IN_FLIGHT);
    let mut texts = BTreeMap::new();
    while let Some(loaded) = loading.next().await {
        let (key, text) = loaded?;
        texts.insert(key, text);
    }
    Ok(texts)
}

async fn one(
    ctx: &Context,
    cache: &Cache,
    component: String,
    file: &PlannedFile,
    cancel: &CancellationToken,
) -> Result<((String, String), String), Failure> {
    let place = if let Some(place) = cache.get(&file.sha256).await? {
        place
    } else {
        let what = format!("{component}/{}", file.name);
        let on_bytes = |done: u64| {
            ctx.events.tell(EventKind::BytesMoved { stage: StageId::Fetch, what: what.clone(), done, total: Some(file.size) });
        };
        let download = Download {
            what: what.clone(),
            urls: file.urls.clone(),
            sha256: Some(file.sha256.clone()),
            size: Some(file.size),
            authorization: None,
        };
        let client = crate::fetch::client()?;
        let fetching = cache.fetch(&client, &download, &on_bytes, cancel);
        told(&ctx.events, &StageId::Fetch, &what, "it is downloaded", fetching).await.map_err(|error| explained(ctx, error))?.path
    };
    let text = fs_err::tokio::read_to_string(&place).await.map_err(|error| {
        Failure::new("MANIFEST_INVALID", Exit::Verification, format!("cannot read {component}/{}", file.name)).cause(error.to_string())
    })?;
    Ok(((component, file.name.clone()), text))
}

/// Behind a proxy a download that found nobody is the proxy's failure, and nothing in the transport's words says so.
fn explained(ctx: &Context, error: FetchError) -> Failure {
    let failure = Failure::from(error);
    match rules::rule("PROXY_ENV").filter(|_| failure.id == "DOWNLOAD_FAILED" && ctx.settings.environment.proxies.any()) {
        Some(rule) => {
            rule.failure("a download through the proxy of the environment did not succeed", failure.cause.unwrap_or(failure.what))
        }
        None => failure,
    }
}

/// `kind` from PATH when it is new enough, else the bundle's, else a pinned download.
async fn kind(ctx: &Context, cache: &Cache, cancel: &CancellationToken) -> Result<Program, Failure> {
    let catalog = embedded::catalog()?;
    let minimum = semver::Version::parse(&catalog.kind.minimum).map_err(|error| Failure::internal(error.to_string()))?;
    match Program::search(ctx.settings.environment.path.as_deref(), &minimum).await {
        Search::Found(program) if pairs(ctx, &catalog.kind, &program) => return Ok(program),
        Search::Found(program) => {
            ctx.events.note(format!("kind {} of PATH has no node image in the catalog: another one is used", program.version));
        }
        Search::TooOld(program) => {
            ctx.events.note(format!("kind {} of PATH is older than {minimum}: another one is used", program.version));
        }
        Search::Unusable { path, message } => ctx.events.note(format!("{} cannot be used: {message}", path.display())),
        Search::Missing => {}
    }
    if let Some(bundled) = ctx.bundle.as_ref().and_then(|bundle| unpack::entry(bundle, &bundle.kind.as_ref()?.path)) {
        let place = cache.get(&bundled.sha256).await?.ok_or_else(|| Failure::internal("kind of the bundle is not in the cache"))?;
        return program_at(ctx, place, &bundled.sha256).await;
    }
    let platform = format!("{}-{}", std::env::consts::OS.replace("macos", "darwin"), goarch());
    let pinned = catalog.kind.versions.iter().find(|version| version.version == catalog.kind.default);
    let binary = pinned.and_then(|version| version.binaries.iter().find(|binary| binary.platform == platform)).ok_or_else(|| {
        Failure::new("KIND_MISSING", Exit::Prerequisite, format!("kind is not installed, and there is no program of it for {platform}"))
            .hint(format!("install kind {} or newer", catalog.kind.default))
    })?;
    if binary.sha256.is_none() && !ctx.settings.accept_unpinned {
        return Err(Failure::new(
            "KIND_MISSING",
            Exit::Prerequisite,
            "kind is not installed, and the checksum of its download is not known",
        )
        .cause(binary.reason.clone().unwrap_or_default())
        .hint(format!(
            "install kind {} or newer, use a bundle, or accept the unverified program with --accept-unpinned",
            catalog.kind.default
        )));
    }
    let download = Download {
        what: format!("kind {}", catalog.kind.default),
        urls: vec![binary.url.clone()],
        sha256: binary.sha256.clone(),
        size: None,
        authorization: None,
    };
    let on_bytes =
        |done: u64| ctx.events.tell(EventKind::BytesMoved { stage: StageId::Fetch, what: download.what.clone(), done, total: None });
    let client = crate::fetch::client()?;
    let fetching = cache.fetch(&client, &download, &on_bytes, cancel);
    let cached = told(&ctx.events, &StageId::Fetch, "kind", "it is downloaded", fetching).await.map_err(|error| explained(ctx, error))?;
    program_at(ctx, cached.path, &cached.sha256).await
}

/// Online, only a kind whose node image the catalog pairs with it; with a bundle or a named image the pairing is theirs.
fn pairs(ctx: &Context, pins: &crate::catalog::KindPins, program: &Program) -> bool {
    let named = ctx.bundle.is_some() || ctx.settings.node_image.is_some();
    let Target::Kind { node_image, .. } = &ctx.plan.target else { return true };
    let version = program.version.to_string();
    named || pins.versions.iter().any(|known| known.version == version && known.nodes.iter().any(|node| node.image == *node_image))
}

/// A copy that may be executed, named by its content.
async fn program_at(ctx: &Context, place: PathBuf, sha256: &str) -> Result<Program, Failure> {
    let target = ctx.settings.paths.programs().join(format!("kind-{}", &sha256[..16.min(sha256.len())]));
    let made = tokio::task::spawn_blocking({
        let target = target.clone();
        move || -> std::io::Result<()> {
            use std::os::unix::fs::PermissionsExt as _;
            // The download was verified a moment ago; the copy may have been cut by a power failure since it was made.
            if same(&place, &target) {
                return Ok(());
            }
            let folder = target.parent().map(std::path::Path::to_path_buf).unwrap_or_default();
            fs_err::create_dir_all(&folder)?;
            let temp = tempfile::Builder::new().prefix(".quickstart-").tempfile_in(&folder)?.into_temp_path();
            fs_err::copy(&place, &temp)?;
            fs_err::set_permissions(&temp, std::fs::Permissions::from_mode(0o755))?;
            temp.persist(&target).map_err(|error| error.error)
        }
    })
    .await
    .map_err(|error| Failure::internal(error.to_string()))?;
    made.map_err(|error| Failure::new("NO_SPACE", Exit::Prerequisite, "cannot put kind into the cache").cause(error.to_string()))?;
    Ok(Program::at(&target).await?)
}

/// Two files of the same bytes. Both are read as a whole: a program of some megabytes.
fn same(one: &std::path::Path, other: &std::path::Path) -> bool {
    matches!((fs_err::read(one), fs_err::read(other)), (Ok(one), Ok(other)) if one == other)
}

/// This program's architecture under its GOARCH name.
pub fn goarch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
