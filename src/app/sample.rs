//! `sample`.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::predict::way_in;
use super::{session, trust};
use crate::app::App;
use crate::cli::{
    SampleApply, SampleCommand, SampleDecide, SampleDelete, SampleInit, SampleLint, SampleShow, SampleTest, TableOutput, TextOutput,
};
use crate::error::{Exit, Failure};
use crate::gateway::Authority;
use crate::report::{document, lint_text, sample_table, seconds};
use crate::sample::{self, Bench, Sample, canary, init, lint};
use crate::state::State;

pub(super) fn wants_json(command: &SampleCommand) -> bool {
    match command {
        SampleCommand::List(list) => list.output == TableOutput::Json,
        SampleCommand::Show(show) => show.output == TextOutput::Json,
        SampleCommand::Apply(apply) => apply.output == TextOutput::Json,
        SampleCommand::Delete(delete) => delete.output == TextOutput::Json,
        SampleCommand::Test(test) => test.output == TextOutput::Json,
        SampleCommand::Promote(decide) | SampleCommand::Rollback(decide) => decide.output == TextOutput::Json,
        SampleCommand::Lint(lint) => lint.output == TextOutput::Json,
        SampleCommand::Init(_) => false,
    }
}

pub(super) async fn run(app: &App, command: &SampleCommand) -> Result<Exit, Failure> {
    match command {
        SampleCommand::List(arguments) => list(app, arguments.output),
        SampleCommand::Show(arguments) => show(app, arguments),
        SampleCommand::Apply(arguments) => apply(app, arguments).await,
        SampleCommand::Delete(arguments) => delete(app, arguments).await,
        SampleCommand::Test(arguments) => test(app, arguments).await,
        SampleCommand::Promote(arguments) => decide(app, arguments, true).await,
        SampleCommand::Rollback(arguments) => decide(app, arguments, false).await,
        SampleCommand::Init(arguments) => init(app, arguments).await,
        SampleCommand::Lint(arguments) => lint(app, arguments).await,
    }
}

fn list(app: &App, output: TableOutput) -> Result<Exit, Failure> {
    let index = sample::index()?;
    match output {
        TableOutput::Json => app.data(&document(&index)?)?,
        TableOutput::Table => {
            app.data(sample_table(&index.samples, app.printer.data_palette()).trim_end())?;
            app.printer.talk("`quickstart sample apply NAME` applies one, `sample test NAME` proves it and takes it away");
        }
    }
    Ok(Exit::Ok)
}

fn show(app: &App, arguments: &SampleShow) -> Result<Exit, Failure> {
    let sample = sample::find(&arguments.sample)?;
    let manifest = sample::text(&sample)?;
    match arguments.output {
        TextOutput::Json => {
            let mut value = serde_json::to_value(&sample).map_err(|error| Failure::internal(error.to_string()))?;
            value["manifest"] = json!(manifest);
            app.data(&document(&value)?)?;
        }
        TextOutput::Text => app.data(&manifest)?,
    }
    Ok(Exit::Ok)
}

/// A cluster, what is known of it and its way in, for one verb.
struct Ground {
    cluster: crate::cluster::Cluster,
    state: State,
    port: Option<u16>,
    authority: Option<Authority>,
    no_port: Option<Failure>,
}

impl Ground {
    async fn open(app: &App) -> Result<Self, Failure> {
        let (state, paths) = session::existing(app)?;
        let (cluster, _) = session::access(app, &state, &paths).await?;
        let way = async { Ok::<_, Failure>((way_in(&state, &paths)?, trust::authority(&cluster, state.scheme(), &paths).await?)) };
        let (port, authority, no_port) = match way.await {
            Ok((port, authority)) => (Some(port), authority, None),
            Err(failure) => (None, None, Some(failure)),
        };
        Ok(Self { cluster, state, port, authority, no_port })
    }

    /// The port, for a verb that cannot do without.
    fn port(&self) -> Result<u16, Failure> {
        match (self.port, &self.no_port) {
            (Some(port), _) => Ok(port),
            (None, Some(failure)) => Err(failure.clone()),
            (None, None) => Err(Failure::internal("neither a port nor why there is none")),
        }
    }

