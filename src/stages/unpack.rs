//! Out of the bundle: small files into the cache, images as streams, everything hashed on its way. And the cache's blobs as a stream.

use std::collections::BTreeSet;
use std::io::{self, Read};

use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use tokio_util::bytes::Bytes;
use tokio_util::io::StreamReader;
use tokio_util::sync::CancellationToken;

use super::Context;
use super::waiting::told;
use crate::bundle::{Bundle, BundleError, Entry, Index, OciArchive};
use crate::docker::Engine;
use crate::error::{Exit, Failure};
use crate::event::EventKind;
use crate::fetch::Cache;
use crate::health::interrupted;
use crate::plan::StageId;

const CHUNK: usize = 1024 * 1024;

/// The entry of a path.
pub(super) fn entry<'a>(index: &'a Index, path: &str) -> Option<&'a Entry> {
    index.files.iter().find(|entry| entry.path == path)
}

fn open(ctx: &Context) -> Result<Bundle, Failure> {
    let path = ctx.bundle_path.as_ref().ok_or_else(|| {
        Failure::new("BUNDLE_UNREADABLE", Exit::Usage, "something of the bundle is needed, and the bundle is not there any more")
            .hint("name it with `quickstart up --bundle FILE`")
    })?;
    Ok(Bundle::open(path)?)
}

/// Puts manifests, kind and the model into the cache where they are not there yet: one pass over the bundle.
pub(super) async fn missing(ctx: &Context, cache: &Cache, cancel: &CancellationToken) -> Result<(), Failure> {
    let Some(index) = &ctx.bundle else { return Ok(()) };
    let wanted: BTreeSet<&str> = index
        .manifests
        .iter()
        .map(|manifest| manifest.path.as_str())
        .chain(index.kind.iter().map(|kind| kind.path.as_str()))
        .chain(index.model.iter().map(|model| model.path.as_str()))
        .collect();
    let mut absent = BTreeSet::new();
    for path in wanted {
        if let Some(entry) = entry(index, path)
            && cache.get(&entry.sha256).await?.is_none()
        {
            absent.insert(entry.path.clone());
        }
    }
    if absent.is_empty() {
        return Ok(());
    }
    let bundle = open(ctx)?;
    let runtime = tokio::runtime::Handle::current();
    let (cache, cancel) = (cache.clone(), cancel.clone());
    let saw = format!("{} files are taken out of the bundle", absent.len());
    let reading = tokio::task::spawn_blocking(move || -> Result<(), Failure> {
        let mut refused = None;
        let read = bundle.extract(|entry| absent.contains(&entry.path), &mut |entry, reader| {
            if cancel.is_cancelled() {
                return Err(io::Error::other("interrupted"));
            }
            let mut bytes = Vec::with_capacity(usize::try_from(entry.size).unwrap_or(0).min(64 * 1024 * 1024));
            reader.read_to_end(&mut bytes)?;
            // Damaged: the bundle's reader says so when this returns, in its own words.
            if hex::encode(Sha256::digest(&bytes)) != entry.sha256 {
                return Ok(());
            }
            // One at a time: all of them together are a third of the memory that `up` may take.
            runtime.block_on(cache.put_reader(&entry.path, &entry.sha256, bytes.as_slice(), &crate::fetch::quiet)).map(drop).map_err(
                |error| {
                    refused = Some(Failure::from(error));
                    io::Error::other("the cache did not take it")
                },
            )
        });
        if let Some(failure) = refused {
            return Err(failure);
        }
        read?;
        Ok(())
    });
    let read = told(&ctx.events, &StageId::Fetch, "bundle", &saw, reading).await;
    read.map_err(|error| Failure::internal(error.to_string()))?
}

/// Loads the node image into the engine, unless just this image is there.
pub(super) async fn node_image(ctx: &Context, index: &Index, cancel: &CancellationToken) -> Result<(), Failure> {
    let Some(node) = &index.node else { return Ok(()) };
    if ctx.settings.node_image.is_some() || node.archive.is_empty() {
        return Ok(());
    }
    let engine = ctx.engine()?;
    let origin = index.origins.iter().find(|origin| origin.reference == node.reference);
    // Engines with containerd's store call an image by the digest of its manifest, not of its configuration.
    let is_ours = |id: &str| id == node.id || origin.is_some_and(|origin| id == origin.digest);
    if engine.image_id(&node.reference).await?.as_deref().is_some_and(is_ours) {
        return Ok(());
    }
    if engine.image_id(&node.id).await?.is_none() {
        ctx.events.note(format!("loading node image {}", node.reference));
        let engine: Engine = engine.clone();
        stream_entry(ctx, &StageId::Fetch, &node.archive, cancel, |reader, told| async move {
            engine.load(reader, &told).await.map(|_| ()).map_err(Failure::from)
        })
        .await?;
    }
    if node.local != node.reference || engine_lacks(ctx, &node.reference).await? {
        // Under the archive's name first: that is what every kind of engine has now.
        let source = if engine_lacks(ctx, &node.local).await? { &node.id } else { &node.local };
        ctx.engine()?.tag(source, &node.reference).await?;
    }
    Ok(())
}

