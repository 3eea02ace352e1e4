use std::sync::Mutex;

use proptest::prelude::*;

use super::*;
use crate::plan::{Plan, Target};

/// A runner by script: every stage takes its seconds of paused time; some fail.
struct Script {
    seconds: BTreeMap<StageId, u64>,
    fails: Vec<StageId>,
    log: Mutex<Vec<(StageId, bool)>>,
}

impl Runner for Script {
    async fn stage(&self, stage: &Stage, cancel: CancellationToken) -> Result<Ended, Failure> {
        self.log.lock().unwrap().push((stage.id.clone(), true));
        tokio::select! {
            () = cancel.cancelled() => return Err(interrupted()),
            () = tokio::time::sleep(Duration::from_secs(*self.seconds.get(&stage.id).unwrap_or(&1))) => {}
        }
        if self.fails.contains(&stage.id) {
            return Err(Failure::new("TEST", Exit::StageFailed, "as scripted"));
        }
        self.log.lock().unwrap().push((stage.id.clone(), false));
        Ok(Ended::Done)
    }
}

fn id(number: usize) -> StageId {
    StageId::component(&format!("s{number}"))
}

fn plan(edges: &[(usize, usize)], count: usize) -> Plan {
    let stages = (0..count)
        .map(|number| Stage {
            id: id(number),
            title: String::new(),
            needs: edges.iter().filter(|(from, to)| *from == number && to < from).map(|(_, to)| id(*to)).collect(),
            checks: Vec::new(),
            timeout: 100,
        })
        .collect();
    Plan {
        ingress: crate::config::Ingress::Mapped,
        ingress_port: None,
        version: 1,
        cluster: "t".into(),
        profile: "serverless".into(),
        set: "s".into(),
        untested: None,
        beyond: None,
        target: Target::Kind { node_image: "n".into(), kubernetes: None, port: 1 },
        components: Vec::new(),
        stages,
        patches: Vec::new(),
        serving: crate::config::Serving::default(),
        resources: Vec::new(),
        changes: Vec::new(),
        manifests: Vec::new(),
        kind_settings: crate::bundle::KindSettings::default(),
        bundle: None,
        skip_tag_resolution: Vec::new(),
        prefetch: true,
        mirror: None,
        pulls: Vec::new(),
        demo: None,
        timeout: 1000,
        manifest_bytes: 0,
        settings: Vec::new(),
    }
}

fn script(fails: &[usize]) -> Arc<Script> {
    Arc::new(Script { seconds: BTreeMap::new(), fails: fails.iter().map(|number| id(*number)).collect(), log: Mutex::new(Vec::new()) })
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

#[test]
fn independent_stages_run_side_by_side() {
    runtime().block_on(async {
        let (events, _keep) = Emitter::new();
        let started = Instant::now();
        run(&plan(&[(3, 0), (3, 1), (3, 2)], 4), script(&[]), &events, &CancellationToken::new()).await.unwrap();
        assert_eq!(started.elapsed().as_secs(), 2, "three side by side, then one");
    });
}

#[test]
fn the_whole_run_has_a_deadline_that_names_who_is_still_at_work() {
    runtime().block_on(async {
        let (events, _keep) = Emitter::new();
        let mut plan = plan(&[], 1);
        plan.timeout = 5;
        let slow = Arc::new(Script { seconds: BTreeMap::from([(id(0), 50)]), fails: Vec::new(), log: Mutex::new(Vec::new()) });
        let failure = run(&plan, slow, &events, &CancellationToken::new()).await.unwrap_err();
        assert_eq!(failure.exit, Exit::Deadline);
        assert!(failure.cause.unwrap().contains("s0"));
    });
}

#[test]
fn a_stage_has_a_deadline_of_its_own() {
    runtime().block_on(async {
        let (events, _keep) = Emitter::new();
        let mut plan = plan(&[], 1);
        plan.stages[0].timeout = 3;
        let slow = Arc::new(Script { seconds: BTreeMap::from([(id(0), 50)]), fails: Vec::new(), log: Mutex::new(Vec::new()) });
        let failure = run(&plan, slow, &events, &CancellationToken::new()).await.unwrap_err();
        assert_eq!((failure.exit, failure.what.contains("s0")), (Exit::Deadline, true));
    });
}

/// Waits for somebody to stop it, and then says what it was waiting for.
struct Stuck(BTreeMap<StageId, Failure>);

impl Runner for Stuck {
    async fn stage(&self, stage: &Stage, cancel: CancellationToken) -> Result<Ended, Failure> {
        cancel.cancelled().await;
        Err(self.0.get(&stage.id).cloned().unwrap_or_else(interrupted))
    }
}

fn crash_loop() -> Failure {
    Failure::new("CRASH_LOOP", Exit::Interrupted, "not ready yet").cause("pod x: c ends with code 1").hint("look at its log")
}

/// A run that was late said DEADLINE, and nobody saw that a pod had been in a crash loop all the time.
#[test]
fn a_deadline_carries_the_name_of_what_stands_in_the_way() {
    runtime().block_on(async {
        let (events, _keep) = Emitter::new();
        let mut plan = plan(&[], 3);
        plan.timeout = 5;
        let others = interrupted().cause("s0/rollout: 0 of 1 pods available");
        let stuck = Arc::new(Stuck(BTreeMap::from([(id(0), others), (id(1), crash_loop())])));
        let failure = run(&plan, stuck, &events, &CancellationToken::new()).await.unwrap_err();
        assert_eq!((failure.id.as_str(), failure.exit, failure.what.as_str()), ("CRASH_LOOP", Exit::Deadline, "not done within 5 s"));
        let cause = "s1: pod x: c ends with code 1; also at work: s0 (s0/rollout: 0 of 1 pods available), s2";
        assert_eq!((failure.cause.as_deref(), failure.hint.as_deref()), (Some(cause), Some("look at its log")));
    });
}

/// The same for a stage's own deadline: it is told to stop, and asked what it waited for.
#[test]
fn a_late_stage_says_what_it_waited_for() {
    runtime().block_on(async {
        let (events, _keep) = Emitter::new();
        let mut plan = plan(&[], 1);
        plan.stages[0].timeout = 3;
        let stuck = Arc::new(Stuck(BTreeMap::from([(id(0), crash_loop())])));
        let failure = run(&plan, stuck, &events, &CancellationToken::new()).await.unwrap_err();
        assert_eq!((failure.id.as_str(), failure.exit), ("CRASH_LOOP", Exit::Deadline));
        assert_eq!(failure.cause.as_deref(), Some("pod x: c ends with code 1"));
        assert!(failure.what.contains("stage s0 was not done within 3 s"), "{failure:?}");
    });
}

/// Ctrl-C is Ctrl-C, whatever was in trouble.
#[test]
fn an_interrupted_run_is_not_named_after_its_troubles() {
    runtime().block_on(async {
        let (events, _keep) = Emitter::new();
        let cancel = CancellationToken::new();
        let stuck = Arc::new(Stuck(BTreeMap::from([(id(0), crash_loop())])));
        let plan = plan(&[], 1);
        let stop = async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            cancel.cancel();
        };
        let (result, ()) = tokio::join!(run(&plan, stuck, &events, &cancel), stop);
        assert_eq!(result.unwrap_err().id, "INTERRUPTED");
    });
}