    fn bench<'a>(&'a self, namespace: &str, timeout: Duration, cancel: &'a CancellationToken, tell: &'a dyn Fn(&str)) -> Bench<'a> {
        let port = self.port.unwrap_or_default();
        Bench {
            cluster: &self.cluster,
            namespace: namespace.to_owned(),
            names: self.state.names(),
            demo: self.state.namespace(),
            port,
            authority: self.authority.clone(),
            timeout,
            cancel,
            tell,
        }
    }
}

async fn apply(app: &App, arguments: &SampleApply) -> Result<Exit, Failure> {
    let sample = sample::find(&arguments.sample)?;
    let ground = Ground::open(app).await?;
    let tell = |text: &str| app.printer.talk(text);
    let bench = ground.bench(&arguments.namespace, arguments.timeout, &app.cancel, &tell);
    let again = format!(
        "`quickstart sample apply {0} -n {1}` goes on, `quickstart sample delete {0} -n {1}` takes it away",
        sample.name, arguments.namespace
    );
    let applied = bench.apply(&sample).await.map_err(|failure| interrupted(failure, &again))?;
    let took_ms = u64::try_from(applied.took.as_millis()).unwrap_or(u64::MAX);
    match arguments.output {
        TextOutput::Json => app.data(&document(&json!({"version": 1, "sample": sample.name, "namespace": arguments.namespace,
            "service": sample.service, "objects": applied.objects, "took_ms": took_ms}))?)?,
        TextOutput::Text => {
            for object in &applied.objects {
                app.data(object)?;
            }
            app.data(&format!("{} is ready after {}", sample.service, seconds(took_ms)))?;
            let named = session::named(app.settings.name.as_str());
            app.printer.talk(&format!("next: {}", next(&sample, &arguments.namespace, &named)));
        }
    }
    Ok(Exit::Ok)
}

/// After Ctrl-C another step is the next one than after that of `up`.
fn interrupted(failure: Failure, hint: &str) -> Failure {
    if failure.exit == Exit::Interrupted { failure.hint(hint) } else { failure }
}

/// The command that one would type after an apply.
fn next(sample: &Sample, namespace: &str, named: &str) -> String {
    use crate::{predict::Protocol, sample::Proof};
    let of = format!("{} -n {namespace}{named}", sample.service);
    match sample.proof.first() {
        Some(Proof::Canary(_)) => {
            format!("`quickstart predict {of} --repeat 100` shows the split, `quickstart sample promote {of}` or `rollback` decides")
        }
        Some(Proof::Prediction { protocol: Some(Protocol::V2), .. }) => format!("`quickstart predict {of} --protocol v2`"),
        Some(Proof::Prediction { protocol: Some(Protocol::Grpc), .. }) => format!("`quickstart predict {of} --protocol grpc`"),
        Some(Proof::Prediction { protocol: Some(_), .. } | Proof::Scaling(_) | Proof::Pod(_)) => format!("`quickstart predict {of}`"),
        _ => format!("`quickstart sample delete {} -n {namespace}{named}` takes it away", sample.name),
    }
}

async fn delete(app: &App, arguments: &SampleDelete) -> Result<Exit, Failure> {
    let sample = sample::find(&arguments.sample)?;
    let ground = Ground::open(app).await?;
    let tell = |text: &str| app.printer.talk(text);
    let deleted = ground.bench(&arguments.namespace, Duration::from_secs(300), &app.cancel, &tell).delete(&sample).await?;
    match arguments.output {
        TextOutput::Json => {
            app.data(&document(&json!({"version": 1, "sample": sample.name, "namespace": arguments.namespace, "deleted": deleted}))?)?;
        }
        TextOutput::Text if deleted.is_empty() => app.printer.talk(&format!("nothing of {} is in {}", sample.name, arguments.namespace)),
        TextOutput::Text => {
            for object in &deleted {
                app.data(&format!("deleted: {object}"))?;
            }
        }
    }
    Ok(Exit::Ok)
}

