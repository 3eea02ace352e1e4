//! What the verbs that tell a story share: the stages as a runner, the printing of events, the end of a run.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::join::Teller;
use super::session::Session;
use super::trust;
use crate::app::App;
use crate::cli::EventsOutput;
use crate::config::{ClusterName, ClusterPaths, Scheme};
use crate::engine::{self, Runner};
use crate::error::{Exit, Failure};
use crate::event::{Emitter, Event, EventKind, Outcome};
use crate::forward;
use crate::gateway::{self, Authority};
use crate::lifecycle;
use crate::plan::{self, Plan, Stage, StageId, Target};
use crate::predict::{Protocol, Request};
use crate::report::{EventLog, View, trace};
use crate::stages::{self, Context, Ended};
use crate::state::{Lock, Reset, State};
use crate::timeline::pace;

/// How long a second command waits for the first one.
pub(super) const LOCK_PATIENCE: Duration = Duration::from_secs(20 * 60);

/// The cluster's lock, with a word for whoever has to wait; from here on `quickstart.log` is written.
pub(super) async fn lock(app: &App, paths: &ClusterPaths, verb: &str, patience: Duration) -> Result<Lock, Failure> {
    let told = |holder: &str| app.printer.talk(&format!("{holder} is at work on this cluster: waiting for it"));
    let lock = Lock::take(&paths.lock, verb, patience, &app.cancel, told).await?;
    trace(&paths.log, app.cli.global.verbose);
    Ok(lock)
}

struct Stages(Arc<Context>);

impl Runner for Stages {
    async fn stage(&self, stage: &Stage, cancel: CancellationToken) -> Result<Ended, Failure> {
        stages::run(&self.0, stage, &cancel).await
    }
}

/// Tells a run from its work to its exit code, on the screen, in `events.jsonl` and in `timeline.html`. The failure is told too: nobody prints it again.
pub(super) async fn told(
    app: &App,
    output: EventsOutput,
    paths: &ClusterPaths,
    work: impl AsyncFnOnce(&Emitter) -> Result<Option<Outcome>, Failure>,
) -> Result<Exit, Failure> {
    told_to(app, output, paths, None, work).await
}

/// The same, and to the board of a room.
pub(super) async fn told_to(
    app: &App,
    output: EventsOutput,
    paths: &ClusterPaths,
    teller: Option<&mut Teller>,
    work: impl AsyncFnOnce(&Emitter) -> Result<Option<Outcome>, Failure>,
) -> Result<Exit, Failure> {
    let (events, heard) = Emitter::new();
    // Diagnostics go to the terminal as they come: no board can stand there.
    let output = if app.cli.global.verbose > 0 && output == EventsOutput::Auto { EventsOutput::Plain } else { output };
    let earlier = paths.events.clone();
    let pace = tokio::task::spawn_blocking(move || pace(&earlier)).await.unwrap_or_default();
    let view = View::new(output, &app.printer, pace);
    let printing = print(app, view, heard, EventLog::open(&paths.events).ok(), teller);
    let working = async {
        let result = Box::pin(work(&events)).await;
        let took_ms = events.elapsed_ms();
        let (exit, outcome, failure) = match result {
            Ok(outcome) => (Exit::Ok, outcome, None),
            Err(failure) => (failure.exit, None, Some(failure)),
        };
        events.tell(EventKind::RunFinished { exit: exit.code(), took_ms, outcome, failure });
        drop(events);
        exit
    };
    let (exit, printed) = tokio::join!(working, printing);
    printed?;
    super::timeline::leave(app, paths);
    Ok(exit)
}

/// The first event of a run of stages.
pub(super) fn started(events: &Emitter, verb: &str, plan: &Plan) {
    events.tell(EventKind::RunStarted {
        verb: verb.into(),
        cluster: plan.cluster.clone(),
        set: plan.set.clone(),
        profile: plan.profile.clone(),
        stages: plan.stages.iter().map(|stage| stage.id.clone()).collect(),
        needs: plan.stages.iter().map(|stage| (stage.id.clone(), stage.needs.clone())).collect(),
    });
}

/// A context for what a session found.
pub(super) fn context(session: Session, state: State, events: &Emitter) -> Arc<Context> {
    let Session { settings, paths, bundle, plan, notes, .. } = session;
    for note in notes {
        events.note(note);
    }
    Arc::new(Context::new(plan, settings, bundle, paths, events.clone(), state))
}

