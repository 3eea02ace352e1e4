//! The verbs: what was typed becomes settings, a plan, a run, and what is printed.

mod budget;
mod bundle;
mod complete;
mod config;
mod doctor;
mod down;
mod existing;
mod forward;
mod image;
mod join;
mod logs;
mod off;
mod plan;
mod predict;
mod reset;
mod sample;
mod serve;
mod session;
mod start;
mod status;
mod stop;
mod story;
mod switch;
mod timeline;
mod trust;
mod up;

use std::ffi::OsString;
use std::process::ExitCode;

use tokio_util::sync::CancellationToken;

use crate::cli::{self, Cli, Halt, Verb};
use crate::config::{Environment, Settings};
use crate::error::{Exit, Failure};
use crate::report::Printer;

/// What a verb has at hand.
pub(crate) struct App {
    pub(crate) cli: Cli,
    pub(crate) settings: Settings,
    pub(crate) printer: Printer,
    /// Cancelled by the first Ctrl-C or SIGTERM; the second one ends the process.
    pub(crate) cancel: CancellationToken,
}

/// Parses, runs, prints; the exit code is the only thing left to tell.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let environment = Environment::read();
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if let Some(shell) = environment.own(cli::COMPLETE) {
        let candidates = complete::answer(shell, arguments, &environment);
        return code(print_page(&Printer::standard(&environment, true), &candidates));
    }
    let cli = match cli::parse(arguments) {
        Ok(cli) => cli,
        Err(halt) => return code(halted(halt, &environment)),
    };
    let printer = Printer::standard(&environment, cli.global.quiet);
    if let Verb::Completions { shell } = &cli.verb {
        return code(print_page(&printer, &cli::completions(*shell)));
    }
    if matches!(cli.verb, Verb::Man) {
        return code(match cli::man() {
            Ok(page) => print_page(&printer, &page),
            Err(error) => fail(&printer, &Failure::internal(error.to_string())),
        });
    }
    let json = wants_json(&cli);
    let settings = match Settings::resolve(&cli, environment) {
        Ok(settings) => settings,
        Err(error) => return code(report_failure(&printer, &error.into(), json)),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return code(fail(&printer, &Failure::internal(error.to_string()))),
    };
    let exit = runtime.block_on(async {
        let app = App { cli, settings, printer, cancel: CancellationToken::new() };
        watch_signals(app.cancel.clone());
        match dispatch(&app).await {
            Ok(exit) => exit,
            Err(failure) => report_failure(&app.printer, &failure, json),
        }
    });
    // A blocking read of a large archive must not hold the process after its work is over.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    code(exit)
}

async fn dispatch(app: &App) -> Result<Exit, Failure> {
    match &app.cli.verb {
        Verb::Up(arguments) => Box::pin(up::run(app, arguments)).await,
        Verb::Stop(arguments) => stop::run(app, arguments).await,
        Verb::Start(arguments) => start::run(app, arguments).await,
        Verb::Reset(arguments) => Box::pin(reset::run(app, arguments)).await,
        Verb::Down(arguments) => down::run(app, arguments).await,
        Verb::Status(arguments) => status::run(app, arguments).await,
        Verb::Predict(arguments) => predict::run(app, arguments).await,
        Verb::Sample(command) => Box::pin(sample::run(app, command)).await,
        Verb::Image(command) => image::run(app, command).await,
        Verb::Timeline(arguments) => timeline::run(app, arguments).await,
        Verb::Plan(arguments) => Box::pin(plan::run(app, arguments)).await,
        Verb::Forward(command) => forward::run(app, command).await,
        Verb::Bundle(command) => bundle::run(app, command).await,
        Verb::Serve(arguments) => serve::run(app, arguments).await,
        Verb::Doctor(arguments) => doctor::run(app, arguments).await,
        Verb::Config(command) => config::run(app, command),
        Verb::Logs(arguments) => logs::run(app, arguments).await,
        Verb::Version => {
            app.data(&format!("quickstart {}", env!("CARGO_PKG_VERSION")))?;
            Ok(Exit::Ok)
        }
        Verb::Completions { .. } | Verb::Man => Ok(Exit::Ok),
    }
}

impl App {
    /// A line of data.
    pub(crate) fn data(&self, text: &str) -> Result<(), Failure> {
        self.printer.data(text).map_err(|error| Failure::internal(format!("cannot write to standard output: {error}")))
    }
}

/// Ctrl-C and SIGTERM: the first one asks, the second one insists. Both are listened for before this returns: a signal that came before
/// the task's first turn ended the process without a word.
fn watch_signals(cancel: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else { return };
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if cancel.is_cancelled() {
                #[expect(clippy::exit, reason = "the second Ctrl-C means now")]
                std::process::exit(i32::from(Exit::Interrupted.code()));
            }
            cancel.cancel();
        }
    });
}

fn wants_json(cli: &Cli) -> bool {
    use crate::cli::{BundleCommand, DoctorOutput, DoctorWay, EventsOutput, PlanOutput, TableOutput, TextOutput};
    match &cli.verb {
        Verb::Up(up) => up.output == EventsOutput::Json,
        Verb::Stop(stop) => stop.output == EventsOutput::Json,
        Verb::Start(start) => start.output == EventsOutput::Json,
        Verb::Reset(reset) => reset.output == EventsOutput::Json,
        Verb::Down(down) => down.output == EventsOutput::Json,
        Verb::Status(status) => status.output == TableOutput::Json,
        Verb::Timeline(timeline) => timeline.output == crate::cli::TimelineOutput::Json,
        Verb::Plan(plan) => plan.output == PlanOutput::Json,
        Verb::Predict(predict) => predict.output == crate::cli::PredictOutput::Json,
        Verb::Sample(command) => sample::wants_json(command),
        Verb::Image(crate::cli::ImageCommand::Load(load)) => load.output == TextOutput::Json,
        Verb::Bundle(BundleCommand::Inspect(inspect)) => inspect.output == TableOutput::Json,
        Verb::Bundle(BundleCommand::Diff(diff)) => diff.output == TableOutput::Json,
        Verb::Config(crate::cli::ConfigCommand::Show(show)) => show.output == TableOutput::Json,
        Verb::Doctor(doctor) => match &doctor.way {
            Some(DoctorWay::Route(route)) => route.output == TableOutput::Json,
            None => doctor.output == DoctorOutput::Json,
        },
        _ => false,
    }
}

fn halted(halt: Halt, environment: &Environment) -> Exit {
    let printer = Printer::standard(environment, false);
    match halt {
        Halt::Show { plain, exit, .. } if exit == Exit::Ok => {
            print_page(&printer, plain.as_bytes());
            exit
        }
        Halt::Show { plain, exit, .. } => {
            printer.talk(&plain);
            exit
        }
        Halt::Refuse(failure) => fail(&printer, &failure),
    }
}

fn print_page(printer: &Printer, page: &[u8]) -> Exit {
    if printer.raw(page).is_ok() { Exit::Ok } else { Exit::Internal }
}

fn fail(printer: &Printer, failure: &Failure) -> Exit {
    printer.failure(failure);
    failure.exit
}

fn report_failure(printer: &Printer, failure: &Failure, json: bool) -> Exit {
    if json && printer.failure_as_json(failure).is_err() {
        return Exit::Internal;
    }
    if !json {
        printer.failure(failure);
    }
    failure.exit
}

fn code(exit: Exit) -> ExitCode {
    ExitCode::from(exit.code())
}
