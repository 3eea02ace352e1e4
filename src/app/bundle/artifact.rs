//! `bundle push|pull`: a bundle as an OCI artifact, and `--bundle oci://…`.

use std::path::Path;

use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::blocking;
use super::pull::{BLOBS, download, explained};
use crate::app::App;
use crate::bundle::{Apart, Bundle, Piece, Recipe, put_together, recipe, take_apart};
use crate::cli::{BundlePull, BundlePush};
use crate::config::Settings;
use crate::error::{Exit, Failure};
use crate::fetch::{Cache, quiet};
use crate::registry::{Blob, Place, Registry, Section};
use crate::report::bytes;
use crate::state::persist;

/// What the artifact is, to whoever lists a registry.
const KIND: &str = "application/vnd.quickstart.bundle.v1";
const RECIPE: &str = "application/vnd.quickstart.bundle.recipe.v1+json";
const PIECE: &str = "application/vnd.quickstart.bundle.piece.v1";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// A recipe names each layer once.
const MAX_RECIPE: u64 = 16 * 1024 * 1024;

/// `oci://…` in the place of a path.
pub(in crate::app) fn is_artifact(path: &Path) -> bool {
    path.to_str().is_some_and(|text| text.starts_with("oci://"))
}

fn registry(app: &App) -> Result<(Registry, Cache), Failure> {
    let cache = Cache::new(&app.settings.paths.cache);
    Ok((Registry::new(&app.settings.environment, cache.clone(), None, &app.cancel)?, cache))
}

pub(super) async fn push(app: &App, arguments: &BundlePush) -> Result<Exit, Failure> {
    let place = Place::of_artifact(&arguments.to)?;
    let (registry, _) = registry(app)?;
    app.printer.talk(&format!("reading {}", arguments.file.display()));
    let file = arguments.file.clone();
    let Apart { recipe, small, blobs } = blocking(move || Ok(take_apart(&file)?)).await?;
    registry.may_push(&place).await.map_err(|error| explained(app, error))?;
    let temporary = tempfile::tempdir()
        .map_err(|error| Failure::new("BUNDLE_WRITE", Exit::Prerequisite, "no temporary folder").cause(error.to_string()))?;
    let small = section(&temporary.path().join("small"), small)?;
    let text = serde_json::to_vec(&recipe).map_err(|error| Failure::internal(error.to_string()))?;
    let config = section(&temporary.path().join("recipe"), text)?;
    let mut sections = vec![small];
    sections.extend(blobs.iter().map(|(sha256, (start, size))| Section {
        path: arguments.file.clone(),
        start: *start,
        size: *size,
        sha256: sha256.clone(),
    }));
    let layers: Vec<Value> = sections.iter().map(|section| descriptor(PIECE, section)).collect();
    let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": KIND, "config": descriptor(RECIPE, &config), "layers": layers,
        "annotations": {"org.opencontainers.image.title": recipe.name, "org.opencontainers.image.description": format!("quickstart bundle for {}", recipe.architecture)}});
    sections.push(config);
    app.printer.talk(&format!("sending {} blobs, {}, as far as they are not there", sections.len(), bytes(recipe.size)));
    let (mut sent, mut already) = (0, 0);
    let mut sending = stream::iter(sections.iter().map(|section| async {
        Ok::<_, Failure>((registry.push(&place, section).await.map_err(|error| explained(app, error))?, section.size))
    }))
    .buffer_unordered(BLOBS);
    while let Some(done) = sending.next().await {
        match done? {
            (true, size) => sent += size,
            (false, size) => already += size,
        }
    }
    let manifest = manifest.to_string().into_bytes();
    let digest = hex::encode(Sha256::digest(&manifest));
    registry.push_manifest(&place, MANIFEST, manifest).await.map_err(|error| explained(app, error))?;
    app.data(&format!("oci://{}@sha256:{digest}: {} sent, {} was there", place.repository(), bytes(sent), bytes(already)))?;
    Ok(Exit::Ok)
}

/// Bytes as a file that is a blob.
fn section(path: &Path, bytes: Vec<u8>) -> Result<Section, Failure> {
    let section = Section { path: path.to_owned(), start: 0, size: bytes.len() as u64, sha256: hex::encode(Sha256::digest(&bytes)) };
    let written = fs_err::write(path, bytes);
    written.map_err(|error| {
        Failure::new("BUNDLE_WRITE", Exit::Prerequisite, "a piece of the bundle cannot be written").cause(error.to_string())
    })?;
    Ok(section)
}

fn descriptor(media_type: &str, section: &Section) -> Value {
    json!({"mediaType": media_type, "digest": format!("sha256:{}", section.sha256), "size": section.size})
}

pub(super) async fn pull(app: &App, arguments: &BundlePull) -> Result<Exit, Failure> {
    let found = find(app, &arguments.from).await?;
    get(app, &found, &arguments.out).await?;
    app.data(&format!("{}: {}, for {}", arguments.out.display(), bytes(found.recipe.size), found.recipe.architecture))?;
    Ok(Exit::Ok)
}

struct Found {
    url: String,
    registry: Registry,
    cache: Cache,
    place: Place,
    recipe: Recipe,
}

