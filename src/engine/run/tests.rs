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
        version: 1,
        cluster: "t".into(),
        profile: "serverless".into(),
        set: "s".into(),
        target: Target::Existing { context: "c".into() },
        components: Vec::new(),
        stages,
        patches: Vec::new(),
        changes: Vec::new(),
        kind_settings: crate::bundle::KindSettings::default(),
        bundle: None,
        skip_tag_resolution: Vec::new(),
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
