use std::time::Duration;

use clap::CommandFactory;

use super::*;
use crate::error::{Exit, Failure};

fn typed(line: &str) -> Cli {
    parse(line.split_whitespace()).unwrap()
}

fn refused(line: &str) -> Failure {
    match parse(line.split_whitespace()) {
        Err(Halt::Refuse(failure)) => failure,
        other => panic!("{line}: {other:?}"),
    }
}

fn shown(line: &str) -> (String, Exit) {
    match parse(line.split_whitespace()) {
        Err(Halt::Show { plain, exit, .. }) => (plain, exit),
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn the_tree_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn up_takes_every_flag_of_the_design() {
    let cli = typed(
        "quickstart up --name demo --profile raw --config q.yaml --bundle b.tar --port 9090 --set kserve=v0.20.0 --set istio=1.27.0 \
         --on ctx --without-demo --no-forward --keep-context --timeout 1h30m -o json --accept-unpinned --node-image kindest/node:v1 -vv",
    );
    let selection = cli.selection().unwrap();
    assert_eq!(cli.global.name.as_deref(), Some("demo"));
    assert_eq!(cli.global.config.as_deref(), Some(std::path::Path::new("q.yaml")));
    assert_eq!(cli.global.verbose, 2);
    assert_eq!(selection.profile, Some(Profile::Raw));
    assert_eq!(selection.port, Some(9090));
    assert_eq!(selection.set, [SetVersion::new("kserve", "0.20.0"), SetVersion::new("istio", "1.27.0")]);
    assert_eq!(selection.timeout, Some(Duration::from_mins(90)));
    assert!(selection.without_demo && selection.no_forward && selection.keep_context && selection.accept_unpinned);
    assert!(matches!(cli.verb, Verb::Up(up) if up.output == EventsOutput::Json));
}

#[test]
fn plan_takes_the_flags_of_up() {
    let cli = typed("quickstart plan --profile raw --set kserve=0.20.0 -o manifests");
    assert_eq!(cli.selection().unwrap().profile, Some(Profile::Raw));
}

#[test]
fn every_verb_has_its_defaults() {
    assert!(matches!(typed("quickstart down").verb, Verb::Down(down) if !down.all && !down.purge && down.output == EventsOutput::Auto));
    assert!(matches!(typed("quickstart status").verb, Verb::Status(status) if status.output == TableOutput::Table && !status.probe));
    let Verb::Predict(predict) = typed("quickstart predict").verb else { panic!() };
    assert_eq!((predict.service.as_str(), predict.namespace.as_deref()), ("sklearn-iris", None));
    let Verb::Forward(ForwardCommand::Run(run)) = typed("quickstart forward run").verb else { panic!() };
    assert_eq!((run.port, run.service), (0, None));
    let Verb::Bundle(BundleCommand::Create(create)) = typed("quickstart bundle create --from s.json o.tar").verb else { panic!() };
    assert_eq!((create.from.as_deref().and_then(std::path::Path::to_str), create.out.to_str()), (Some("s.json"), Some("o.tar")));
    assert!(matches!(typed("quickstart doctor --list").verb, Verb::Doctor(doctor) if doctor.list));
}

#[test]
fn the_name_stands_before_or_after_the_verb() {
    assert_eq!(typed("quickstart --name a status").global.name.as_deref(), Some("a"));
    assert_eq!(typed("quickstart status --name a").global.name.as_deref(), Some("a"));
}

#[test]
fn a_service_is_namespace_name_and_port() {
    let service: ServicePort = "knative-serving/activator-service:81".parse().unwrap();
    assert_eq!(service, ServicePort { namespace: "knative-serving".into(), name: "activator-service".into(), port: 81 });
    for bad in ["", "a:1", "a/b", "a/b:0", "a/b:http", "a/b:99999", "../b:1", "a/B:1", "a/b/c:1"] {
        assert!(bad.parse::<ServicePort>().is_err(), "{bad}");
    }
}

#[test]
fn help_and_version_are_data_with_exit_0() {
    let (help, exit) = shown("quickstart --help");
    assert_eq!(exit, Exit::Ok);
    assert!(help.contains("130  interrupted") && help.contains("quickstart doctor") && help.contains("QUICKSTART_PORT"), "{help}");
    let (version, exit) = shown("quickstart --version");
    assert_eq!((version.trim(), exit), (concat!("quickstart ", env!("CARGO_PKG_VERSION")), Exit::Ok));
    assert!(shown("quickstart up --help").0.contains("[env: QUICKSTART_TIMEOUT]"));
}

#[test]
fn no_verb_shows_the_help_with_exit_2() {
    for line in ["quickstart", "quickstart bundle", "quickstart forward"] {
        let (help, exit) = shown(line);
        assert!(help.contains("Usage:"), "{help}");
        assert_eq!(exit, Exit::Usage, "{line}");
    }
}

#[test]
fn a_refusal_has_our_three_lines() {
    let failure = refused("quickstart up --prot 1");
    assert_eq!((failure.id.as_str(), failure.exit), ("USAGE", Exit::Usage));
    assert_eq!(failure.what, "unexpected argument '--prot' found");
    assert_eq!(failure.cause.as_deref(), Some("tip: a similar argument exists: '--port'"));
    assert_eq!(failure.hint.as_deref(), Some("`quickstart up --help` lists what it takes"));
}

#[test]
fn an_unknown_profile_comes_with_the_list() {
    let failure = refused("quickstart up --profile rwa");
    assert!(failure.cause.unwrap().contains("[possible values: serverless, raw]"));
}

#[test]
fn bad_values_are_refused() {
    for line in [
        "up --port 0",
        "up --port 65536",
        "up --set kserve",
        "up --set =1",
        "up --timeout 15",
        "down --all --on c",
        "stats",
        "bundle create",
        "bundle create --pull out.tar",
        "bundle create --platform windows/amd64 out.tar",
        "bundle create --platform arm64 out.tar",
        "bundle create --from s.json --platform linux/arm64 out.tar",
        "bundle create --without-demo --model m out.tar",
        "forward run --service x",
        "status -q -v",
    ] {
        assert_eq!(refused(&format!("quickstart {line}")).exit, Exit::Usage, "{line}");
    }
    assert_eq!(
        refused("quickstart bundle create --pull out.tar").hint.as_deref(),
        Some("`quickstart bundle create --help` lists what it takes")
    );
}

#[test]
fn pages_name_the_verbs() {
    let page = String::from_utf8(man().unwrap()).unwrap();
    for part in [".SS quickstart up", ".SS quickstart bundle create", "EXIT STATUS", "without\\-demo"] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    let script = String::from_utf8(completions(Shell::Bash)).unwrap();
    assert!(script.contains(COMPLETE));
}