/// Looks the artifact up; reads its manifest and its recipe.
async fn find(app: &App, url: &str) -> Result<Found, Failure> {
    let place = Place::of_artifact(url)?;
    let (registry, cache) = registry(app)?;
    let (sum, _, manifest) = registry.manifest(url, &place).await.map_err(|error| explained(app, error))?;
    let not = |cause: &str| {
        Failure::new("BUNDLE_DAMAGED", Exit::Verification, format!("{url} is not a bundle"))
            .cause(cause)
            .hint("name what `quickstart bundle push` has put there")
    };
    let manifest: Value = serde_json::from_slice(&manifest).map_err(|error| not(&error.to_string()))?;
    if manifest["artifactType"] != KIND {
        return Err(not("it is another kind of artifact"));
    }
    let config = &manifest["config"];
    let sha256 = config["digest"]
        .as_str()
        .and_then(|digest| digest.strip_prefix("sha256:"))
        .filter(|sum| sum.len() == 64 && sum.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let blob =
        sha256.zip(config["size"].as_u64().filter(|size| *size <= MAX_RECIPE)).map(|(sum, size)| Blob { sha256: sum.to_owned(), size });
    let blob = blob.ok_or_else(|| not(&format!("manifest sha256:{sum} names no recipe")))?;
    let path = registry.blob(url, &place, &blob, &quiet).await.map_err(|error| explained(app, error))?;
    let text = fs_err::tokio::read(&path).await.map_err(|error| not(&error.to_string()))?;
    let recipe = recipe(&text)?;
    Ok(Found { url: url.to_owned(), registry, cache, place, recipe })
}

/// Fetches the pieces that are not in the cache and puts the bundle together.
async fn get(app: &App, found: &Found, out: &Path) -> Result<(), Failure> {
    let small: u64 = found.recipe.pieces.iter().map(|piece| if let Piece::Small { small } = piece { *small } else { 0 }).sum();
    let mut blobs = vec![Blob { sha256: found.recipe.small.clone(), size: small }];
    blobs.extend(found.recipe.pieces.iter().filter_map(|piece| match piece {
        Piece::Blob { sha256, size } => Some(Blob { sha256: sha256.clone(), size: *size }),
        Piece::Small { .. } => None,
    }));
    blobs.sort();
    blobs.dedup();
    let wanted = blobs.iter().map(|blob| (found.url.as_str(), &found.place, blob)).collect();
    download(app, &found.registry, wanted).await?;
    app.printer.talk(&format!("writing {}", out.display()));
    let (recipe, cache, out) = (found.recipe.clone(), found.cache.clone(), out.to_owned());
    blocking(move || {
        put_together(&recipe, &|sum| cache.place(sum), &out)?;
        Bundle::open(&out)?;
        Ok(())
    })
    .await
}

/// Where the settings name an artifact: the file that it is here, fetched first if that is allowed. A registry that does not answer is
/// missed only by who has never fetched it.
pub(in crate::app) async fn localize(app: &App, settings: &mut Settings, fetch: bool) -> Result<(), Failure> {
    let Some(url) = settings.bundle.as_deref().filter(|path| is_artifact(path)).and_then(Path::to_str).map(str::to_owned) else {
        return Ok(());
    };
    let folder = settings.paths.images();
    let note = folder.join(format!("{}.json", &hex::encode(Sha256::digest(&url))[..16]));
    let place = |sha256: &str| folder.join(format!("{sha256}.tar"));
    let found = match find(app, &url).await {
        Ok(found) => found,
        Err(failure) if failure.exit == Exit::Prerequisite => {
            let Some(before) = noted(&note).map(|sha256| place(&sha256)) else { return Err(failure) };
            if !is_there(&before).await? {
                return Err(failure);
            }
            app.printer.talk(&format!("{url} cannot be asked ({}): the bundle that was fetched before is used", failure.id));
            settings.bundle = Some(before);
            return Ok(());
        }
        Err(failure) => return Err(failure),
    };
    let here = place(&found.recipe.sha256);
    if !is_there(&here).await? {
        if !fetch {
            return Err(Failure::new("BUNDLE_UNREADABLE", Exit::Usage, format!("{url} is not on this machine yet"))
                .hint(format!("`quickstart up` fetches it; or `quickstart bundle pull {url} FILE`, then --bundle FILE")));
        }
        get(app, &found, &here).await?;
    }
    let text = json!({"version": 1, "url": url, "sha256": found.recipe.sha256}).to_string();
    persist::write(&note, text.as_bytes(), false)
        .map_err(|error| Failure::new("CACHE_IO", Exit::Prerequisite, "the cache folder cannot be used").cause(error.to_string()))?;
    settings.bundle = Some(here);
    Ok(())
}

/// Every entry is compared with its sum when it is used: this looks at the index and the headers only.
async fn is_there(place: &Path) -> Result<bool, Failure> {
    let place = place.to_owned();
    blocking(move || Ok(Bundle::open(&place).is_ok())).await
}

/// What an address led to the last time.
fn noted(note: &Path) -> Option<String> {
    let value: Value = serde_json::from_slice(&fs_err::read(note).ok()?).ok()?;
    value["sha256"].as_str().filter(|sum| sum.len() == 64 && sum.bytes().all(|byte| byte.is_ascii_hexdigit())).map(str::to_owned)
}