/// Loads for so many seconds, a megabyte in each, and stands still for as many.
struct Loader(Emitter, u64, u64);

impl Runner for Loader {
    async fn stage(&self, stage: &Stage, _: CancellationToken) -> Result<Ended, Failure> {
        for second in 0..self.1 {
            let done = (second + 1) << 20;
            self.0.tell(EventKind::BytesMoved { stage: stage.id.clone(), what: "images".into(), done, total: None });
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        tokio::time::sleep(Duration::from_secs(self.2)).await;
        Ok(Ended::Done)
    }
}

/// A load of an hour on a slow disk ended in DEADLINE after ten minutes, with every byte on its way; one that stands still must not last.
#[test]
fn neither_deadline_runs_while_bytes_arrive() {
    runtime().block_on(async {
        let mut plan = plan(&[], 1);
        (plan.timeout, plan.stages[0].timeout) = (200, 100);
        let (events, _keep) = Emitter::new();
        let loader = Arc::new(Loader(events.clone(), 3600, 90));
        run(&plan, loader, &events, &CancellationToken::new()).await.unwrap();
        let (events, _keep) = Emitter::new();
        let started = Instant::now();
        let still = Arc::new(Loader(events.clone(), 30, 1000));
        let failure = run(&plan, still, &events, &CancellationToken::new()).await.unwrap_err();
        assert!(failure.what.contains("stage s0 was not done within 100 s"), "{failure:?}");
        assert_eq!(started.elapsed().as_secs(), 29 + 100 + DRAIN.as_secs(), "the clock stood still for the bytes alone");
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// No stage starts before its needs are done; a failure or Ctrl-C always ends the run; what never ran is told as cancelled.
    #[test]
    fn needs_come_first_and_every_run_ends(
        edges in prop::collection::vec((0usize..10, 0usize..10), 0..25),
        fails in prop::collection::vec(0usize..10, 0..2),
        cancel_after in prop::option::of(0u64..6),
    ) {
        runtime().block_on(async {
            let plan = plan(&edges, 10);
            let runner = script(&fails);
            let (events, mut heard) = Emitter::new();
            let cancel = CancellationToken::new();
            if let Some(seconds) = cancel_after {
                let cancel = cancel.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(seconds * 1000 + 500)).await;
                    cancel.cancel();
                });
            }
            let result = run(&plan, Arc::clone(&runner), &events, &cancel).await;
            let log = runner.log.lock().unwrap().clone();
            for (position, (stage, started)) in log.iter().enumerate() {
                if *started {
                    for need in &plan.stage(stage).unwrap().needs {
                        prop_assert!(log[..position].contains(&(need.clone(), false)), "{stage} before {need}");
                    }
                }
            }
            drop(events);
            let mut finished = 0;
            let mut lost = 0;
            while let Some(event) = heard.recv().await {
                match event.kind {
                    EventKind::StageFinished { .. } => finished += 1,
                    EventKind::StageCancelled { .. } | EventKind::StageFailed { .. } => lost += 1,
                    _ => {}
                }
            }
            prop_assert!(finished + lost == 10, "{finished} + {lost}");
            prop_assert_eq!(result.is_ok(), finished == 10);
            Ok(())
        })?;
    }
}