/// All stages of the context's plan, and what of the user's waits to be put back; answers what it leaves.
pub(super) async fn stages(app: &App, context: &Arc<Context>, events: &Emitter) -> Result<Outcome, Failure> {
    let plan = &context.plan;
    let took = engine::run(plan, Arc::new(Stages(Arc::clone(context))), events, &app.cancel).await?;
    if !context.is_resuming() {
        lifecycle::restore(context, &app.cancel).await?;
    }
    if let Some(note) = balanced(context).await {
        events.note(note);
    }
    let host = host_of_demo(context, &took).await;
    context.change(|state| {
        if let Some(host) = &host {
            state.demo_host = Some(host.clone());
        }
        for (id, ms) in &took {
            if let Some(done) = state.stages.get_mut(id) {
                done.took_ms = *ms;
            }
        }
        if !context.is_resuming() {
            state.switching = None;
        }
        if let Some(kind) = state.resetting.take_if(|_| !context.is_resuming()) {
            state.resets.push(Reset { at: jiff::Timestamp::now().to_string(), kind });
        }
    })?;
    let authority = match plan.scheme() {
        Scheme::Http => None,
        Scheme::Https => trust::authority(context.cluster()?, Scheme::Https, &context.paths).await?,
    };
    Ok(outcome(plan, host, authority, took))
}

/// Tunnels that `stop` or `reset` put to sleep lead somewhere again, on the ports that they had.
pub(super) async fn tunnels(context: &Context, name: &ClusterName, events: &Emitter) {
    for (service, started) in Box::pin(forward::resume_all(&context.paths, name)).await {
        events.note(match started {
            Ok(record) => format!("tunnel to {service} again on 127.0.0.1:{}", record.port),
            Err(failure) => format!("no tunnel to {service}: {}", failure.what),
        });
    }
}

/// Where a load balancer leads to the gateway, on a cluster that was there before.
async fn balanced(context: &Context) -> Option<String> {
    if context.plan.is_local() {
        return None;
    }
    let service = context.cluster().ok()?.find(gateway::SERVICE).await.ok()??;
    Some(match gateway::balanced(&service) {
        Some(address) => format!("the load balancer of istio-ingressgateway has the address {address}: the same Host header works there"),
        None => "istio-ingressgateway has no address of a load balancer yet: `quickstart status` shows it once there is one".into(),
    })
}

/// The name by which the prediction was just asked for; `None` where none was made.
async fn host_of_demo(context: &Context, stages: &[(StageId, u64)]) -> Option<String> {
    let demo = context.plan.demo.as_ref().filter(|_| stages.iter().any(|(done, _)| *done == StageId::Predict))?;
    let path = format!("/apis/serving.kserve.io/v1beta1/namespaces/{}/inferenceservices/{}", demo.namespace, demo.name);
    let live = context.cluster().ok()?.find(&path).await.ok().flatten();
    Some(plan::host(live.as_ref(), context.plan.names(), &demo.namespace, &demo.name))
}

/// What a successful run leaves; the curl line is the one that the last stage has just proven.
fn outcome(plan: &Plan, host: Option<String>, authority: Option<Authority>, stages: Vec<(StageId, u64)>) -> Outcome {
    let port = plan.port();
    let proven = plan.demo.as_ref().zip(port).zip(host).map(|((demo, port), host)| {
        let request = Request { name: demo.name.clone(), host, port, authority, protocol: Protocol::V1, body: demo.input.clone() };
        (request.curl(), demo.expected.clone())
    });
    let context = match &plan.target {
        Target::Kind { .. } => format!("kind-{}", plan.cluster),
        Target::Existing { context, .. } => context.clone(),
    };
    let (curl, prediction) = proven.unzip();
    Outcome { url: port.map_or_else(String::new, |port| plan.scheme().url(port)), curl, prediction, stages, context }
}

/// Reads the events until the last one, for the screen, for `events.jsonl` and for the board.
async fn print(
    app: &App,
    mut view: View,
    mut heard: UnboundedReceiver<Event>,
    log: Option<EventLog>,
    mut teller: Option<&mut Teller>,
) -> Result<(), Failure> {
    let mut tick = tokio::time::interval(view.period());
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
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
                if let Some(teller) = &mut teller {
                    teller.event(&event);
                }
                view.event(&event, &app.printer).map_err(failed)?;
            }
            _ = tick.tick() => {
                view.tick(u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX), &app.printer).map_err(failed)?;
            }
        }
    }
}