async fn engine_lacks(ctx: &Context, reference: &str) -> Result<bool, Failure> {
    Ok(ctx.engine()?.image_id(reference).await?.is_none())
}

/// The bytes as they come.
pub(super) type Reader = Box<dyn tokio::io::AsyncRead + Send + Unpin>;
/// Is told how many bytes were taken.
pub(super) type Told = Box<dyn Fn(u64) + Send + Sync>;
type Chunks = mpsc::Sender<io::Result<Bytes>>;

/// Whoever reads stopped before the end.
struct Stopped {
    /// Nobody took the bytes any more: why is the consumer's to tell.
    left_alone: bool,
    failure: Failure,
}

/// Streams one entry of the bundle to `consume` with back-pressure; succeeds when both the consumer and the checksum are content.
pub(super) async fn stream_entry<F, W>(
    ctx: &Context,
    stage: &StageId,
    path: &str,
    cancel: &CancellationToken,
    consume: F,
) -> Result<(), Failure>
where
    F: FnOnce(Reader, Told) -> W,
    W: Future<Output = Result<(), Failure>>,
{
    let bundle = open(ctx)?;
    let total = ctx.bundle.as_ref().and_then(|index| entry(index, path)).map(|entry| entry.size);
    let wanted = path.to_owned();
    let read = move |chunks: &Chunks| {
        let extracted = bundle.extract(|entry| entry.path == wanted, &mut |_, reader| pump(reader, chunks));
        extracted.map_err(|error| Stopped { left_alone: matches!(error, BundleError::Sink { .. }), failure: error.into() })
    };
    stream(ctx, stage, (path, total), cancel, read, consume).await
}

/// The same for an archive that is put together out of the cache while it is read.
pub(super) async fn stream_blobs<F, W>(
    ctx: &Context,
    stage: &StageId,
    archive: OciArchive,
    cancel: &CancellationToken,
    consume: F,
) -> Result<(), Failure>
where
    F: FnOnce(Reader, Told) -> W,
    W: Future<Output = Result<(), Failure>>,
{
    let total = archive.size();
    let read = move |chunks: &Chunks| {
        pump(&mut archive.open(), chunks).map_err(|error| {
            let failure = Failure::new("CHECKSUM", Exit::Verification, "a layer of the cache is not what it was when it was verified")
                .cause(error.to_string())
                .hint("run the same command again: what is damaged is pulled anew");
            Stopped { left_alone: chunks.is_closed(), failure }
        })
    };
    stream(ctx, stage, ("layers", Some(total)), cancel, read, consume).await
}

async fn stream<F, W>(
    ctx: &Context,
    stage: &StageId,
    (what, total): (&str, Option<u64>),
    cancel: &CancellationToken,
    read: impl FnOnce(&Chunks) -> Result<(), Stopped> + Send + 'static,
    consume: F,
) -> Result<(), Failure>
where
    F: FnOnce(Reader, Told) -> W,
    W: Future<Output = Result<(), Failure>>,
{
    let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(4);
    let reading = tokio::task::spawn_blocking(move || read(&sender));
    let events = ctx.events.clone();
    let (named, at) = (what.to_owned(), stage.clone());
    let on_bytes = Box::new(move |done: u64| events.tell(EventKind::BytesMoved { stage: at.clone(), what: named.clone(), done, total }));
    let reader = StreamReader::new(tokio_stream(receiver));
    // After the last byte whoever takes them unpacks layers without a word.
    let saw = format!("{what} is loaded and unpacked");
    let consumed = tokio::select! {
        () = cancel.cancelled() => return Err(interrupted()),
        consumed = told(&ctx.events, stage, what, &saw, consume(Box::new(reader), on_bytes)) => consumed,
    };
    let read = reading.await.map_err(|error| Failure::internal(error.to_string()))?;
    match (read, consumed) {
        // A damaged archive fails at both ends; the reader's word, such as a wrong checksum, is the better explanation.
        (Err(Stopped { left_alone, failure }), consumed) => Err(consumed.err().filter(|_| left_alone).unwrap_or(failure)),
        (Ok(()), consumed) => consumed,
    }
}

fn pump(reader: &mut dyn Read, sender: &Chunks) -> io::Result<()> {
    loop {
        let mut chunk = vec![0; CHUNK];
        let count = reader.read(&mut chunk)?;
        if count == 0 {
            return Ok(());
        }
        chunk.truncate(count);
        // Without this the rest, perhaps gigabytes after Ctrl-C, would be read for nobody.
        if sender.blocking_send(Ok(Bytes::from(chunk))).is_err() {
            return Err(io::Error::other("nobody reads any more"));
        }
    }
}

fn tokio_stream(receiver: mpsc::Receiver<io::Result<Bytes>>) -> impl futures_util::Stream<Item = io::Result<Bytes>> + Send + Unpin {
    Box::pin(futures_util::stream::unfold(receiver, |mut receiver| async move { Some((receiver.recv().await?, receiver)) }))
}