async fn test(app: &App, arguments: &SampleTest) -> Result<Exit, Failure> {
    let sample = sample::find(&arguments.sample)?;
    let ground = Ground::open(app).await?;
    ground.port()?;
    let namespace = arguments.namespace.clone().unwrap_or_else(|| format!("sample-test-{}", sample.name));
    let tell = |text: &str| app.printer.talk(text);
    let started = Instant::now();
    let bench = ground.bench(&namespace, arguments.timeout, &app.cancel, &tell);
    let proven = sample::prove(&bench, &sample).await;
    // Also after Ctrl-C: what was made for a test goes; the second Ctrl-C ends that too.
    let unhurried = CancellationToken::new();
    let deleted =
        if arguments.keep { Ok(Vec::new()) } else { ground.bench(&namespace, arguments.timeout, &unhurried, &tell).delete(&sample).await };
    let proven = match proven {
        Ok(proven) => proven,
        Err(failure) => {
            let left = deleted.err().map(|left| format!("; and it was not taken away: {}", left.what)).unwrap_or_default();
            let failure = Failure { what: format!("{}{left}", failure.what), ..failure };
            return Err(interrupted(failure, "what was made for the test is gone; run it again at any time"));
        }
    };
    deleted?;
    let took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    match arguments.output {
        TextOutput::Json => app.data(&document(&json!({"version": 1, "sample": sample.name, "namespace": namespace, "proven": proven,
            "kept": arguments.keep, "took_ms": took_ms}))?)?,
        TextOutput::Text => {
            app.data(&format!("{}: proven in {}", sample.name, seconds(took_ms)))?;
            for one in &proven {
                app.data(&format!("  {}", one.what))?;
            }
            app.data(if arguments.keep { "  left in its namespace" } else { "  taken away" })?;
        }
    }
    Ok(Exit::Ok)
}

async fn decide(app: &App, arguments: &SampleDecide, promote: bool) -> Result<Exit, Failure> {
    let ground = Ground::open(app).await?;
    let tell = |text: &str| app.printer.talk(text);
    let bench = ground.bench(&arguments.namespace, Duration::from_secs(300), &app.cancel, &tell);
    let service = arguments.service.as_str();
    let traffic = if promote { canary::promote(&bench, service).await? } else { canary::rollback(&bench, service).await? };
    match arguments.output {
        TextOutput::Json => app.data(&document(&json!({"version": 1, "service": service, "namespace": arguments.namespace,
            "new": traffic.latest, "before": traffic.others}))?)?,
        TextOutput::Text => app.data(&traffic.to_string())?,
    }
    Ok(Exit::Ok)
}

async fn init(app: &App, arguments: &SampleInit) -> Result<Exit, Failure> {
    let folder = arguments.folder.clone();
    let written =
        tokio::task::spawn_blocking(move || init::write(&folder)).await.map_err(|error| Failure::internal(error.to_string()))??;
    for path in &written.files {
        app.data(&path.display().to_string())?;
    }
    app.printer.talk(&format!("next: {}", written.next));
    Ok(Exit::Ok)
}

async fn lint(app: &App, arguments: &SampleLint) -> Result<Exit, Failure> {
    let unreadable = |place: &str, message: String| {
        Failure::new("USAGE", Exit::Usage, format!("{place} cannot be read"))
            .cause(message)
            .hint("name a manifest, or `-` for standard input")
    };
    let (place, text) = if arguments.file.as_os_str() == "-" {
        let text = tokio::task::spawn_blocking(|| std::io::read_to_string(std::io::stdin())).await;
        let text = text.map_err(|error| Failure::internal(error.to_string()))?;
        ("standard input".to_owned(), text.map_err(|error| unreadable("standard input", error.to_string()))?)
    } else {
        let place = arguments.file.display().to_string();
        let text = fs_err::tokio::read_to_string(&arguments.file).await.map_err(|error| unreadable(&place, error.to_string()))?;
        (place, text)
    };
    let findings = lint::lint(&text).map_err(|error| {
        Failure::new("USAGE", Exit::Usage, format!("{place} is not YAML that kubectl would take"))
            .cause(error.to_string())
            .hint("the line is in the cause")
    })?;
    match arguments.output {
        TextOutput::Json => app.data(&document(&json!({"version": 1, "file": place, "findings": findings}))?)?,
        TextOutput::Text if findings.is_empty() => app.printer.talk(&format!("{place}: nothing of an old API was found")),
        TextOutput::Text => app.data(lint_text(&place, &findings).trim_end())?,
    }
    Ok(if findings.is_empty() { Exit::Ok } else { Exit::Usage })
}
