//! `up`.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

use super::session::Session;
use crate::app::App;
use crate::cli::{EventsOutput, Up};
use crate::engine::{self, Runner};
use crate::error::{Exit, Failure};
use crate::event::{Emitter, Event, EventKind, Outcome};
use crate::plan::{Plan, Stage, StageId, Target};
use crate::predict::{Protocol, Request};
use crate::report::{EventLog, View, trace};
use crate::stages::{self, Context, Ended};
use crate::state::{Lock, State};

/// How long a second command waits for the first one.
const LOCK_PATIENCE: Duration = Duration::from_secs(20 * 60);

struct Stages(Arc<Context>);

impl Runner for Stages {
    async fn stage(&self, stage: &Stage, cancel: CancellationToken) -> Result<Ended, Failure> {
        stages::run(&self.0, stage, &cancel).await
    }
}

pub(super) async fn run(app: &App, arguments: &Up) -> Result<Exit, Failure> {
    let paths = app.settings.paths.cluster(&app.settings.name);
    let told = |holder: &str| app.printer.talk(&format!("{holder} is at work on this cluster: waiting for it"));
    let _lock = Lock::take(&paths.lock, "up", LOCK_PATIENCE, &app.cancel, told).await?;
    trace(&paths.log, app.cli.global.verbose);
    let session = Session::open(app).await?;
    let mut state = session.state.clone().unwrap_or_else(|| State::fresh(&session.plan));
    let made_by = state.bundle.clone();
    state.take(&session.plan);
    state.bundle = session.bundle.as_ref().and_then(|(_, path)| path.as_ref()).map(|path| path.display().to_string()).or(made_by);
    state.write(&paths.state)?;
    session.keep_index()?;

    let (events, heard) = Emitter::new();
    let printing = print(app, arguments.output, heard, EventLog::open(&paths.events).ok());
    let working = async {
        let result = work(app, session, state, &events).await;
        let took_ms = events.elapsed_ms();
        let (exit, outcome, failure) = match result {
            Ok(outcome) => (Exit::Ok, Some(outcome), None),
            Err(failure) => (failure.exit, None, Some(failure)),
        };
        events.tell(EventKind::RunFinished { exit: exit.code(), took_ms, outcome, failure });
        drop(events);
        exit
    };
    let (exit, printed) = tokio::join!(working, printing);
    printed?;
    Ok(exit)
}

async fn work(app: &App, session: Session, state: State, events: &Emitter) -> Result<Outcome, Failure> {
    let Session { settings, paths, bundle, plan, notes, .. } = session;
    events.tell(EventKind::RunStarted {
        verb: "up".into(),
        cluster: plan.cluster.clone(),
        set: plan.set.clone(),
        profile: plan.profile.clone(),
        stages: plan.stages.iter().map(|stage| stage.id.clone()).collect(),
    });
    for note in notes {
        events.note(note);
    }
    let context = Arc::new(Context::new(plan.clone(), settings, bundle, paths, events.clone(), state));
    let took = engine::run(&plan, Arc::new(Stages(Arc::clone(&context))), events, &app.cancel).await?;
    context.change(|state| {
        for (id, ms) in &took {
            if let Some(done) = state.stages.get_mut(id) {
                done.took_ms = *ms;
            }
        }
    })?;
    Ok(outcome(&plan, took))
}

/// What a successful run leaves; the curl line is the one that the last stage has just proven.
fn outcome(plan: &Plan, stages: Vec<(StageId, u64)>) -> Outcome {
    let port = plan.port();
    let proven = plan.demo.as_ref().zip(port).filter(|_| plan.stage(&StageId::Predict).is_some()).map(|(demo, port)| {
        let request = Request { name: demo.name.clone(), host: demo.host.clone(), port, protocol: Protocol::V1, body: demo.input.clone() };
        (request.curl(), demo.expected.clone())
    });
    let context = match &plan.target {
        Target::Kind { .. } => format!("kind-{}", plan.cluster),
        Target::Existing { context } => context.clone(),
    };
    let (curl, prediction) = proven.unzip();
    Outcome { url: port.map_or_else(String::new, |port| format!("http://127.0.0.1:{port}")), curl, prediction, stages, context }
}

/// Reads the events until the last one, for the screen and for `events.jsonl`.
pub(super) async fn print(
    app: &App,
    output: EventsOutput,
    mut heard: UnboundedReceiver<Event>,
    log: Option<EventLog>,
) -> Result<(), Failure> {
    let mut view = View::new(output, &app.printer);
    let mut tick = tokio::time::interval(Duration::from_millis(500));
    let started = tokio::time::Instant::now();
    let mut log = log;
    let failed = |error: std::io::Error| Failure::internal(format!("cannot write to standard output: {error}"));
    loop {
        tokio::select! {
            event = heard.recv() => {
                let Some(event) = event else { return Ok(()) };
                if log.as_mut().is_some_and(|log| log.record(&event).is_err()) {
                    log = None;
                }
                view.event(&event, &app.printer).map_err(failed)?;
            }
            _ = tick.tick() => {
                view.tick(u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX), &app.printer).map_err(failed)?;
            }
        }
    }
}
