use super::*;
use crate::catalog::embedded;
use crate::config::{Environment, Settings};

fn catalog() -> Catalog {
    embedded::catalog().unwrap()
}

fn part<'a>(budget: &'a Budget, what: &str) -> &'a Part {
    budget.parts.iter().find(|part| part.what == what).unwrap()
}

fn online() -> Plan {
    let folder = tempfile::tempdir().unwrap();
    let cli = crate::cli::parse(["quickstart", "plan"]).unwrap();
    let settings = Settings::resolve(&cli, Environment::from_vars([("HOME", "/h")], folder.path())).unwrap();
    crate::plan::build(&settings, &catalog(), None).unwrap()
}

fn engine(cpus: u64, memory: u64, architecture: &str) -> EngineSize {
    EngineSize { cpus, memory, architecture: architecture.into(), has_node_image: Some(true) }
}

/// The catalog's own count of a laptop's pulls: six from Docker Hub, of which one address gets a hundred in six hours.
#[test]
fn a_bare_machine_pulls_six_images_of_docker_hub() {
    let budget = budget(&online(), &catalog(), None, &Found::default());
    let hub = budget.pulls.iter().find(|pulls| pulls.registry == "docker.io").unwrap();
    assert_eq!((hub.pulls, hub.machines), (6, Some(16)), "{:?}", budget.pulls);
    assert_eq!(part(&budget, "manifests").here, Some(0));
    assert_eq!(part(&budget, "manifests").to_pull, Some(online().manifest_bytes));
    assert_eq!((part(&budget, "node image").here, budget.bytes_to_pull), (None, None));
    assert!(budget.requested.is_none() && budget.expected.is_none() && budget.engine.is_none());
    assert!(budget.architectures.iter().all(|one| one.lacking.is_empty()), "{:?}", budget.architectures);
    assert_eq!(budget.architectures[1].optional_lacking, 13);
    assert_eq!(budget.warnings, Vec::<String>::new());
}

#[test]
fn what_the_engine_and_the_cache_have_is_not_pulled() {
    let plan = online();
    let cached = plan.components.iter().flat_map(|component| &component.files).map(|file| file.sha256.clone()).collect();
    let found = Found { cached, engine: Some(engine(4, 8 << 30, "amd64")), ..Found::default() };
    let budget = budget(&plan, &catalog(), None, &found);
    assert_eq!((part(&budget, "manifests").to_pull, part(&budget, "node image").to_pull), (Some(0), Some(0)));
    assert_eq!(budget.pulls.iter().find(|pulls| pulls.registry == "docker.io").unwrap().pulls, 5);
}

#[test]
fn a_cluster_that_is_there_has_its_images() {
    let budget = budget(&online(), &catalog(), None, &Found { made: true, ..Found::default() });
    assert!(budget.pulls.is_empty(), "{:?}", budget.pulls);
    assert_eq!((part(&budget, "images").to_pull, part(&budget, "node image").here), (Some(0), Some(1)));
}

#[test]
fn what_does_not_fit_is_said() {
    let mut priced = budget(&online(), &catalog(), None, &Found { engine: Some(engine(1, 1 << 30, "riscv64")), ..Found::default() });
    priced.requested = Some(Amount { cpu_millis: 1010, memory: 2 << 30 });
    let said = warn::warnings(&priced).join("\n");
    for part in [
        "ask for 1.1 CPUs, the engine has 1",
        "2048 MiB of memory, the engine has 1024 MiB",
        "runs riscv64, the images are for amd64 and arm64",
    ] {
        assert!(said.contains(part), "{said}");
    }
    priced.engine = Some(engine(2, 4 << 30, "amd64"));
    assert!(warn::warnings(&priced).is_empty());
}

#[test]
fn the_last_five_runs_count() {
    assert_eq!(expected(&[]), None);
    assert_eq!(expected(&[7]).unwrap(), Expected { median_ms: 7, least_ms: 7, most_ms: 7, runs: 1 });
    assert_eq!(expected(&[4, 2]).unwrap().median_ms, 3);
    assert_eq!(expected(&[1000, 50, 10, 40, 20, 30]).unwrap(), Expected { median_ms: 30, least_ms: 10, most_ms: 50, runs: 5 });
}
