//! `up --join`: the bundle from the room, and with `--as` a word to its board.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::config::Nearby;
use crate::error::{Exit, Failure};
use crate::event::{Event, EventKind};
use crate::fetch::{Cache, Invitation, Report, Room, cached, find};
use crate::report::bytes;

/// The board hears at most so often.
const EVERY: Duration = Duration::from_secs(1);
const HERE: &str = "the room's bundle is here already";
/// The last word gets so long, and only if the board has heard the one before.
const LAST: Duration = Duration::from_secs(1);

/// Where the bundle of an invitation is.
#[derive(Debug)]
pub(super) enum Source {
    /// On this machine, and nobody has to be told anything.
    Here(PathBuf),
    /// In a room, which also hears how it goes.
    Room(Room),
}

impl Source {
    /// The room, where there is one.
    pub(super) fn room(&self) -> Option<&Room> {
        match self {
            Self::Here(_) => None,
            Self::Room(room) => Some(room),
        }
    }
}

/// Follows an invitation; a room of which only the code is known is looked for in the network, unless its bundle is here and no board is
/// to hear of us.
pub(super) async fn source(app: &App, text: &str, board: bool) -> Result<Source, Failure> {
    let code = match text.parse()? {
        Invitation::Link(link) => return Ok(Source::Room(Room::new(link)?)),
        Invitation::Code(code) => code,
    };
    let nearby = Nearby::of(&app.settings.environment)?;
    let here = cached(&code, &Cache::new(&app.settings.paths.cache)).await?;
    if let Some(path) = here.clone().filter(|_| !board) {
        app.printer.talk(HERE);
        return Ok(Source::Here(path));
    }
    app.printer.talk("looking for the room of this code in the network");
    let found = tokio::select! {
        found = find(nearby, &code) => found,
        () = app.cancel.cancelled() => return Err(Failure::new("INTERRUPTED", Exit::Interrupted, "interrupted")),
    };
    match (found, here) {
        (Ok(room), _) => Ok(Source::Room(room)),
        (Err(error), Some(path)) => {
            app.printer.talk(&format!("{HERE}; the board will not hear of this run: {error}"));
            Ok(Source::Here(path))
        }
        (Err(error), None) => Err(error.into()),
    }
}

/// The bundle of an invitation on this machine. Progress is told on stderr, and to the board where there is one.
pub(super) async fn bundle(app: &App, source: &Source, teller: Option<&mut Teller>) -> Result<PathBuf, Failure> {
    let room = match source {
        Source::Here(path) => return Ok(path.clone()),
        Source::Room(room) => room,
    };
    let cache = Cache::new(&app.settings.paths.cache);
    if let Some(path) = cached(room.code(), &cache).await? {
        app.printer.talk(HERE);
        return Ok(path);
    }
    let offer = tokio::select! {
        offer = room.offer() => offer?,
        () = app.cancel.cancelled() => return Err(Failure::new("INTERRUPTED", Exit::Interrupted, "interrupted")),
    };
    app.printer.talk(&format!("fetching {} from {}", bytes(offer.size), room.address()));
    let told = Mutex::new((0, 0, teller));
    let on_bytes = |done: u64| {
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        let (printed, sent, teller) = &mut *told;
        if done >= *sent {
            *sent = done + offer.size / 100;
            teller.as_mut().into_iter().for_each(|teller| teller.bytes(done, offer.size));
        }
        if done >= *printed {
            *printed = done + offer.size / 10;
            app.printer.talk(&format!("  {} of {}", bytes(done), bytes(offer.size)));
        }
    };
    let cached = room.fetch(&cache, &offer, &on_bytes, &app.cancel).await?;
    app.printer.talk("the bundle is here, and is the one of the code");
    Ok(cached.path)
}

/// Tells the board how far this participant is: the newest state only, and never in anybody's way.
#[derive(Debug)]
pub(super) struct Teller {
    report: Report,
    newest: watch::Sender<Report>,
    /// The board has heard the last word.
    listens: Arc<AtomicBool>,
    ending: CancellationToken,
    sending: JoinHandle<()>,
}

impl Teller {
    /// Starts telling under a name.
    pub(super) fn new(room: Room, name: &str) -> Self {
        let report = Report { name: name.to_owned(), stage: "start".into(), ..Report::default() };
        let (newest, mut heard) = watch::channel(report.clone());
        heard.mark_changed();
        let (listens, ending) = (Arc::new(AtomicBool::new(true)), CancellationToken::new());
        let (answered, end) = (Arc::clone(&listens), ending.clone());
        let sending = tokio::spawn(async move {
            while heard.changed().await.is_ok() {
                let report = heard.borrow_and_update().clone();
                answered.store(room.tell(&report).await, Relaxed);
                drop(tokio::time::timeout(EVERY, end.cancelled()).await);
            }
        });
        Self { report, newest, listens, ending, sending }
    }

    fn bytes(&mut self, done: u64, of: u64) {
        self.report = Report { stage: "bundle".into(), done, of, ..std::mem::take(&mut self.report) };
        self.send();
    }

    /// Takes what the board may know from an event.
    pub(super) fn event(&mut self, event: &Event) {
        match &event.kind {
            EventKind::RunStarted { stages, .. } => (self.report.done, self.report.of) = (0, stages.len() as u64),
            EventKind::StageStarted { stage } => self.report.stage = stage.to_string(),
            EventKind::StageFinished { .. } | EventKind::StageSkipped { .. } => self.report.done += 1,
            EventKind::RunFinished { failure: None, .. } => self.report.stage = "ready".into(),
            EventKind::RunFinished { failure: Some(failure), .. } => self.report.error = Some(failure.id.clone()),
            _ => return,
        }
        self.send();
    }

    /// The run ended before it had begun.
    pub(super) fn failed(&mut self, failure: &Failure) {
        self.report.error = Some(failure.id.clone());
        self.send();
    }

    fn send(&self) {
        self.newest.send_replace(self.report.clone());
    }

    /// Gives the last word a moment, where anybody listens.
    pub(super) async fn end(self) {
        let Self { newest, listens, ending, sending, .. } = self;
        drop(newest);
        ending.cancel();
        if listens.load(Relaxed) {
            drop(tokio::time::timeout(LAST, sending).await);
        }
    }
}
